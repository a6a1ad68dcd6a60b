"""From a cohort to what a cell's network reads: standardised features by modality with their masks, and the clock.

Features are deviations from the person's own past (`models/standardise.py`); nothing is filled before that. The clock
(hour, weekday) is a modality that is always there. Past answers are not among the inputs of paper mode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.cohort import Cohort, Floats
from models.standardise import Standard, standardised

CLOCK = "clock"
CLOCK_WIDTH = 6


@dataclass(frozen=True)
class Signals:
    """Tensors over rows: values and masks (rows, features) by modality, and each row's place of the person."""

    values: dict[str, Tensor]
    masks: dict[str, Tensor]
    person: Tensor

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: Tensor) -> Signals:
        """These rows only."""
        return Signals(
            {m: v[rows] for m, v in self.values.items()}, {m: v[rows] for m, v in self.masks.items()}, self.person[rows]
        )


def signals(cohort: Cohort, standards: dict[str, Standard], known: dict[str, int]) -> Signals:
    """The signals of every row.

    Args:
        cohort: the moments.
        standards: population figures of each modality the network knows.
        known: participants with parameters of their own and their place; others get the place after the last.
    """
    values, masks = {CLOCK: _tensor(clock(cohort))}, {CLOCK: torch.ones(len(cohort), CLOCK_WIDTH, dtype=torch.bool)}
    for name, standard in standards.items():
        z, present = standardised(cohort.modalities[name], standard)
        values[name], masks[name] = _tensor(z), torch.from_numpy(present)
    place = np.array([known.get(p, len(known)) for p in cohort.participants], dtype=np.int64)
    return Signals(values, masks, torch.from_numpy(place[cohort.person]))


def clock(cohort: Cohort) -> Floats:
    """Hour of the day (two harmonics) and weekday as circles, (rows, CLOCK_WIDTH)."""
    hour = 2 * np.pi * cohort.local_hour / 24
    week = 2 * np.pi * ((cohort.day + 3) % 7) / 7  # day 0 of the epoch was a Thursday
    return np.stack([f(k * hour) for k in (1, 2) for f in (np.sin, np.cos)] + [np.sin(week), np.cos(week)], -1)


def _tensor(values: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
