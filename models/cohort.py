"""The cohort: what every model, baseline and protocol works on.

Rows are moments, sorted by person and time. A row's own columns were all known at its time (the body before it,
the voice clip that belongs to it); the past answers of a row are the earlier rows of the same person. Missing
values are NaN, never zero. The same structure is made from the lake's moments (`models/tables.py`) and
from the frame that the registered model is called with (`models/frame.py`), so both give the same numbers.

Column names of a frame (`<m>` a modality, `<f>` a feature, `<item>` an item of the study):

| column | meaning |
|---|---|
| `participant`, `time_us` | study code; UTC µs of the answer or of the time asked about |
| `day` | the participant's local day |
| `local_hour` | wall-clock hour of the day, 0–24 |
| `y_<item>` | the answer in scale units; null where not answered |
| `<m>.<f>` | the feature in the look-back |
| `<m>.<f>.past_mean`, `<m>.<f>.past_sd` | the person's own mean and SD of it over earlier moments |
| `<m>.past_n` | how many earlier moments of the person had this modality |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.errors import CohortError

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

MOST = 10**9  # moments of one person


@dataclass(frozen=True)
class Item:
    """One self-report item and the ends of its scale."""

    name: str
    low: float
    high: float


@dataclass(frozen=True)
class Modality:
    """One modality's features over all moments: (rows, features), NaN where missing."""

    names: tuple[str, ...]
    values: Floats
    past_mean: Floats
    past_sd: Floats
    past_n: Ints

    def take(self, rows: Ints) -> Modality:
        """These rows only."""
        return Modality(self.names, self.values[rows], self.past_mean[rows], self.past_sd[rows], self.past_n[rows])

    def masked(self, rows: Mask) -> Modality:
        """The same with the modality missing on some rows; what the person's past said of it stays."""
        return replace(self, values=np.where(rows[:, None], np.nan, self.values))


@dataclass(frozen=True)
class Cohort:
    """Moments of many people, sorted by person and time.

    Shapes: `person`, `time_us`, `day`, `local_hour` (rows,); `answers` (rows, items) in scale units.
    `person[i]` indexes `participants`. `lookback_h` is how far the longest window of a row reaches back.
    """

    items: tuple[Item, ...]
    participants: tuple[str, ...]
    person: Ints
    time_us: Ints
    day: Ints
    local_hour: Floats
    answers: Floats
    modalities: Mapping[str, Modality]
    lookback_h: float = 0.0

    def __len__(self) -> int:
        return len(self.person)

    @cached_property
    def low(self) -> Floats:
        """Lower ends of the scales, (items,)."""
        return np.array([i.low for i in self.items])

    @cached_property
    def span(self) -> Floats:
        """Lengths of the scales, (items,)."""
        return np.array([i.high - i.low for i in self.items])

    @cached_property
    def clock(self) -> Floats:
        """Hour, half day and day of the week as waves, (rows, 6)."""
        hour = 2 * np.pi * self.local_hour / 24
        week = 2 * np.pi * ((self.day + 3) % 7) / 7  # day 0 of the epoch was a Thursday
        return np.stack([wave(angle) for angle in (hour, 2 * hour, week) for wave in (np.sin, np.cos)], -1)

    @property
    def labelled(self) -> Mask:
        """Rows with at least one answer."""
        return np.asarray(~np.isnan(self.answers).all(axis=1))

    def take(self, rows: Ints | Mask) -> Cohort:
        """These rows only, in their order; the list of participants stays whole."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else np.asarray(rows, dtype=np.int64)
        return replace(
            self,
            person=self.person[index],
            time_us=self.time_us[index],
            day=self.day[index],
            local_hour=self.local_hour[index],
            answers=self.answers[index],
            modalities={name: m.take(index) for name, m in self.modalities.items()},
        )

    def largest(self, values: Ints, rows: Mask, none: int) -> Ints:
        """Each person's largest value (rows,) among some rows, (people,); `none` for people without such a row."""
        out = np.full(len(self.participants), none)
        np.maximum.at(out, self.person[rows], values[rows])
        return out

    def check(self, items: tuple[Item, ...], features: Mapping[str, tuple[str, ...]]) -> None:
        """Refuse a model's work on a cohort whose items, or features by modality, are not the model's.

        Raises:
            CohortError: they are not.
        """
        if self.items != items:
            message = (
                f"the model knows the items {', '.join(i.name for i in items)} with their scales; "
                f"the cohort has others: {', '.join(i.name for i in self.items)}"
            )
            raise CohortError(message)
        for name, names in features.items():
            if name not in self.modalities or self.modalities[name].names != names:
                message = f"the model was fitted with {len(names)} features of {name}; build the cohort with the same"
                raise CohortError(message)

    def answered_before(self) -> Ints:
        """How many answered rows of the person come before each row, (rows,)."""
        running = np.r_[0, np.cumsum(self.labelled)]
        here = np.arange(len(self))
        return np.asarray(running[here] - running[here - self.rank()[0]])

    def rank(self) -> tuple[Ints, Ints]:
        """Each row's place among its person's rows (from 0), and how many rows that person has.

        Raises:
            CohortError: the rows are out of order, or a person has two of one time: nobody could say what lies before.
        """
        return self._rank

    @cached_property
    def _rank(self) -> tuple[Ints, Ints]:
        step = np.diff(self.person)
        if ((step < 0) | ((step == 0) & (np.diff(self.time_us) <= 0))).any():
            message = "the rows of a cohort must be sorted by person and time, and each time of a person unique"
            raise CohortError(message)
        starts = np.flatnonzero(np.r_[True, self.person[1:] != self.person[:-1]]) if len(self) else np.zeros(0, int)
        sizes = np.diff(np.r_[starts, len(self)])
        return np.arange(len(self)) - np.repeat(starts, sizes), np.repeat(sizes, sizes)


def filled(values: Floats, value: float = 0.0) -> Floats:
    """The same with `value` where there is nothing (NaN); of small arrays a fraction of the time of `nan_to_num`."""
    return np.asarray(np.where(np.isnan(values), value, values))


def feature_columns(features: Mapping[str, Sequence[str]]) -> list[str]:
    """Every column of a frame that tells of body and voice, in order."""
    columns = []
    for modality, names in features.items():
        columns.append(f"{modality}.past_n")
        for name in names:
            columns += [f"{modality}.{name}", f"{modality}.{name}.past_mean", f"{modality}.{name}.past_sd"]
    return columns


def modalities_of(
    numbers: Callable[[Sequence[str]], Floats], features: Mapping[str, Sequence[str]]
) -> dict[str, Modality]:
    """The modalities of a frame's rows.

    Args:
        numbers: gives columns by name as (rows, names), NaN where there is nothing.
        features: for each modality, the features wanted, in order.

    Raises:
        CohortError: a count of earlier moments cannot be, or a standard deviation is below 0.
    """
    whole, start, out = numbers(feature_columns(features)), 0, {}
    for name, wanted in features.items():
        end = start + 1 + 3 * len(wanted)
        values, mean, sd = (np.ascontiguousarray(whole[:, start + k : end : 3]) for k in (1, 2, 3))
        count = filled(whole[:, start])
        if ((count < 0) | (count > MOST)).any():
            message = f"{name}.past_n counts earlier moments: from 0 to {MOST:,}"
            raise CohortError(message)
        if (sd < 0).any():
            message = f"{name}.{wanted[int(np.argmax((sd < 0).any(axis=0)))]}.past_sd is below 0, which no deviation is"
            raise CohortError(message)
        out[name] = Modality(tuple(wanted), values, mean, sd, count.astype(np.int64))
        start = end
    return out
