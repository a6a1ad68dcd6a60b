"""Fitting the default model: baseline first, then the network's correction if validation says it helps.

The latest share of each person's training answers is kept to decide when to stop; the network that was best there is
kept, and when none beats the baseline the baseline itself is. Everything random follows from the seed. A checkpoint
makes a killed fit go on where it stopped and end with the same bits. Evaluation on other answers belongs to
`evaluation.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from models.cohort import Cohort, Floats, Mask
from models.history import seen_online
from models.inputs import Inputs, build
from models.intervals import calibrate
from models.macro_micro import MacroMicro, error_scale
from models.metrics import mae, pooled_ccc, sums
from models.network import Network
from models.protocols import nightly_view
from models.settings import Settings
from models.standardise import learn
from models.state_space import fit_population
from models.training import Progress, Training

FEWEST_PRESENT = 20  # moments that a modality needs to be learned from


@dataclass(frozen=True)
class Held:
    """The rows a fit learns from and the latest rows it keeps for choosing, masks over the cohort."""

    learn: Mask
    check: Mask


def hold_back(cohort: Cohort, share: float) -> Held:
    """Keep the latest share of each person's answered rows; a person with a single one keeps none."""
    rank, _ = cohort.rank()
    running = np.r_[0, np.cumsum(cohort.labelled)]
    here = np.arange(len(cohort))
    order = running[here] - running[here - rank]
    total = np.bincount(cohort.person[cohort.labelled], minlength=len(cohort.participants))
    check = cohort.labelled & (order >= np.ceil((1 - share) * total)[cohort.person]) & (order > 0)
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
        checkpoint: folder for resuming a killed fit; emptied when the fit ends.
        progress: called after each epoch with its number and figures.
    """
    settings = settings or Settings()
    held = hold_back(cohort, settings.validation)
    model = _baseline(cohort, settings, held)
    if int(cohort.labelled.sum()) < settings.min_answers:
        model.note = (
            f"{int(cohort.labelled.sum())} answered moments are too few to learn from "
            f"(training.min_answers = {settings.min_answers}); the baseline is kept"
        )
        return _with_intervals(model, cohort, held)
    if settings.max_epochs == 0:
        model.note = "no epochs were asked for; the baseline is kept"
        return _with_intervals(model, cohort, held)
    with _threads(settings.threads):
        _learn(model, cohort, held, checkpoint, progress)
    return _with_intervals(model, cohort, held)


def _baseline(cohort: Cohort, settings: Settings, held: Held) -> MacroMicro:
    standards = {
        name: learn(m, held.learn, cohort.person)
        for name, m in cohort.modalities.items()
        if int((~np.isnan(m.values[held.learn])).any(axis=1).sum()) >= FEWEST_PRESENT
    }
    participants = tuple(cohort.participants[p] for p in np.unique(cohort.person[held.learn]))
    return MacroMicro(
        settings=settings,
        items=cohort.items,
        features={name: cohort.modalities[name].names for name in standards},
        participants=participants,
        population=fit_population(cohort, cohort.labelled),
        standards=standards,
        network=None,
        intervals={},
    )


def _learn(model: MacroMicro, cohort: Cohort, held: Held, checkpoint: Path | None, progress: Progress | None) -> None:
    unit = (cohort.answers - cohort.low) / cohort.span
    known = {p: n for n, p in enumerate(model.participants)}
    night, by_night = nightly_view(cohort)
    views = [
        build(view, seen, model.population, model.standards, known)
        for view, seen in ((cohort, seen_online(cohort)), (night, by_night))
    ]
    start = views[0].baseline.double().numpy().clip(0, 1)
    usual = _mean_error(start[held.learn], unit[held.learn])
    torch.manual_seed(model.settings.seed)
    network = Network(
        model.settings, len(model.items), len(model.participants), {m: len(f) for m, f in model.features.items()}
    )
    learned = tuple(v.take(_index(held.learn)) for v in views)
    training = Training(network, (learned[0], learned[1]), unit[held.learn], usual, model.settings)
    checks = [_Check.of(v.take(_index(held.check)), unit[held.check]) for v in views]
    best = training.run(
        lambda n: sum(c.score(n) for c in checks) / 2, sum(c.untouched for c in checks) / 2, checkpoint, progress
    )
    model.curve = training.curve
    if best is None:
        model.note = "no correction beat the personal baseline on held-back answers; the baseline is kept"
        return
    network.load_state_dict(best)
    model.network = network


@dataclass(frozen=True)
class _Check:
    """Scores a network on held-back answers: mean CCC minus mean error relative to the baseline's."""

    inputs: Inputs
    answers: Floats
    usual: float
    untouched: float

    @classmethod
    def of(cls, inputs: Inputs, answers: Floats) -> _Check:
        start = inputs.baseline.double().numpy()
        usual = float(np.nanmean(_errors(start, answers)))
        return cls(inputs, answers, usual, _score(start, answers, usual))

    def score(self, network: Network) -> float:
        network.eval()
        with torch.inference_mode():
            return _score(network(self.inputs).double().numpy(), self.answers, self.usual)


def _mean_error(values: Floats, answers: Floats) -> Floats:
    """Per item; a tenth of the scale for an item that nobody answered."""
    return np.nan_to_num(_errors(values, answers), nan=0.1)


def _errors(values: Floats, answers: Floats) -> Floats:
    return mae(sums(np.clip(values, 0, 1), answers, np.zeros(len(values), dtype=np.int64), 1)[0])


def _score(values: Floats, answers: Floats, usual: float) -> float:
    agreement = np.nan_to_num(pooled_ccc(np.clip(values, 0, 1), answers))
    return float(agreement.mean() - np.nanmean(_errors(values, answers)) / usual)


def _with_intervals(model: MacroMicro, cohort: Cohort, held: Held) -> MacroMicro:
    """Calibrate on the held-back answers, online and nightly."""
    night, by_night = nightly_view(cohort)
    for name, view, seen in (("online", cohort, seen_online(cohort)), ("nightly", night, by_night)):
        value, scale = model.values(view, seen), error_scale(model.population, view, seen)
        rows = held.check
        model.intervals[name] = calibrate(value[rows], scale[rows], cohort.answers[rows], model.settings.coverage)
    return model


def _index(mask: Mask) -> torch.Tensor:
    return torch.from_numpy(np.flatnonzero(mask))


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Use `count` threads and leave torch's random state as it was."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(before)
