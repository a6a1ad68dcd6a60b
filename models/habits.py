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

from models.cohort import Cohort, Floats, Ints, Mask
from models.history import NONE, RATES, Grid, History
from models.state_space import Forecast

CLOCK, ANSWERS = 6, 5  # numbers read of the clock; of earlier answers, a constant among them
TOLD = 4  # numbers that `Habits.say` of each item
PRIOR = 20.0  # how many answers the belief in no habit weighs
USUAL = 0.125  # of the scale: a swing that counts as one
NEAR = RATES.index(0.2)
CELLS = 4_000_000  # of the sums held at once: bounds memory


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
        return cls(cohort, relation, _situation(cohort, past, ahead, relation), cohort.answers - ahead.value)

    def say(self, seen: Ints, past: History, ahead: Forecast) -> Floats:
        """What each row may know of its person's habits, (rows, items, TOLD) in scale units.

        How far the answer usually lies from the baseline, by the clock and by earlier answers; how far the items
        related to this one lay from theirs, at the last answer and lately.
        """
        now, slopes = _situation(self.cohort, past, ahead, self.relation), self._slopes(seen)
        moved = slopes * now
        others = USUAL * self.cohort.span[:, None] * now[..., -2:]
        return np.concatenate(
            [moved[..., :CLOCK].sum(-1)[..., None], moved[..., CLOCK:].sum(-1)[..., None], others], -1
        )

    def _slopes(self, seen: Ints) -> Floats:
        """The regression after the row that each row sees, (rows, items, CLOCK + ANSWERS); people some at a time."""
        out, numbers = np.zeros_like(self.situation), self.situation.shape[-1]
        people = len(self.cohort.participants)
        first = np.searchsorted(self.cohort.person, np.arange(people + 1))
        longest = max(1, int(np.diff(first).max(initial=0)))
        step = max(1, CELLS // (longest * self.left.shape[1] * numbers**2))
        for start in range(0, people, step):
            rows = slice(first[start], first[min(start + step, people)])
            grid = Grid.of(self.cohort.take(np.arange(rows.start, rows.stop)))
            given = ~np.isnan(self.left[rows])
            x = np.nan_to_num(grid.spread(np.where(given[..., None], self.situation[rows], 0.0)))
            y = np.nan_to_num(grid.spread(self.left[rows]))
            squares = grid.gather(np.cumsum(x[..., :, None] * x[..., None, :], axis=0))
            products = grid.gather(np.cumsum(x * y[..., None], axis=0))
            told = np.flatnonzero(seen[rows] != NONE)
            after = seen[rows][told] - rows.start
            solved = np.linalg.solve(squares[after] + PRIOR * np.eye(numbers), products[after][..., None])
            out[rows.start + told] = solved[..., 0]
        return out


def _situation(cohort: Cohort, past: History, ahead: Forecast, relation: Floats) -> Floats:
    """What a habit may hang on: the clock, a constant, this item's and related items' last and latest answers."""
    hour, week = 2 * np.pi * cohort.local_hour / 24, 2 * np.pi * ((cohort.day + 3) % 7) / 7
    clock = [wave(angle) for angle in (hour, 2 * hour, week) for wave in (np.sin, np.cos)]
    own = np.nan_to_num((np.stack([past.last[..., 0], past.ewma[..., NEAR]]) - ahead.value) / (USUAL * cohort.span))
    others = (own[:, :, None, :] * relation).sum(-1)  # the last digits of a matrix product depend on who else is there
    shared = [np.broadcast_to(wave[:, None], ahead.value.shape) for wave in clock]
    return np.stack([*shared, np.ones_like(ahead.value), *own, *others], -1)
