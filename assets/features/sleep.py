"""The night's sleep window from movement and heart rate, and how much of it was slept.

The window is van Hees et al. 2018 (HDCZA, Sci Rep 8:12975): from noon to noon, minutes in which the running median of
the arm's five-second angle changes lies below fifteen times its 10th percentile (kept between 0.13 and 0.50°); blocks
of at least 30 minutes; gaps below an hour bridged. Where several blocks are left and the heart was seen, the one with
the most minutes of low heart rate wins (below the 35th percentile of noon to noon: Perez-Pozuelo et al. 2022, Sci Rep
12:7956), else the longest. Slept are its minutes of sustained inactivity: no angle change above 5° for at least five
minutes (van Hees et al. 2015, PLoS ONE 10:e0142533).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from assets.features.epochs import MINUTE_US
from assets.features.segments import Floats, Mask, Span
from assets.features.windows import Reason

PERCENTILE, TIMES = 10, 15
THRESHOLD_DEG = (0.13, 0.50)
SHORTEST, LONGEST_GAP = 30, 60  # minutes
LOW_HEART = 0.35
HEART_SEEN = 0.5
MOVED_DEG, SUSTAINED = 5.0, 5
NIGHT_WORN, ROUND_WORN = 180, 16 * 60  # minutes that must be worn: of midnight to six, or of noon to noon


@dataclass(frozen=True)
class Night:
    """A sleep window (UTC µs) and the minutes slept in it."""

    start_us: int
    end_us: int
    asleep_min: int

    @property
    def hours(self) -> float:
        """Length of the window."""
        return (self.end_us - self.start_us) / 3.6e9


def find_night(minutes: pl.DataFrame, around: Span, small_hours: Span) -> Night | Reason:
    """The sleep window between two noons, or why there is none.

    Args:
        minutes: MINUTES rows, in order of time.
        around: noon to noon (UTC µs).
        small_hours: midnight to six in between (UTC µs).
    """
    first, count = around[0] // MINUTE_US, (around[1] - around[0]) // MINUTE_US
    rows = minutes.filter(pl.col("time_us").is_between(first * MINUTE_US, (first + count) * MINUTE_US, closed="left"))
    rows = rows.filter(pl.col("angle_change_deg").is_not_null())
    if rows.is_empty():
        return Reason.NO_DATA
    place = rows["time_us"].to_numpy() // MINUTE_US - first
    worn = _spread(place, rows["worn"].fill_null(False).to_numpy(), count) > 0
    change, largest, heart = (
        _spread(place, rows[c].cast(pl.Float64).fill_null(np.nan).to_numpy(), count)
        for c in ("angle_change_deg", "angle_largest_deg", "hr_bpm")
    )
    dark = slice(*((t // MINUTE_US - first) for t in small_hours))
    if worn[dark].sum() < NIGHT_WORN and worn.sum() < ROUND_WORN:
        return Reason.TOO_SHORT
    start, end = _window(change, heart, worn)
    if end <= start:
        return Reason.TOO_SHORT
    calm = _long_runs(worn & (largest <= MOVED_DEG), SUSTAINED)
    return Night((first + start) * MINUTE_US, (first + end) * MINUTE_US, int(calm[start:end].sum()))


def _window(change: Floats, heart: Floats, worn: Mask) -> tuple[int, int]:
    """First and last+1 minute of the chosen block; (0, 0) where there is none."""
    threshold = float(np.clip(np.percentile(change[worn & np.isfinite(change)], PERCENTILE) * TIMES, *THRESHOLD_DEG))
    quiet = _long_runs(worn & (change < threshold), SHORTEST)
    blocks = _bridged(_runs(quiet), LONGEST_GAP)
    if not blocks:
        return 0, 0
    seen = worn & np.isfinite(heart)
    low = seen & (heart <= np.quantile(heart[seen], LOW_HEART)) if seen.any() else seen
    known = seen.sum() >= HEART_SEEN * worn.sum()
    return max(blocks, key=lambda b: (int((low & quiet)[b[0] : b[1]].sum()) if known else 0, b[1] - b[0]))


def _spread(place: np.ndarray, values: np.ndarray, count: int) -> Floats:
    out = np.full(count, np.nan)
    out[place] = values
    return out


def _runs(mask: Mask) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False].astype(np.int8))).reshape(-1, 2)
    return [(int(a), int(b)) for a, b in edges]


def _long_runs(mask: Mask, shortest: int) -> Mask:
    """The runs of true of at least that length."""
    out = np.zeros(len(mask), dtype=bool)
    for a, b in _runs(mask):
        if b - a >= shortest:
            out[a:b] = True
    return out


def _bridged(runs: list[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    """Runs joined where less than `gap` lies between them."""
    found: list[tuple[int, int]] = []
    for a, b in runs:
        if found and a - found[-1][1] < gap:
            found[-1] = (found[-1][0], b)
        else:
            found.append((a, b))
    return found
