"""Fitting the default model: baseline first, then the network's correction if validation says it helps.

The latest share of each person's training answers is kept to decide how long to train. Where no epoch beats the
baseline there, the baseline itself is kept; modalities that do not help there are not read. Then a few members are
trained for as many epochs on all answers, because the latest say most about a person, and averaged. Everything random
follows from the seed. A checkpoint makes a killed fit go on where it stopped and end with the same bits. Evaluation on
other answers belongs to `evaluation.py`.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from models.baselines import Ewma
from models.batch import Batch
from models.cohort import Cohort, Floats, Ints, Mask
from models.forest import Forest, grow
from models.habits import related
from models.history import NONE, seen_as_newcomer, seen_online
from models.inputs import Inputs, Past
from models.intervals import calibrate
from models.macro_micro import NEVER, NEWCOMER, NIGHTLY, ONLINE, STRANGER, MacroMicro, error_scale
from models.metrics import mae, pooled_ccc, sums_over_all
from models.mix import choose, choose_for_newcomers
from models.network import Network, together
from models.population import fit_population, levels
from models.protocols import nightly_view
from models.settings import Settings
from models.standardise import learn
from models.threads import beside, torch_threads
from models.training import Progress, Training, device_of
from models.worth import more_than_means, of_no_use

FEWEST_PRESENT = 20  # moments that a modality needs to be learned from
LEAST_ERROR = 1e-6  # of the scale, in which errors are told where the baseline makes none


@dataclass(frozen=True)
class Held:
    """The rows a fit learns from and the latest rows it keeps for choosing, masks over the cohort."""

    learn: Mask
    check: Mask


def hold_back(cohort: Cohort, share: float) -> Held:
    """Keep the latest share of each person's answered rows, at least the last; of a single one nothing is kept."""
    order = cohort.answered_before()
    total = np.bincount(cohort.person[cohort.labelled], minlength=len(cohort.participants))
    first = np.minimum(np.ceil((1 - share) * total), total - 1)
    check = cohort.labelled & (order >= first[cohort.person]) & (order > 0)
    return Held(cohort.labelled & ~check, check)


def fit(
    cohort: Cohort,
    settings: Settings | None = None,
    *,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> MacroMicro:
    """Fit the model on every answer of a cohort.

    Args:
        cohort: the moments; rows without answers only carry history.
        settings: seeds, sizes, limits.
        checkpoint: folder for resuming a killed fit; removed when the fit ends.
        progress: called after each epoch with its number and figures.
    """
    settings = settings or Settings()
    held = hold_back(cohort, settings.validation)
    model = _baseline(cohort, settings)
    material = _Material.of(model, cohort)
    material.calibrate(held.check)
    answered = int(cohort.labelled.sum())
    if answered < settings.min_answers:
        model.note = (
            f"{answered} answered moments are too few to learn from "
            f"(training.min_answers = {settings.min_answers}); the baseline is kept"
        )
    elif not held.check.any():
        model.note = "nobody has answered twice, so nothing tells whether learning helps; the baseline is kept"
    elif settings.max_epochs == 0:
        model.note = "no epochs were asked for; the baseline is kept"
    else:
        with torch_threads(settings.threads), torch.random.fork_rng(devices=[]):
            _learn(material, held, checkpoint, progress)
    if checkpoint is not None:
        shutil.rmtree(checkpoint, ignore_errors=True)
    return model


def _baseline(cohort: Cohort, settings: Settings) -> MacroMicro:
    standards = {
        name: learn(m, cohort.labelled, cohort.person)
        for name, m in cohort.modalities.items()
        if int((~np.isnan(m.values[cohort.labelled])).any(axis=1).sum()) >= FEWEST_PRESENT
    }
    answered = np.unique(cohort.person[cohort.labelled])
    until = cohort.largest(cohort.time_us, cohort.labelled, NEVER)
    return MacroMicro(
        settings=settings,
        items=cohort.items,
        features={name: cohort.modalities[name].names for name in standards},
        participants=tuple(cohort.participants[p] for p in answered),
        answered_until=until[answered],
        population=fit_population(cohort, cohort.labelled),
        relation=related(cohort, cohort.labelled),
        standards=standards,
        network=None,
        intervals={},
        macro_people=len(answered),
    )


def _learn(material: _Material, held: Held, checkpoint: Path | None, progress: Progress | None) -> None:
    """Choose how long to train on held-back answers, calibrate on them, then train the members on everything."""
    model, everything = material.model, material.cohort.labelled
    network = material.network(model.settings.seed)
    training = material.training(network, held.learn)
    device = device_of(model.settings)
    checks = [_Check.of(v.take(held.check), material.unit[held.check], device) for v in material.trained.values()]
    start = fmean(c.untouched for c in checks)

    def score(network: Network) -> float:
        return fmean(c.score(network) for c in checks)

    with beside(lambda: material.forest(held.learn), model.settings.threads) as forest:
        best = training.choose(score, start, _under(checkpoint, "choose"), progress)
        model.curve = training.curve
        if best is None:
            _keep_baseline(material, held, "no correction beat the personal baseline on held-back answers")
            return
        network.load_state_dict(best)
        model.network, model.forest = together([network], model.settings.heads), forest()
    material.mix(held)
    if not material.tells_of_moments(held.check):
        _keep_baseline(material, held, "held-back answers are told by who gives them, not when")
        return
    model.unused = () if model.settings.read_all else material.unused(held.check)
    if model.unused:
        model.note = f"not read, because held-back answers are estimated as well without: {', '.join(model.unused)}"
        material = material.without(model.unused)
        model.forest = material.forest(held.learn)
        material.mix(held)
    material.calibrate(held.check)
    members = []
    with beside(lambda: material.forest(everything), model.settings.threads) as forest:
        for member in range(model.settings.members):
            network = material.network(model.settings.seed + 1000 * (member + 1))
            again = material.training(network, everything)
            network.load_state_dict(again.train(training.best_epoch, _under(checkpoint, f"member{member}"), progress))
            members.append(network)
        model.network = together(members or [network], model.settings.heads)
        model.forest = forest()


def _keep_baseline(material: _Material, held: Held, why: str) -> None:
    """Take the correction back; and drifts and swings too, unless they tell more than levels do."""
    model = material.model
    model.network, model.forest, model.mixes = None, None, {}
    model.note = f"{why}; the personal baseline is kept"
    if not material.tells_of_moments(held.check):
        model.population = levels(material.cohort, material.cohort.labelled)
        model.note += ", as a level alone"
        _Material.of(model, material.cohort).calibrate(held.check)


@dataclass(frozen=True)
class _View:
    """The moments as a view knows them, and the last row that each row sees."""

    past: Past
    seen: Ints


@dataclass(frozen=True)
class _Material:
    """What every step of one fit shares.

    `trained` is what network and trees learn from, by view: were people seen as newcomers too, they would be learned by
    heart. `unit` (rows, items) are the answers in units of the span.
    """

    model: MacroMicro
    cohort: Cohort
    views: dict[str, _View]
    trained: dict[str, Inputs]
    unit: Floats

    @classmethod
    def of(cls, model: MacroMicro, cohort: Cohort) -> _Material:
        online = Past.of(cohort, model.population, model.relation)
        by_night, seen_by_night = nightly_view(cohort)
        first = seen_as_newcomer(cohort, model.settings.seed)
        views = {}
        known = {ONLINE: (online, seen_online(cohort)), NIGHTLY: (replace(online, cohort=by_night), seen_by_night)}
        for name, (past, seen) in known.items():
            views[name] = _View(past, seen)
            # Of a newcomer nothing is known but the answers shown, of a stranger not even these.
            views[NEWCOMER + name] = _View(past, np.minimum(first, seen))
            views[STRANGER + name] = _View(past, np.full(len(cohort), NONE))
        trained = {name: model.inputs(past, seen) for name, (past, seen) in known.items()}
        return cls(model, cohort, views, trained, (cohort.answers - cohort.low) / cohort.span)

    def without(self, modalities: Sequence[str]) -> _Material:
        """The same with some modalities never measured."""
        trained = self.trained
        for name in modalities:
            trained = {of: inputs.without(name) for of, inputs in trained.items()}
        return replace(self, trained=trained)

    def asked(self, name: str, rows: Mask) -> tuple[Ints, Inputs]:
        """Those of some rows that a view is about, and what is read of them: a newcomer has said something."""
        view, at = self.views[name], np.flatnonzero(rows)
        if name in self.trained:
            return at, self.trained[name].take(at)
        inputs = self.model.inputs(view.past, view.seen, at).of_strangers(len(self.model.participants))
        about = inputs.answered | name.startswith(STRANGER)
        return at[about], inputs.take(about)

    def mix(self, held: Held) -> None:
        """Choose how network and trees are put together, against a weighted mean of answers."""
        model = self.model
        if model.forest is None:
            return
        for name, view in self.views.items():
            if name.startswith(STRANGER):
                continue
            at, inputs = self.asked(name, held.check)
            if not len(at):
                continue
            usual = Ewma().fit(self.cohort, held.learn, view.seen).predict(self.cohort, view.seen)[at]
            reference = (usual - self.cohort.low) / self.cohort.span
            chosen = choose_for_newcomers if name.startswith(NEWCOMER) else choose
            model.mixes[name] = chosen(model.parts(inputs), reference, self.unit[at])

    def calibrate(self, rows: Mask) -> None:
        """Interval widths from held-back rows, in every view."""
        low, span, coverage = self.cohort.low, self.cohort.span, self.model.settings.coverage
        for name, view in self.views.items():
            at, inputs = self.asked(name, rows)
            value = low + span * self.model.estimate(inputs, nightly=name.endswith(NIGHTLY))
            scale = error_scale(view.past, view.seen)[at]
            self.model.intervals[name] = calibrate(value, scale, self.cohort.answers[at], coverage)

    def network(self, seed: int) -> Network:
        """A new network; the seed decides its first weights and everything drawn in its training."""
        torch.manual_seed(seed)
        return Network(self.model.settings, *self.model.sizes)

    def forest(self, rows: Mask) -> Forest | None:
        """Trees grown on some rows, as both views see them; None where none are asked for."""
        settings = self.model.settings
        if settings.trees == 0:
            return None
        views, many = list(self.trained.values()), settings.trees
        return grow(views, self.unit, rows, rounds=many, seed=settings.seed, threads=settings.threads)

    def tells_of_moments(self, rows: Mask) -> bool:
        """Whether estimates of some rows tell more of them than the means of people's earlier answers do."""
        view, cohort = self.views[ONLINE], self.cohort
        said = self.model.estimate(self.trained[ONLINE].take(rows))
        means = (view.past.history(view.seen, np.flatnonzero(rows)).mean - cohort.low) / cohort.span
        return more_than_means(said, means, self.unit[rows], cohort.person[rows])

    def unused(self, rows: Mask) -> tuple[str, ...]:
        """Modalities that estimates of some rows are as good without."""
        views = {name: inputs.take(rows) for name, inputs in self.trained.items()}
        return of_no_use(self.model, views, self.unit[rows], self.cohort.person[rows])

    def training(self, network: Network, rows: Mask) -> Training:
        """Training on some rows, errors told relative to the baseline's on them."""
        online, nightly = (inputs.take(rows) for inputs in self.trained.values())
        usual = _mean_error(online.baseline.astype(np.float64), self.unit[rows])
        return Training(network, (online, nightly), self.unit[rows], usual, self.model.settings)


def _under(folder: Path | None, name: str) -> Path | None:
    return None if folder is None else folder / name


@dataclass(frozen=True)
class _Check:
    """Scores a network on held-back answers: mean CCC minus mean error relative to the baseline's."""

    batch: Batch
    answers: Floats
    usual: float
    untouched: float

    @classmethod
    def of(cls, inputs: Inputs, answers: Floats, device: torch.device) -> _Check:
        start = inputs.baseline.astype(np.float64)
        usual = max(float(np.nanmean(_errors(start, answers))), LEAST_ERROR)
        return cls(Batch.of(inputs).to(device), answers, usual, _score(start, answers, usual))

    def score(self, network: Network) -> float:
        network.eval()
        with torch.inference_mode():
            return _score(network(self.batch).cpu().double().numpy(), self.answers, self.usual)


def _mean_error(values: Floats, answers: Floats) -> Floats:
    """Per item; a tenth of the scale for an item that nobody answered."""
    return np.nan_to_num(_errors(values, answers), nan=0.1)


def _errors(values: Floats, answers: Floats) -> Floats:
    return mae(sums_over_all(np.clip(values, 0, 1), answers))


def _score(values: Floats, answers: Floats, usual: float) -> float:
    agreement = np.nan_to_num(pooled_ccc(np.clip(values, 0, 1), answers))
    return float(agreement.mean() - np.nanmean(_errors(values, answers)) / usual)
