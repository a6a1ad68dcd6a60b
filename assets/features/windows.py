"""The clock grid that all windowed features stand on, and what a window may say instead of numbers.

Windows start at multiples of the step counted from the Unix epoch, so people, days and modalities line up. A window
belongs to the participant-day in which it starts; of its data, that day's are used (with the default grid and zones
of whole or half hours no window crosses midnight). Only windows that overlap data of the day exist; within them
every modality has a row, with a reason where it has no value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl

from assets.features.segments import Ints, Span
from assets.study import Windows
from assets.tables import Table


class Reason(StrEnum):
    """Why a window or clip has missing values."""

    NO_DATA = "no_data"
    TOO_SHORT = "too_short"
    TOO_FEW_BEATS = "too_few_beats"
    TOO_MANY_ARTEFACTS = "too_many_artefacts"
    NO_VARIATION = "no_variation"
    NOT_WORN = "not_worn"
    NO_RESPONSES = "no_responses"
    NOT_DECOMPOSED = "not_decomposed"
    OUT_OF_RANGE = "out_of_range"
    RATE_TOO_LOW = "rate_too_low"
    SILENT = "silent"
    TRUNCATED = "truncated"
    CLIPPED = "clipped"
    UNVOICED = "unvoiced"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Grid:
    """Windows of one participant-day: starts and ends in UTC µs, both (windows,)."""

    start_us: Ints
    end_us: Ints

    def __len__(self) -> int:
        return len(self.start_us)

    @property
    def length_us(self) -> int:
        """Length of a window (µs)."""
        return int(self.end_us[0] - self.start_us[0]) if len(self) else 0


def grid_of(settings: Windows, day: Span, data: Iterable[Span]) -> Grid:
    """The windows that start in a day and overlap data.

    Args:
        settings: length and step of the windows.
        day: start and end of the participant's local day (UTC µs).
        data: spans of time with data (UTC µs).
    """
    length, step = round(settings.length_minutes * 60e6), round(settings.step_minutes * 60e6)
    starts = np.arange(-(-day[0] // step) * step, day[1], step, dtype=np.int64)
    used = np.zeros(len(starts), dtype=bool)
    for first, last in data:
        used |= (starts < last) & (starts + length > first)
    starts = starts[used]
    return Grid(starts, starts + length)


def window_frame(
    table: Table,
    grid: Grid,
    rows: Sequence[dict[str, float | None]],
    coverage: Sequence[float],
    reasons: Sequence[str | None],
) -> pl.DataFrame:
    """Features of each window as a frame of the table's schema; numbers that are not finite become null."""
    frame = table.frame(
        [
            {"time_us": int(start), "end_us": int(end), "coverage": min(1.0, share), "reason": reason, **row}
            for start, end, row, share, reason in zip(grid.start_us, grid.end_us, rows, coverage, reasons, strict=True)
        ]
    )
    floats = [c.name for c in table.columns if c.dtype == pl.Float64()]
    return frame.with_columns(pl.when(pl.col(c).is_finite()).then(pl.col(c)).alias(c) for c in floats)
