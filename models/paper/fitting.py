"""Fitting one cell, and predicting with it.

The latest share of each person's training answers decides when to stop, by their concordance, never by the weighted
total. The same cell, cohort and seed give the same model. A fitted cell predicts known and unknown people alike;
`adapt` adds people from the answers they gave, and leaves everyone else as they were.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from models.cohort import Cohort, Floats, Item, Mask
from models.errors import ModelError
from models.metrics import pooled_ccc
from models.paper.criteria import CRITERIA, Criterion
from models.paper.design import Design, PaperSettings
from models.paper.inputs import CLOCK, CLOCK_WIDTH, Signals, signals
from models.paper.network import PaperNetwork
from models.paper.tuning import Answers, keep_if_better, settle
from models.standardise import Standard, learn
from models.weighting import weighting

FEWEST_PRESENT = 20  # moments that a modality needs to be learned from
FEWEST_ANSWERED = 20  # rows that a cell needs
BY_RATIO = ("dwa", "rruw", "druw")  # weightings that need losses above 0: by their ratios, or unbounded below
Progress = Callable[[int, dict[str, float]], None]


@dataclass
class PaperModel:
    """A fitted cell. `noise` is the variance of what it leaves of an answer, in units of the span."""

    design: Design
    settings: PaperSettings
    items: tuple[Item, ...]
    participants: tuple[str, ...]
    features: dict[str, tuple[str, ...]]
    standards: dict[str, Standard]
    network: PaperNetwork
    criterion: Criterion
    noise: float = 0.04
    kept: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)

    def knows(self, participant: str) -> bool:
        """Whether the model has parameters of this person's own."""
        return participant in self.participants

    def signals(self, cohort: Cohort) -> Signals:
        """The cohort as the network reads it.

        Raises:
            CohortError: the cohort's items or features are not the model's.
        """
        cohort.check(self.items, self.features)
        return signals(cohort, self.standards, {p: n for n, p in enumerate(self.participants)})

    def predict(self, cohort: Cohort) -> Floats:
        """Every row's estimates, (rows, items) in scale units, kept inside the scale. No answer is read."""
        unit = _unit(self.network, self.criterion, self.signals(cohort))
        return np.asarray(cohort.low + cohort.span * np.clip(unit, 0.0, 1.0))

    def adapt(self, cohort: Cohort, visible: Mask) -> PaperModel:
        """The model with the cohort's new people added, from their answers in `visible` (rows,); others untouched."""
        new = [cohort.participants[p] for p in np.unique(cohort.person[visible & cohort.labelled])]
        new = [p for p in new if not self.knows(p)]
        network = copy.deepcopy(self.network)
        first = network.personal.people
        network.personal.grown(first + len(new))
        model = replace(self, participants=(*self.participants, *new), network=network, curve=list(self.curve))
        if not new or not len(network.personal.tables):
            return model
        theirs = np.array([p in set(new) for p in cohort.participants])[cohort.person]
        rows = np.flatnonzero(visible & cohort.labelled & theirs)
        settings, tuned = self.settings, network.personal.shared_first
        check = _latest(cohort, rows, settings.validation) if tuned else np.zeros(len(rows), dtype=np.bool_)
        given = _answers(model, cohort, rows, check)
        settle(network, given, first, self.noise, settings)
        if tuned:
            model.kept += keep_if_better(network, given, first)
        return model


def fit_paper(cohort: Cohort, train: Mask, design: Design, settings: PaperSettings | None = None,
              progress: Progress | None = None) -> PaperModel:  # fmt: skip
    """Fit a cell on the training rows.

    Args:
        cohort: the moments.
        train: (rows,) which rows may be learned from.
        design: the cell.
        settings: sizes, limits and the seed.
        progress: told each epoch's number and figures.

    Raises:
        ModelError: too few rows were answered, or loss and weighting do not go together.
    """
    settings = settings or PaperSettings()
    if design.loss == "gaussian" and design.weighting in BY_RATIO:
        message = f"{design.weighting} weighs by ratios of losses, and a Gaussian's fall below 0: use equal or kendall"
        raise ModelError(message)
    rows = np.flatnonzero(train & cohort.labelled)
    if len(rows) < FEWEST_ANSWERED:
        message = f"{len(rows)} answered moments are too few for the paper's grid; it needs {FEWEST_ANSWERED}"
        raise ModelError(message)
    held = _latest(cohort, rows, settings.validation)
    if not held.any():
        message = (
            "the paper's grid chooses when to stop on later answers of the same people: it needs somebody with two"
        )
        raise ModelError(message)
    if settings.max_epochs < 1:
        message = "the paper's grid has no model that is not trained: [training] max_epochs must be 1 at least"
        raise ModelError(message)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = _untrained(cohort, train & cohort.labelled, design, settings)
        given = _answers(model, cohort, rows, held)
        _train(model, given, progress)
        if model.network.personal.shared_first:
            settle(model.network, given, 0, model.noise, settings, spread=True)
            model.kept = keep_if_better(model.network, given, 0)
    return model


def _untrained(cohort: Cohort, rows: Mask, design: Design, settings: PaperSettings) -> PaperModel:
    standards = {
        name: learn(m, rows, cohort.person)
        for name, m in cohort.modalities.items()
        if int((~np.isnan(m.values[rows])).any(axis=1).sum()) >= FEWEST_PRESENT
    }
    participants = tuple(cohort.participants[p] for p in np.unique(cohort.person[rows]))
    sizes = {CLOCK: CLOCK_WIDTH} | {name: len(s.mean) for name, s in standards.items()}
    network = PaperNetwork(design, settings, len(cohort.items), len(participants), sizes)
    with torch.no_grad():
        mean = np.nan_to_num(_nanmean((cohort.answers[rows] - cohort.low) / cohort.span), nan=0.5)
        network.bias.copy_(torch.from_numpy(mean))
    return PaperModel(
        design=design,
        settings=settings,
        items=cohort.items,
        participants=participants,
        features={name: cohort.modalities[name].names for name in standards},
        standards=standards,
        network=network,
        criterion=CRITERIA[design.loss](len(cohort.items)),
    )


def _answers(model: PaperModel, cohort: Cohort, rows: np.ndarray, check: Mask) -> Answers:
    unit = ((cohort.answers - cohort.low) / cohort.span)[rows].astype(np.float32)
    return Answers(
        model.signals(cohort).take(torch.from_numpy(rows)),
        torch.from_numpy(unit),
        torch.from_numpy(check),
        model.criterion,
    )


def _latest(cohort: Cohort, rows: np.ndarray, share: float) -> Mask:
    """Which of the rows are the latest share of their person's, of two at least one, never a person's only one."""
    person = cohort.person[rows]
    count = np.bincount(person, minlength=len(cohort.participants))[person]
    first = np.searchsorted(person, person, "left")
    order = np.arange(len(rows)) - first
    return np.asarray((order >= np.minimum(np.ceil((1 - share) * count), count - 1)) & (order > 0))


def _train(model: PaperModel, given: Answers, progress: Progress | None) -> None:
    """AdamW with early stopping on the held-back concordance; the best weights stay."""
    settings, network, criterion = model.settings, model.network, model.criterion
    personal = network.personal
    tables = [] if personal.shared_first else list(personal.tables.values())
    criterion.look_at(given.values[~given.check])
    combine = weighting(model.design.weighting, given.values.shape[1])
    groups = [
        {"params": network.shared(), "weight_decay": settings.weight_decay},
        {"params": [*criterion.parameters(), *combine.parameters()], "weight_decay": 0.0},
        {"params": tables, "weight_decay": 0.0, "lr": settings.personal_rate},
    ]
    optimiser = torch.optim.AdamW([g for g in groups if g["params"]], lr=settings.learning_rate)
    learned, held = given.signals.take(~given.check), given.signals.take(given.check)
    answers, truth = given.values[~given.check], given.values[given.check].double().numpy()
    best, best_score, best_epoch = _state(model), _agreement(model, held, truth), 0
    usual = answers - network.bias.detach()
    model.noise = max(float(usual[~torch.isnan(usual)].var()), 1e-4)
    for epoch in range(1, settings.max_epochs + 1):
        network.train()
        total = 0.0
        for rows in torch.randperm(len(answers)).chunk(max(1, round(len(answers) / settings.batch))):
            score = network(learned.take(rows))
            answered = ~torch.isnan(answers[rows])
            losses = criterion.losses(score, answers[rows], answered)
            combined = combine.combine(losses, answered.any(0))
            if tables:  # their density is per row and keeps its share whatever the weighting scales losses by
                scale = torch.autograd.grad(combined, losses, retain_graph=True)[0].mean() / len(answers)
                combined = combined + scale * personal.density()
            optimiser.zero_grad()
            combined.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 20.0 * len(losses))
            optimiser.step()
            total += float(losses.detach().mean()) * len(rows) / len(answers)
        if tables:
            personal.learn_spread(len(answers) / personal.people, model.noise)
        reached = _agreement(model, held, truth)
        model.curve.append({"loss": total, "score": reached})
        if progress is not None:
            progress(epoch, model.curve[-1])
        if reached > best_score + 1e-4:
            best, best_score, best_epoch = _state(model), reached, epoch
        elif epoch - best_epoch >= settings.patience:
            break
    network.load_state_dict(best[0])
    criterion.load_state_dict(best[1])
    left = torch.from_numpy(_unit(network, criterion, held)) - given.values[given.check]
    known = left[~torch.isnan(left)]
    model.noise = max(float((known**2).mean()), 1e-4) if len(known) else model.noise


def _state(model: PaperModel) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    parts = (model.network.state_dict(), model.criterion.state_dict())
    first, second = ({n: v.clone() for n, v in part.items()} for part in parts)
    return first, second


def _agreement(model: PaperModel, held: Signals, truth: Floats) -> float:
    return float(np.nan_to_num(pooled_ccc(np.clip(_unit(model.network, model.criterion, held), 0, 1), truth)).mean())


def _unit(network: PaperNetwork, criterion: Criterion, rows: Signals) -> Floats:
    network.eval()
    with torch.no_grad():
        return np.asarray(criterion.value(network(rows)).double().numpy())


def _nanmean(values: Floats) -> Floats:
    count = (~np.isnan(values)).sum(0)
    return np.asarray(np.nansum(values, 0) / np.where(count > 0, count, np.nan))
