"""From a cohort to what the network reads: history tokens, modality tokens and context, row by row.

One history token per item holds what the person's earlier answers say of it, relative to the baseline's expectation;
one token per modality holds its standardised features with a mask; one context token holds the clock. All scale units
are divided by the item's span. A row's inputs depend on that row and the answers it sees, never on other rows asked
at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from models.cohort import Cohort, Floats, Ints, Mask, Singles, filled
from models.habits import TOLD, Habits
from models.history import RATES, SHORT, After, History, history, seen_online, told
from models.standardise import Standard, standardised
from models.state_space import PARTS, Filtered, Forecast, Population, filtered, forecast

HABIT = slice(2 + PARTS, 4 + PARTS)  # of a history token: by the clock, by earlier answers
RECENT = 2 + PARTS + TOLD + SHORT  # of a history token: the weighted mean of recent answers
HISTORY_WIDTH = 2 + PARTS + TOLD + len(RATES) + 5 + 12
CONTEXT_WIDTH = 8


class Rows:
    """What rows of inputs are, as arrays (`Inputs`) and as tensors (`models/batch.py`)."""

    baseline: Any
    history: Any
    context: Any
    person: Any
    values: Any
    masks: Any

    def __len__(self) -> int:
        return len(self.person)

    def each(self, change: Callable[[Any], Any]) -> tuple[Any, ...]:
        """Every part after a change that is made to all alike, in the order of the fields."""
        single = (change(part) for part in (self.baseline, self.history, self.context, self.person))
        return (*single, *({m: change(v) for m, v in parts.items()} for parts in (self.values, self.masks)))

    def take(self, rows: Any) -> Self:
        """These rows only."""
        return type(self)(*self.each(lambda part: part[rows]))


@dataclass(frozen=True)
class Inputs(Rows):
    """Numbers over rows, in single precision; `baseline` in units of the span above the scale's low end.

    Shapes: `baseline` (rows, items), `history` (rows, items, HISTORY_WIDTH), `context` (rows, CONTEXT_WIDTH), `person`
    (rows,), the place of their parameters; of each modality `values` and `masks` (rows, features).
    """

    baseline: Singles
    history: Singles
    context: Singles
    person: Ints
    values: dict[str, Singles]
    masks: dict[str, Mask]

    @property
    def answered(self) -> Mask:
        """Rows that see an earlier answer of their person, (rows,)."""
        return np.asarray(self.context[:, -1] > 0)

    @property
    def habit(self) -> Floats:
        """How far answers usually lie from the baseline by the person's habits, (rows, items) in units of the span."""
        return np.asarray(self.history[..., HABIT].astype(np.float64).sum(-1))

    @property
    def recent(self) -> Floats:
        """Weighted mean of recent answers, the baseline before the first, (rows, items) in units of the span."""
        return (self.baseline + self.history[..., RECENT]).astype(np.float64)

    def without(self, modality: str) -> Inputs:
        """The same rows as if a modality had not been measured."""
        nothing = {modality: np.zeros_like(self.values[modality])}
        absent = {modality: np.zeros_like(self.masks[modality])}
        return replace(self, values=self.values | nothing, masks=self.masks | absent)

    def of_strangers(self, people: int) -> Inputs:
        """The same rows as if none of the `people` were known."""
        return replace(self, person=np.full_like(self.person, people))


def stacked(parts: Sequence[Inputs]) -> Inputs:
    """Rows of several inputs below each other."""
    return Inputs(
        np.concatenate([p.baseline for p in parts]),
        np.concatenate([p.history for p in parts]),
        np.concatenate([p.context for p in parts]),
        np.concatenate([p.person for p in parts]),
        {m: np.concatenate([p.values[m] for p in parts]) for m in parts[0].values},
        {m: np.concatenate([p.masks[m] for p in parts]) for m in parts[0].masks},
    )


@dataclass(frozen=True)
class Past:
    """What all answers of a cohort say after each row: computed once, then looked at as each row may see it."""

    cohort: Cohort
    population: Population
    told: After
    filtered: Filtered
    online: Ints
    before: History
    ahead: Forecast
    habits: Habits

    @classmethod
    def of(cls, cohort: Cohort, population: Population, relation: Floats) -> Past:
        """Run every recursion over a cohort; `relation` tells how much items say of each other (`habits.related`)."""
        after, state, seen = told(cohort), filtered(population, cohort), seen_online(cohort)
        ahead = forecast(population, cohort, seen, state)
        before = history(cohort, seen, after)
        habits = Habits.of(cohort, before, ahead, relation)
        return cls(cohort, population, after, state, seen, before, ahead, habits)

    def history(self, seen: Ints, rows: Ints | None = None) -> History:
        """What each row knows of earlier answers; of some rows or of all."""
        if np.array_equal(seen, self.online):
            return self.before if rows is None else self.before.take(rows)
        return history(*self._of(seen, rows), self.told)

    def forecast(self, seen: Ints, rows: Ints | None = None) -> Forecast:
        """What the personal baseline expects of each row; of some rows or of all."""
        if np.array_equal(seen, self.online):
            return self.ahead if rows is None else self.ahead.take(rows)
        return forecast(self.population, *self._of(seen, rows), self.filtered)

    def _of(self, seen: Ints, rows: Ints | None) -> tuple[Cohort, Ints]:
        return (self.cohort, seen) if rows is None else (self.cohort.take(rows), seen[rows])


def build(past: Past, seen: Ints, standards: dict[str, Standard], place: Ints, rows: Ints | None = None) -> Inputs:
    """Build the inputs of some rows, all by default.

    Args:
        past: the moments and what their answers say.
        seen: (rows of the cohort,) the last row whose answers each row sees.
        standards: population figures of each modality the network knows.
        place: (rows of the cohort,) where the parameters of each row's person lie.
        rows: which rows to build.
    """
    rows = np.arange(len(past.cohort)) if rows is None else rows
    cohort, before, ahead = past.cohort.take(rows), past.history(seen, rows), past.forecast(seen, rows)
    values, masks = {}, {}
    for name, standard in standards.items():
        z, present = standardised(cohort.modalities[name], standard)
        values[name], masks[name] = z.astype(np.float32), present
    return Inputs(
        baseline=((ahead.value - cohort.low) / cohort.span).astype(np.float32),
        history=_history_tokens(cohort, before, ahead, past.habits.say(seen, rows, before, ahead)),
        context=_context(cohort, before),
        person=place[rows],
        values=values,
        masks=masks,
    )


def _history_tokens(cohort: Cohort, past: History, ahead: Forecast, habits: Floats) -> Singles:
    span = cohort.span[:, None]
    base = ahead.value[..., None]
    relative = np.concatenate([past.ewma - base, past.mean[..., None] - base, past.last - base], -1) / span
    freshness = np.exp(-past.age_h / 24)  # 0 where there is no such answer, so a missing one is told from an equal one
    parts = np.concatenate(
        [
            (base - cohort.low[:, None]) / span - 0.5,
            ahead.sd[..., None] / span,
            ahead.parts / span,
            habits / span,
            relative,
            past.deviation[..., None] / span,
            np.stack([past.at_low, past.at_high, np.log1p(past.count) / 3], -1),
            freshness,
        ],
        -1,
    )
    return np.asarray(filled(parts), dtype=np.float32)


def _context(cohort: Cohort, past: History) -> Singles:
    """The clock, how fresh the last answer is, how many there are; `past` is of the cohort's rows."""
    fresh = np.exp(-filled(np.fmin.reduce(past.age_h[..., 0], axis=1), np.inf) / 12)
    return np.column_stack([cohort.clock, fresh, np.log1p(past.count.max(1)) / 3]).astype(np.float32)
