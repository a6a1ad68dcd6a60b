"""The gate: whether a challenger replaces the champion, decided on paired evidence. Pure: figures in, decision out.

Both are judged on the same answers, which neither had in training: those of the challenger's P2 test part that came
after the champion was trained (`docs/decisions/0002-gate.md`). Errors are shares of each item's scale, averaged per
person first, so that whoever answers most does not decide for all. Who is predicted how belongs to the models, what
follows from a decision to `assets/learning/`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from models.bootstrap import FEWEST_PEOPLE, bounds, draws
from models.cohort import Floats, Ints, Mask
from models.frame import Estimates
from models.metrics import mean_of_people, worst_decile

SAME = 1e-9  # errors closer than this, in shares of the scale, are one and the same model's


class Thresholds(Protocol):
    """What a challenger owes: `[gate]` of `study.toml`."""

    @property
    def min_answers(self) -> int:
        """Fewest paired answers to judge by."""

    @property
    def min_people(self) -> int:
        """Fewest people they come from."""

    @property
    def coverage(self) -> float:
        """What the intervals promise."""

    @property
    def coverage_tolerance(self) -> float:
        """How far below that the intervals may cover."""

    @property
    def worst_decile_harm(self) -> float:
        """How much worse, in shares of the scale, the worst tenth of people may fare on average."""


@dataclass(frozen=True)
class Evidence:
    """The answers both are judged by, and the scale they are given on.

    Shapes: `answers` (rows, items) in scale units, NaN where missing; `person` (rows,); `span` (items,).
    """

    answers: Floats
    person: Ints
    span: Floats

    def take(self, rows: Mask) -> Evidence:
        """These rows only."""
        return Evidence(self.answers[rows], self.person[rows], self.span)


@dataclass(frozen=True)
class Decision:
    """Whether to promote, why in one sentence, and the figures it rests on."""

    promote: bool
    reason: str
    figures: dict[str, float] = field(default_factory=dict)


def decide(
    evidence: Evidence, challenger: Estimates, other: Estimates, gate: Thresholds, *, first: bool = False, seed: int = 0
) -> Decision:
    """Compare a challenger with the champion, or with the personal baseline where there is no champion yet.

    Args:
        evidence: the answers that neither had in training.
        challenger: its predictions of them, each (rows, items) in scale units.
        other: the champion's of the same rows; the personal baseline's for a `first` champion.
        gate: what is owed.
        first: there is no champion: it is enough not to be shown worse than the personal baseline.
        seed: of the bootstrap over people.

    Returns:
        The decision. Lift is the other's mean absolute error minus the challenger's, averaged over people, in shares
        of the scale; its interval is a paired bootstrap over people.
    """
    lift, answers = _lift(evidence, challenger, other)
    figures = {"people": float(len(lift)), "answers": float(answers)}
    if len(lift):
        low, high = bounds(mean_of_people(lift, draws(len(lift), seed=seed)), len(lift))
        if len(lift) < FEWEST_PEOPLE:  # of one person, where a study is content with that, the lift itself decides
            low = high = float(lift.mean())
        figures |= {"lift": float(lift.mean()), "lift_low": low, "lift_high": high}
        figures |= {"worst_decile": worst_decile(lift), "improved": float((lift > 0).mean())}
        figures["coverage"] = _coverage(evidence, challenger)
    return _judged_first(figures) if first else _judged(figures, gate)


def _judged_first(figures: dict[str, float]) -> Decision:
    if not figures["people"]:
        return Decision(True, "first champion: no answers yet to judge it by", figures)
    interval = _interval(figures)
    if figures["lift_high"] < -SAME:
        return Decision(False, f"worse than the personal baseline: {interval}", figures)
    if abs(figures["lift"]) <= SAME:
        return Decision(True, "first champion: it is the personal baseline itself", figures)
    return Decision(True, f"first champion: not worse than the personal baseline: {interval}", figures)


def _judged(figures: dict[str, float], gate: Thresholds) -> Decision:
    people, answers = int(figures["people"]), int(figures["answers"])
    if answers < gate.min_answers or people < gate.min_people:
        reason = (
            f"too little new evidence: {answers} answers of {people} people since the champion was trained, "
            f"where {gate.min_answers} of {gate.min_people} are needed"
        )
        return Decision(False, reason, figures)
    if figures["coverage"] < gate.coverage - gate.coverage_tolerance:
        reason = f"its intervals hold {figures['coverage']:.0%} of answers where {gate.coverage:.0%} are promised"
        return Decision(False, reason, figures)
    if figures["worst_decile"] < -gate.worst_decile_harm:
        harm = f"{-figures['worst_decile']:.2%}"
        return Decision(False, f"it harms the worst tenth of people by {harm} of the scale", figures)
    interval = _interval(figures)
    if figures["lift_low"] <= 0:
        return Decision(False, f"no lift to be sure of: {interval}", figures)
    return Decision(True, f"lift over the champion: {interval}", figures)


def _interval(figures: dict[str, float]) -> str:
    return (
        f"{figures['lift']:+.2%} of the scale, 95 % interval {figures['lift_low']:+.2%} to {figures['lift_high']:+.2%}"
    )


def _lift(evidence: Evidence, challenger: Estimates, other: Estimates) -> tuple[Floats, int]:
    """Per person with any answer: other's mean absolute error − challenger's, in shares of the scale; answers used."""
    errors = [np.abs(e.value - evidence.answers) / evidence.span for e in (other, challenger)]
    gain = errors[0] - errors[1]
    there = ~np.isnan(gain)
    people = int(evidence.person.max()) + 1 if len(evidence.person) else 0
    count = np.bincount(evidence.person, there.sum(1), people)
    total = np.bincount(evidence.person, np.where(there, gain, 0.0).sum(1), people)
    return total[count > 0] / count[count > 0], int(there.any(axis=1).sum())


def _coverage(evidence: Evidence, challenger: Estimates) -> float:
    there = ~np.isnan(evidence.answers)
    inside = (challenger.low <= evidence.answers) & (evidence.answers <= challenger.high)
    return float(inside[there].mean())
