"""The honest table: the model beside every baseline, by protocol, with intervals over people.

Each protocol fits everything anew on its own training rows and predicts its test rows; nothing is shared with the
model that goes to the registry. Predictions of single rows are handed on for the gate and for pictures. Metrics are
defined in `metrics.py`, what may be seen in `protocols.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from models.baselines import BASELINES, Baseline, OrnsteinUhlenbeck
from models.bootstrap import DRAWS, bounds, drawn_over_items, draws, over_items
from models.cohort import Cohort, Floats, Ints, Mask
from models.errors import ModelError
from models.fitting import fit
from models.guards import guard_past, guard_windows
from models.macro_micro import MacroMicro, Prediction
from models.metrics import (
    N,
    Sums,
    ccc,
    held,
    icc,
    implied_q,
    mae,
    mean_of_people,
    own_ccc,
    person_ccc,
    person_mae,
    sums,
    together,
    within_r,
    worst_decile,
    worst_deciles,
)
from models.protocols import CHOICE_SHARE, GAP_H, Split, frozen, online
from models.settings import Settings

MODEL = "macro_micro"
EWMA = "ewma"  # lift by item is told against it
AGAINST = (EWMA, "ar1_ou", "boosted_trees", "personal_mean")
Metrics = dict[str, Any]
Table = dict[str, dict[str, Metrics]]
Say = Callable[[str, float], None]


class Figure(NamedTuple):
    """A figure by item: of all people, (items,), of the people of every draw, (draws, items), and who has it.

    `known` is (people, items).
    """

    whole: Floats
    drawn: Floats
    known: Mask

    @property
    def over_items(self) -> tuple[float, Floats, int]:
        """Mean over items, that of every draw, and of how many people it is."""
        sampled = drawn_over_items(self.whole, self.drawn)
        return float(over_items(self.whole)), sampled, int(self.known.any(axis=1).sum())


@dataclass(frozen=True)
class Tested:
    """Test rows of one protocol: places in the cohort, true answers and each model's estimates, (rows, items)."""

    rows: Ints
    answers: Floats
    values: Mapping[str, Floats]
    interval: Prediction
    model: MacroMicro


@dataclass(frozen=True)
class Evaluation:
    """`table[protocol][model][metric]`, and the predictions behind it."""

    table: Table
    tested: Mapping[str, Tested]


def evaluate(
    cohort: Cohort,
    settings: Settings | None = None,
    protocols: Sequence[str] = ("P2", "P2N"),
    *,
    checkpoint: Path | None = None,
    progress: Say | None = None,
    draw_count: int = DRAWS,
    gap_h: float = GAP_H,
) -> Evaluation:
    """Fit and test under each protocol.

    Args:
        cohort: the moments.
        settings: of the model's fits.
        protocols: of P1, P2, P2N. P2 and P2N share training rows, hence one fit.
        checkpoint: folder for resuming a killed evaluation.
        progress: told what is being done and how far it is (0–1).
        draw_count: bootstrap draws over participants.
        gap_h: of P1, at least as long as the cohort's longest look-back.

    Raises:
        ModelError: a protocol is unknown.
        LeakageError: a split would let a prediction see its own time or later, or features know of later ones.
    """
    settings = settings or Settings()
    say = progress or (lambda _text, _share: None)
    guard_past(cohort)
    splits = {name: _split(cohort, name, gap_h) for name in protocols}
    fitted: dict[tuple[bytes, bool], MacroMicro] = {}
    table, tested = {}, {}
    for place, (name, split) in enumerate(splits.items()):
        key = split.train.tobytes(), split.frozen
        if key not in fitted:
            say(f"{name}: training", place / len(splits))
            folder = None if checkpoint is None else checkpoint / name
            how = replace(settings, validation=CHOICE_SHARE) if split.frozen else settings
            fitted[key] = fit(cohort.take(split.train), how, checkpoint=folder)
        say(f"{name}: predicting", (place + 0.8) / len(splits))
        tested[name], table[name] = _judged(split, fitted[key], settings, draw_count)
    say("done", 1.0)
    return Evaluation(table, tested)


def evaluate_again(
    cohort: Cohort, model: MacroMicro, *, progress: Say | None = None, draw_count: int = DRAWS
) -> Evaluation:
    """Test a model of an earlier evaluation on every answer later than those it was fitted on, under P2 and P2N.

    Nothing of the model is fitted; the baselines are, on what it was fitted on. People who came later are not tested.

    Raises:
        LeakageError: a split would let a prediction see its own time or later, or features know of later ones.
    """
    guard_past(cohort)
    say, train = progress or (lambda _text, _share: None), cohort.labelled & ~model.unseen(cohort)
    splits = [online(cohort, nightly=nightly, train=train) for nightly in (False, True)]
    table, tested = {}, {}
    for place, split in enumerate(splits):
        say(f"{split.name}: predicting", place / len(splits))
        tested[split.name], table[split.name] = _judged(split, model, model.settings, draw_count)
    say("done", 1.0)
    return Evaluation(table, tested)


def _judged(split: Split, model: MacroMicro, settings: Settings, draw_count: int) -> tuple[Tested, dict[str, Metrics]]:
    """A split's predictions and its table, with what each modality adds."""
    tested = predict_split(split, model)
    table = compare(tested, split.cohort, seed=settings.seed, draw_count=draw_count)
    if table and model.network is not None:
        table[MODEL]["without"] = drops(split, model, tested, seed=settings.seed, draw_count=draw_count)
    return tested, table


def _split(cohort: Cohort, name: str, gap_h: float) -> Split:
    makers: dict[str, Callable[[], Split]] = {
        "P1": lambda: frozen(cohort, gap_h),
        "P2": lambda: online(cohort),
        "P2N": lambda: online(cohort, nightly=True),
    }
    if name not in makers:
        message = f"no protocol is called {name!r}; there are {', '.join(makers)}"
        raise ModelError(message)
    split = makers[name]()
    if split.frozen:
        guard_windows(split, gap_h)
    return split


def predict_split(
    split: Split, model: MacroMicro, baselines: Mapping[str, Callable[[], Baseline]] = BASELINES
) -> Tested:
    """Predict a split's test rows with a fitted model and with every baseline fitted on the training rows."""
    rows = np.flatnonzero(split.test)
    fitted = fitted_baselines(split, model, baselines)
    values = {name: baseline.predict(split.cohort, split.seen)[rows] for name, baseline in fitted.items()}
    interval = model.predict(split.cohort, rows, nightly=split.nightly, seen=split.seen)
    return Tested(rows, split.cohort.answers[rows], {**values, MODEL: interval.value}, interval, model)


def fitted_baselines(
    split: Split, model: MacroMicro, baselines: Mapping[str, Callable[[], Baseline]]
) -> dict[str, Baseline]:
    """Every baseline fitted on a split's training rows, on which the model was fitted too."""
    made = {name: make() for name, make in baselines.items()}
    for baseline in made.values():
        if isinstance(baseline, OrnsteinUhlenbeck) and model.population.moves:
            baseline.population = model.population  # the same fit on the same rows; it takes seconds
        else:
            baseline.fit(split.cohort, split.train, split.seen)
    return made


def compare(tested: Tested, cohort: Cohort, *, seed: int = 0, draw_count: int = DRAWS) -> dict[str, Metrics]:
    """The table of one protocol: every model's metrics with 95 % intervals over people.

    Raises:
        ModelError: a model says nothing of an answer that others are judged by.
    """
    for name, said in tested.values.items():
        silent = int((np.isnan(said) & ~np.isnan(tested.answers)).sum())
        if silent:
            message = f"{name} says nothing of {silent} answers; models are compared on the same ones only"
            raise ModelError(message)
    used, person = np.unique(cohort.person[tested.rows], return_inverse=True)
    if not len(used):
        return {}
    drawn = draws(len(used), draw_count, seed)
    scaled = {name: sums(v, tested.answers, person, len(used)) for name, v in tested.values.items()}
    # A person's error over items counts each item by its share of the scale, whatever units the scales have.
    shares = {
        name: sums(v / cohort.span, tested.answers / cohort.span, person, len(used))
        for name, v in tested.values.items()
    }
    relative = {name: person_mae(each) for name, each in shares.items()}
    figures = {name: _figures(each, drawn) for name, each in scaled.items()}
    out = {name: _metrics(scaled[name], found, [i.name for i in cohort.items]) for name, found in figures.items()}
    for name, metrics in out.items():
        for other in AGAINST:
            if other in relative:
                metrics[f"lift_over_{other}"] = lift_of(relative[other] - relative[name], drawn)
                for short, figure in (("ccc", "pooled_ccc"), ("person_ccc", "person_ccc")):
                    mine, theirs = figures[name][figure], figures[other][figure]
                    metrics[f"{short}_over_{other}"] = gain_of(mine, theirs)
        lifts = mae(shares[EWMA]) - mae(shares[name]) if EWMA in shares else np.empty((len(used), 0))
        for of_item, lift in zip(metrics["items"].values(), lifts.T, strict=False):
            of_item[f"lift_over_{EWMA}"] = lift_of(lift, drawn)
    inside = (tested.interval.low <= tested.answers) & (tested.answers <= tested.interval.high)
    width = np.nanmean((tested.interval.high - tested.interval.low) / cohort.span)
    out[MODEL] |= {**_held(inside, tested.answers, person, drawn), "width": float(width)}
    for k, of_item in enumerate(out[MODEL]["items"].values()):
        of_item.update(_held(inside[:, [k]], tested.answers[:, [k]], person, drawn))
    return out


def _held(inside: Mask, answers: Floats, person: Ints, drawn: Floats) -> Metrics:
    """How many answers lie inside their intervals: of all, of the tenth of people held worst, of the tenth lowest."""
    hits, count = held(inside, answers, person, drawn.shape[1])
    own, known = _share(hits, count), int((count > 0).sum())
    return {
        "coverage": float(_share(hits.sum(), count.sum())),
        "coverage_ci": bounds(_share(drawn @ hits, drawn @ count), known),
        "coverage_worst_decile": worst_decile(own),
        "coverage_worst_decile_ci": bounds(worst_deciles(own, drawn), known),
        "coverage_people_p10": float(np.nanquantile(own, 0.1)) if known else float("nan"),
    }


def drops(
    split: Split, model: MacroMicro, tested: Tested, *, seed: int = 0, draw_count: int = DRAWS
) -> dict[str, Metrics]:
    """What the model loses where a modality, or all of body and voice, was not measured, paired over people.

    Returns:
        Per modality `mae` (rise of people's errors, as a share of the scale) and `ccc` (fall of the pooled CCC),
        each with its 95 % interval. One that contains 0 says that nothing is gained by that modality.
    """
    cohort = split.cohort
    used, person = np.unique(cohort.person[tested.rows], return_inverse=True)
    drawn, everywhere = draws(len(used), draw_count, seed), np.ones(len(cohort), dtype=np.bool_)

    def figures(values: Floats) -> tuple[Figure, Floats]:
        each = sums(values / cohort.span, tested.answers / cohort.span, person, len(used))
        return _agreement(each, drawn), person_mae(each)

    whole, error = figures(tested.values[MODEL])
    out: dict[str, Metrics] = {}
    for name, gone in {**{m: (m,) for m in model.standards}, "body_and_voice": tuple(model.standards)}.items():
        present = [m for m in gone if not np.isnan(cohort.modalities[m].values[tested.rows]).all()]
        if not present:
            continue
        masked = {m: cohort.modalities[m].masked(everywhere) for m in present}
        without = replace(cohort, modalities={**cohort.modalities, **masked})
        said = model.predict(without, tested.rows, nightly=split.nightly, seen=split.seen).value
        each, worse = figures(said)
        out[name] = {"mae": lift_of(worse - error, drawn), "ccc": gain_of(whole, each)}
    return out


def _agreement(each: Sums, drawn: Floats) -> Figure:
    return Figure(ccc(together(each)), ccc(together(each, drawn)), each[..., N] > 0)


def _figures(each: Sums, drawn: Floats) -> dict[str, Figure]:
    """Every figure of a model that is told with its interval."""
    agreement, answered = _agreement(each, drawn), each[..., N] > 0
    share = Figure(icc(each), icc(each, drawn), answered)
    return {
        "pooled_ccc": agreement,
        "mae": Figure(mae(together(each)), mae(together(each, drawn)), answered),
        "person_ccc": Figure(person_ccc(each), person_ccc(each, drawn), ~np.isnan(own_ccc(each))),
        "within_r": Figure(within_r(each), within_r(each, drawn), answered),
        "implied_q": Figure(implied_q(agreement.whole, share.whole), implied_q(agreement.drawn, share.drawn), answered),
        "icc": share,
    }


def _metrics(each: Sums, figures: Mapping[str, Figure], items: Sequence[str]) -> Metrics:
    """A model's figures, of all items and by item, with the number of answers that they are of."""
    out: Metrics = {"answers": int(each[..., N].sum()), "people": len(each), "items": {}}
    for name, figure in figures.items():
        mean, sampled, people = figure.over_items
        out |= {name: mean, f"{name}_ci": bounds(sampled, people)}
    for k, item in enumerate(items):
        out["items"][item] = {"answers": int(each[:, k, N].sum())}
        for name, (whole, drawn, known) in figures.items():
            out["items"][item] |= {name: float(whole[k]), f"{name}_ci": bounds(drawn[:, k], int(known[:, k].sum()))}
    return out


def lift_of(lift: Floats, drawn: Floats) -> Metrics:
    """Mean fall of people's errors, as a share of the scale; whom it helps; how it is for the tenth who gain least."""
    known = ~np.isnan(lift)
    helped, people = np.where(known, lift > 0, np.nan), int(known.sum())
    return {
        "mean": float(mean_of_people(lift)),
        "ci": bounds(mean_of_people(lift, drawn), people),
        "improved": float(mean_of_people(helped)),
        "improved_ci": bounds(mean_of_people(helped, drawn), people),
        "worst_decile": worst_decile(lift),
        "worst_decile_ci": bounds(worst_deciles(lift, drawn), people),
    }


def gain_of(mine: Figure, other: Figure) -> Metrics:
    """Gain in an agreement, paired over the same draws."""
    (ours, ours_drawn, people), (theirs, theirs_drawn, _) = mine.over_items, other.over_items
    return {"mean": ours - theirs, "ci": bounds(ours_drawn - theirs_drawn, people)}


def _share(hits: Floats, count: Floats) -> Floats:
    return np.asarray(hits / np.where(count > 0, count, np.nan))
