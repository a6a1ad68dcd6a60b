"""A person's own habits: how far answers usually lie from the personal baseline at such an hour, after such answers.

A small regression per person and item, of what the baseline leaves, on the clock and on what was answered last. It is
learned from the person's earlier answers alone, under a prior that expects no habit, and in closed form: sums over the
person's answers, then one small system of equations a row. So known and new people are treated alike, each answer
moves it, and a row takes only the sums after the last row it may see (`history.py`). What is common to people belongs
to the network and the trees, which read what habits say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.cohort import Cohort, Floats, Ints, Mask, filled
from models.history import NONE, SHORT, History
from models.state_space import Forecast

CLOCK, ANSWERS = 6, 5  # numbers read of the clock; of earlier answers, a constant among them
TOLD = 4  # numbers that `Habits.say` of each item
PRIOR = 20.0  # how many answers the belief in no habit weighs
USUAL = 0.125  # of the scale: a swing that counts as one


def related(cohort: Cohort, train: Mask) -> Floats:
    """How much the other items say of each, (items, items): correlations within people, their absolute sum 1 a row.

    An item on its own, or one in which nobody's answers vary, has a row of zeros.
    """
    answers = np.where(train[:, None], cohort.answers, np.nan)
    given = ~np.isnan(answers)
    total, count = np.zeros((2, len(cohort.participants), answers.shape[1]))
    np.add.at(total, cohort.person, np.nan_to_num(answers))
    np.add.at(count, cohort.person, given)
    gone = np.where(given, answers - (total / np.maximum(count, 1))[cohort.person], 0.0)
    size = np.sqrt((gone**2).sum(0))
    out = gone.T @ gone / np.maximum(np.outer(size, size), 1e-12)
    np.fill_diagonal(out, 0.0)
    return np.asarray(out / np.maximum(np.abs(out).sum(1, keepdims=True), 1e-12))


@dataclass(frozen=True)
class Habits:
    """What habits are learned from: each answer's `situation` and what the baseline `left` of it, NaN if not given.

    Shapes: `relation` (items, items), see `related`; `situation` (rows, items, CLOCK + ANSWERS); `left` (rows, items).
    """

    cohort: Cohort
    relation: Floats
    situation: Floats
    left: Floats

    @classmethod
    def of(cls, cohort: Cohort, past: History, ahead: Forecast, relation: Floats) -> Habits:
        """From what was known when each answer was given."""
        situation = _situation(cohort.clock, cohort.span, past, ahead, relation)
        return cls(cohort, relation, situation, cohort.answers - ahead.value)

    def say(self, seen: Ints, rows: Ints, past: History, ahead: Forecast) -> Floats:
        """What some rows may know of their person's habits, (rows, items, TOLD) in scale units.

        How far the answer usually lies from the baseline, by the clock and by earlier answers; how far the items
        related to this one lay from theirs, at the last answer and lately. `past` and `ahead` are of these rows.
        """
        span = self.cohort.span
        now = _situation(self.cohort.clock[rows], span, past, ahead, self.relation)
        moved, others = self._slopes(seen[rows]) * now, USUAL * span[:, None] * now[..., -2:]
        return np.concatenate(
            [moved[..., :CLOCK].sum(-1)[..., None], moved[..., CLOCK:].sum(-1)[..., None], others], -1
        )

    def _slopes(self, last: Ints) -> Floats:
        """The regression after each of some rows, (…, items, CLOCK + ANSWERS); no habits after NONE."""
        given, (rank, _) = ~np.isnan(self.left)[..., None], self.cohort.rank()
        x, y = np.where(given, self.situation, 0.0), np.where(given, self.left[..., None], 0.0)
        out, prior = np.zeros((len(last), *x.shape[1:])), PRIOR * np.eye(x.shape[-1])
        for asked in _by_person(self.cohort, last):
            after, whose = np.unique(last[asked], return_inverse=True)
            first = after[0] - rank[after[0]]
            own = slice(first, after[-1] + 1)
            squares, products = _sums(x[own], y[own], after - first)
            out[asked] = np.linalg.solve(squares + prior, products)[whose, ..., 0]
        return out


def _sums(x: Floats, y: Floats, until: Ints) -> tuple[Floats, Floats]:
    """Sums of squares and of products with `y` of a person's rows up to and with each of `until`, (…, items, …, …)."""
    if len(until) == 1:
        each = x.transpose(1, 2, 0)
        return (each @ x.transpose(1, 0, 2))[None], (each @ y.transpose(1, 0, 2))[None]
    squares, products = np.cumsum(x[:, :, :, None] * x[:, :, None, :], axis=0), np.cumsum(x * y, axis=0)
    return squares[until], products[until][..., None]


def _by_person(cohort: Cohort, last: Ints) -> list[Ints]:
    """Who of those that see rows `last` (not NONE) are the same person."""
    told = np.flatnonzero(last != NONE)
    told = told[np.argsort(last[told], kind="stable")]  # people's rows lie side by side
    starts = np.flatnonzero(np.diff(cohort.person[last[told]])) + 1
    return np.split(told, starts) if len(told) else []


def _situation(clock: Floats, span: Floats, past: History, ahead: Forecast, relation: Floats) -> Floats:
    """What a habit may hang on: the clock, a constant, this item's and related items' last and latest answers."""
    own = filled((np.stack([past.last[..., 0], past.ewma[..., SHORT]]) - ahead.value) / (USUAL * span))
    others = (own[:, :, None, :] * relation).sum(-1)  # the last digits of a matrix product depend on who else is there
    out = np.empty((*ahead.value.shape, CLOCK + ANSWERS))
    out[..., :CLOCK], out[..., CLOCK] = clock[:, None], 1.0
    out[..., CLOCK + 1 :] = np.moveaxis(np.concatenate([own, others]), 0, -1)
    return out
