"""What a person's earlier answers say at a moment: counts, means, weighted means, the last answers with their ages.

Every quantity is a recursion over a person's answers, run for all people side by side, whose value *after* each row
is kept. A row then takes the value after the last row it may see (`seen`). Who may see what is decided by `seen`
alone: the row before (online), the last row of an earlier local day (nightly), or a prefix (a frozen test stretch, a
new person with k answers); so no recursion can leak. Fitting and predicting do not belong here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from models.cohort import Cohort, Floats, Ints, Mask, filled

After = dict[str, Floats]

HOUR_US = 3_600_000_000
RATES = (0.05, 0.1, 0.2, 0.35, 0.6)
SHORT = RATES.index(0.2)  # the weighted mean that stands for recent answers
LAST = 6
NONE = -1  # a row that sees no earlier row
LIKE = 4  # times as many rows: more are not laid side by side


def seen_online(cohort: Cohort) -> Ints:
    """For each row, the person's row just before it; NONE for the first. Shape (rows,)."""
    rank, _ = cohort.rank()
    return np.where(rank > 0, np.arange(len(cohort)) - 1, NONE)


def seen_nightly(cohort: Cohort) -> Ints:
    """For each row, the person's last row before all of that local day or later; NONE where there is none. (rows,).

    A local day can go back when a person travels: what was answered from its first beginning on stays hidden.
    """
    rank, _ = cohort.rank()
    rows = np.arange(len(cohort))
    day = cohort.person * (np.ptp(cohort.day) + 1 if len(rows) else 1) + cohort.day
    begins = np.searchsorted(np.maximum.accumulate(day), day)  # people lie in order, so the latest days do
    return np.where(begins > rows - rank, begins - 1, NONE)


def seen_as_newcomer(cohort: Cohort, seed: int) -> Ints:
    """For each row, where the person's first k answers end, as if later ones were not in yet; NONE for k = 0.

    k is drawn for each row between 0 and the answers before it, evenly on a logarithmic scale. Shape (rows,).
    """
    answered, before = np.flatnonzero(cohort.labelled), cohort.answered_before()
    if len(answered) == 0:
        return np.full(len(cohort), NONE)
    count = np.floor((before + 2) ** np.random.default_rng(seed).random(len(cohort))).astype(np.int64) - 1
    others = np.r_[0, np.cumsum(cohort.labelled)][:-1] - before  # answered rows of people before this one
    return np.where(count > 0, answered[np.maximum(others + count - 1, 0)], NONE)


def seen_before(cohort: Cohort, visible: Mask, seen: Ints) -> Ints:
    """`seen` cut back to the person's rows that are `visible`, which must be a prefix of each person's rows."""
    last = cohort.largest(np.arange(len(cohort)), visible, NONE)
    return np.asarray(np.minimum(seen, last[cohort.person]))


@dataclass(frozen=True)
class Grid:
    """Rows laid out as (places, people), so that one loop over places serves all people who have rows."""

    person: Ints
    place: Ints
    people: int
    longest: int

    @classmethod
    def of(cls, cohort: Cohort) -> Grid:
        """The layout of a cohort."""
        rank, _ = cohort.rank()
        person = np.cumsum(rank == 0) - 1
        return cls(person, rank, int(person.max(initial=-1)) + 1, int(rank.max(initial=-1)) + 1)

    def spread(self, values: Floats) -> Floats:
        """(rows, …) as (places, people, …), NaN where a person has no such row."""
        out = np.full((self.longest, self.people, *values.shape[1:]), np.nan)
        out[self.place, self.person] = values
        return out

    def gather(self, laid: NDArray[np.float64]) -> Floats:
        """(places, people, …) back as (rows, …)."""
        return np.asarray(laid[self.place, self.person])


def by_length(cohort: Cohort, after: Callable[[Cohort, Ints | slice], After]) -> After:
    """Numbers after each row of `after(part, rows)`, worked out for people of like length together.

    Laid side by side, somebody who answered for years would pad all others to that length. A part holds answers alone;
    `rows` tells where in the cohort it lies.
    """
    _, count = cohort.rank()
    if not len(cohort) or count.max() <= LIKE * count.min():
        return after(cohort, slice(None))
    answers, left, out = replace(cohort, modalities={}), count, dict[str, Floats]()
    while left.any():
        longest = int(left.max())
        rows = np.flatnonzero(left * LIKE > longest)
        for name, values in after(answers.take(rows), rows).items():
            out.setdefault(name, np.empty((len(cohort), *values.shape[1:])))[rows] = values
        left = np.where(left * LIKE > longest, 0, left)
    return out


@dataclass(frozen=True)
class History:
    """Earlier answers, per row and item; NaN where there are none yet.

    Shapes: `count`, `mean`, `deviation` (mean absolute change from the running mean), `at_low`, `at_high` (shares of
    answers at the ends of the scale) (rows, items); `ewma` (rows, items, rates); `last`, `age_h` (rows, items, LAST),
    the latest first, ages in hours before the row.
    """

    count: Floats
    mean: Floats
    deviation: Floats
    at_low: Floats
    at_high: Floats
    ewma: Floats
    last: Floats
    age_h: Floats

    def take(self, rows: Ints) -> History:
        """These rows only."""
        return History(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def select(after: Floats, seen: Ints, empty: float = np.nan) -> Floats:
    """Each row's value after the last row it sees; `empty` where it sees none."""
    chosen = after[np.maximum(seen, 0)] if len(after) else after
    return np.asarray(np.where((seen == NONE).reshape(-1, *[1] * (after.ndim - 1)), empty, chosen))


def ewma_after(cohort: Cohort, rates: tuple[float, ...]) -> Floats:
    """Exponentially weighted means after each row, seeded by the first answer. Shape (rows, items, rates)."""
    grid = Grid.of(cohort)
    answers = grid.spread(cohort.answers)[..., None]
    given = ~np.isnan(answers)
    count = np.cumsum(given, axis=0)
    rate = np.where(given, np.where(count == 1, 1.0, np.array(rates)), 0.0)
    out, state = np.empty(rate.shape), np.zeros(rate.shape[1:])
    for after, share, now in zip(out, rate, np.where(given, answers, 0.0), strict=True):
        np.multiply(share, now - state, out=after)
        state = np.add(after, state, out=after)
    return grid.gather(np.where(count == 0, np.nan, out))


def told(cohort: Cohort) -> After:
    """Every recursion after each row, whoever may see it; `history` looks at it."""
    return by_length(cohort, lambda part, _: {**_sums_after(part), "ewma": ewma_after(part, RATES)}) | _last_after(
        cohort
    )


def history(cohort: Cohort, seen: Ints | None = None, after: After | None = None) -> History:
    """Everything a row may know of earlier answers.

    Args:
        cohort: the moments.
        seen: (rows,) the last row each row may see; by default the row just before.
        after: `told(cohort)`, where it is at hand.
    """
    seen = seen_online(cohort) if seen is None else seen
    after = told(cohort) if after is None else after
    chosen = {f.name: select(after[f.name], seen) for f in fields(History) if f.name in after}
    chosen["count"] = filled(chosen["count"])
    then = select(after["time"], seen)
    chosen["age_h"] = (cohort.time_us[:, None, None] - then) / HOUR_US
    return History(**chosen)


def _sums_after(cohort: Cohort) -> dict[str, Floats]:
    grid = Grid.of(cohort)
    answered = ~np.isnan(cohort.answers)
    answers = filled(cohort.answers)
    low, high = cohort.low, cohort.low + cohort.span
    edge = 0.02 * cohort.span  # sliders rarely land on the very end
    parts = np.stack([answered, answers, answered & (answers <= low + edge), answered & (answers >= high - edge)], -1)
    total = grid.gather(np.cumsum(filled(grid.spread(parts.astype(float))), axis=0))
    count = total[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, at_low, at_high = (total[..., k] / count for k in (1, 2, 3))
        before = select(mean, seen_online(cohort))
        gone = np.where(answered & ~np.isnan(before), np.abs(cohort.answers - before), 0.0)
        deviation = grid.gather(np.cumsum(filled(grid.spread(gone)), axis=0)) / (count - 1)
    deviation[count < 2] = np.nan
    return {"count": count, "mean": mean, "deviation": deviation, "at_low": at_low, "at_high": at_high}


def _last_after(cohort: Cohort) -> dict[str, Floats]:
    """The LAST latest answers after each row and their times (µs), the latest first."""
    rank, _ = cohort.rank()
    given = ~np.isnan(cohort.answers)
    count = np.cumsum(given, axis=0)
    place = count[..., None] - 1 - np.arange(LAST)
    known = place >= (count - given)[np.arange(len(cohort)) - rank][..., None]  # answers of people before this one
    answered = np.argsort(~given, axis=0, kind="stable")  # rows with an answer, in order, then the others
    items = np.arange(given.shape[1])[:, None]
    which = answered[np.maximum(place, 0), items]
    values = {"last": cohort.answers[which, items], "time": cohort.time_us[which]}
    return {name: np.where(known, value, np.nan) for name, value in values.items()}
