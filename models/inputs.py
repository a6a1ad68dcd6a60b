"""From a cohort to what the network reads: history tokens, modality tokens and context, row by row.

One history token per item holds what the person's earlier answers say of it, relative to the baseline's expectation;
one token per modality holds its standardised features with a mask; one context token holds the clock. All scale units
are divided by the item's span. A row's inputs depend on that row and the answers it sees, never on other rows asked
at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from models.cohort import Cohort, Floats, Ints, Mask
from models.habits import TOLD, Habits
from models.history import HOUR_US, RATES, SHORT, After, History, history, seen_online, select, told
from models.standardise import Standard, standardised
from models.state_space import PARTS, Filtered, Forecast, Population, filtered, forecast

HABIT = slice(2 + PARTS, 4 + PARTS)  # of a history token: by the clock, by earlier answers
RECENT = 2 + PARTS + TOLD + SHORT  # of a history token: the weighted mean of recent answers
HISTORY_WIDTH = 2 + PARTS + TOLD + len(RATES) + 5 + 12
CONTEXT_WIDTH = 8


@dataclass(frozen=True)
class Inputs:
    """Tensors over rows; `baseline` (rows, items) in units of the span above the scale's low end."""

    baseline: Tensor
    history: Tensor
    context: Tensor
    person: Tensor
    values: dict[str, Tensor]
    masks: dict[str, Tensor]

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: Tensor) -> Inputs:
        """These rows only."""
        return Inputs(
            self.baseline[rows],
            self.history[rows],
            self.context[rows],
            self.person[rows],
            {m: v[rows] for m, v in self.values.items()},
            {m: v[rows] for m, v in self.masks.items()},
        )

    @cached_property
    def measured(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Of each modality its values and mask side by side (rows, 2 · features), and whether any is there (rows,)."""
        return {
            name: (torch.cat([values, self.masks[name].to(values.dtype)], 1), self.masks[name].any(1))
            for name, values in self.values.items()
        }

    @property
    def answered(self) -> Mask:
        """Rows that see an earlier answer of their person, (rows,)."""
        return np.asarray((self.context[:, -1] > 0).numpy())

    @property
    def habit(self) -> Floats:
        """How far answers usually lie from the baseline by the person's habits, (rows, items) in units of the span."""
        return np.asarray(self.history[..., HABIT].double().sum(-1).numpy())

    @property
    def recent(self) -> Floats:
        """Weighted mean of recent answers, the baseline before the first, (rows, items) in units of the span."""
        return np.asarray((self.baseline + self.history[..., RECENT]).double().numpy())

    def without(self, modality: str) -> Inputs:
        """The same rows as if a modality had not been measured."""
        nothing = {modality: torch.zeros_like(self.values[modality])}
        absent = {modality: torch.zeros_like(self.masks[modality])}
        return replace(self, values=self.values | nothing, masks=self.masks | absent)


def stacked(parts: Sequence[Inputs]) -> Inputs:
    """Rows of several inputs below each other."""
    return Inputs(
        torch.cat([p.baseline for p in parts]),
        torch.cat([p.history for p in parts]),
        torch.cat([p.context for p in parts]),
        torch.cat([p.person for p in parts]),
        {m: torch.cat([p.values[m] for p in parts]) for m in parts[0].values},
        {m: torch.cat([p.masks[m] for p in parts]) for m in parts[0].masks},
    )


def mixed(rows: Tensor, one: Inputs, other: Inputs, of_other: Tensor) -> Inputs:
    """Rows of two views of the same moments: of `other` where `of_other` (batch,), else of `one`."""
    a, b = one.take(rows), other.take(rows)

    def pick(x: Tensor, y: Tensor) -> Tensor:
        return torch.where(of_other.view(-1, *[1] * (x.dim() - 1)), y, x)

    return Inputs(
        pick(a.baseline, b.baseline),
        pick(a.history, b.history),
        pick(a.context, b.context),
        a.person,
        {m: pick(v, b.values[m]) for m, v in a.values.items()},
        {m: pick(v, b.masks[m]) for m, v in a.masks.items()},
    )


@dataclass(frozen=True)
class Past:
    """What all answers of a cohort say after each row: computed once, then looked at as each row may see it."""

    cohort: Cohort
    population: Population
    told: After
    filtered: Filtered
    habits: Habits

    @classmethod
    def of(cls, cohort: Cohort, population: Population, relation: Floats) -> Past:
        """Run every recursion over a cohort; `relation` tells how much items say of each other (`habits.related`)."""
        after, state, seen = told(cohort), filtered(population, cohort), seen_online(cohort)
        ahead = forecast(population, cohort, seen, state)
        habits = Habits.of(cohort, history(cohort, seen, after), ahead, relation)
        return cls(cohort, population, after, state, habits)

    def history(self, seen: Ints, rows: Ints | None = None) -> History:
        """What each row knows of earlier answers; of some rows or of all."""
        return history(*self._of(seen, rows), self.told)

    def forecast(self, seen: Ints, rows: Ints | None = None) -> Forecast:
        """What the personal baseline expects of each row; of some rows or of all."""
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
        values[name], masks[name] = _tensor(z), torch.from_numpy(present)
    return Inputs(
        baseline=_tensor((ahead.value - cohort.low) / cohort.span),
        history=_tensor(_history_tokens(cohort, before, ahead, past.habits.say(seen, rows, before, ahead))),
        context=_tensor(_context(cohort, select(past.cohort.time_us.astype(float), seen[rows]), before)),
        person=torch.from_numpy(place[rows]),
        values=values,
        masks=masks,
    )


def _history_tokens(cohort: Cohort, past: History, ahead: Forecast, habits: Floats) -> Floats:
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
    return np.asarray(np.nan_to_num(parts))


def _context(cohort: Cohort, last_us: Floats, past: History) -> Floats:
    gap = (cohort.time_us - last_us) / HOUR_US
    fresh = np.exp(-np.nan_to_num(gap, nan=np.inf) / 12)
    return np.column_stack([cohort.clock, fresh, np.log1p(past.count.max(1)) / 3])


def _tensor(values: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
