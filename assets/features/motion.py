"""Movement per window from a wrist accelerometer (g).

ENMO and the spread of the norm tell how much; zero crossings and proportional integration are the two counts of
classical actigraphs, time above threshold the third, here of the norm between 0.25 and 3 Hz; the angle tells how the
wrist was held. Steps are the device's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from assets.features.acceleration import Axes, Singles, norm, triples
from assets.features.segments import Floats, Segment
from assets.features.windows import Grid, Reason, window_frame
from assets.tables import EVENTS, MOTION_TABLE

BAND_HZ = (0.25, 3.0)
DEAD_BAND_G = 0.01  # a crossing counts from outside this band to outside on the other side
SLOWEST_HZ = 2.0
SHORTEST_S = 10.0
NO_EVENTS = EVENTS.empty()
FEWEST_COVERED = 0.2


@dataclass(frozen=True)
class Movement:
    """One contiguous recording: norm, band-passed norm (g) and angle (°), float32, all (samples,)."""

    frame: Segment
    band: Singles
    angle: Singles
    crossing: Singles

    @property
    def norm(self) -> Singles:
        """Euclidean norm (g)."""
        return self.frame.samples


def motion_features(
    segments: Mapping[str, Sequence[Segment]], grid: Grid, events: pl.DataFrame = NO_EVENTS
) -> pl.DataFrame:
    """MOTION_TABLE rows for each window.

    Args:
        segments: signals of the day (`acc_x`, `acc_y`, `acc_z` in g are used).
        grid: the windows.
        events: EVENTS rows of the day (`steps` is used).
    """
    movements = [_movement(axes) for axes in triples(segments, SHORTEST_S)]
    steps = _steps(events, grid)
    if not movements and not np.isfinite(steps).any():
        return MOTION_TABLE.empty()
    rows, coverage, reasons = [], [], []
    for start, end, walked in zip(grid.start_us.tolist(), grid.end_us.tolist(), steps.tolist(), strict=True):
        row, share = _window(movements, start, end)
        covered = share >= FEWEST_COVERED
        rows.append((row if covered else {}) | {"steps": walked})
        coverage.append(share)
        whole = covered and row["zero_crossings_per_min"] is not None
        lacking = Reason.RATE_TOO_LOW if covered else Reason.TOO_SHORT if share > 0 else Reason.NO_DATA
        reasons.append(None if whole else lacking)
    return window_frame(MOTION_TABLE, grid, rows, coverage, reasons)


def _movement(axes: Axes) -> Movement:
    x, y, z = axes
    size = norm(axes)
    band = band_passed(size, x.rate_hz)
    angle = np.degrees(np.arctan2(z.samples, np.sqrt(x.samples**2 + y.samples**2)))
    return Movement(Segment(x.start_us, x.rate_hz, size), band, angle, crossings(band))


def band_passed(norm: Singles, rate_hz: float) -> Singles:
    """The norm between 0.25 and 3 Hz, zero phase (a slower rate sets the upper end), float32; NaN below 2 Hz."""
    from scipy.signal import butter, sosfiltfilt

    if rate_hz < SLOWEST_HZ:
        return np.full(len(norm), np.nan, dtype=np.float32)
    high = min(BAND_HZ[1], 0.45 * rate_hz)
    sos = butter(2, (BAND_HZ[0], high), "bandpass", output="sos", fs=rate_hz)
    return np.asarray(sosfiltfilt(sos, norm)).astype(np.float32)


def crossings(band: Singles) -> Singles:
    """Where the signal has crossed zero for more than the dead band: 1 at the sample on the far side, else 0."""
    outside = np.flatnonzero(np.abs(band) > DEAD_BAND_G)
    marks = np.zeros(len(band), dtype=np.float32)
    if len(outside):
        side = np.signbit(band[outside])
        marks[outside[1:][side[1:] != side[:-1]]] = 1
    return marks


def _steps(events: pl.DataFrame, grid: Grid) -> Floats:
    """Steps that a device counted in each window, NaN where it counted none: it may not count at all."""
    rows = events.filter((pl.col("kind") == "steps") & (pl.col("value") > 0)).sort("time_us")
    total = np.r_[0.0, np.cumsum(rows["value"].to_numpy())]
    first, last = (np.searchsorted(rows["time_us"].to_numpy(), t) for t in (grid.start_us, grid.end_us))
    return np.where(last > first, total[last] - total[first], np.nan)


def _window(movements: Sequence[Movement], start: int, end: int) -> tuple[dict[str, float | None], float]:
    parts = [(m, m.frame.slice_of(start, end)) for m in movements]
    parts = [(m, p) for m, p in parts if p.stop > p.start]
    if not parts:
        return {}, 0.0
    seconds = sum((p.stop - p.start) / m.frame.rate_hz for m, p in parts)
    norm, band, angle, crossing = (
        np.concatenate([getattr(m, name)[p] for m, p in parts]).astype(np.float64)
        for name in ("norm", "band", "angle", "crossing")
    )
    row: dict[str, float | None] = {
        "enmo_mg": float(np.maximum(norm - 1, 0).mean()) * 1e3,
        "motion_sd_mg": float(norm.std()) * 1e3,
        "zero_crossings_per_min": float(crossing.sum()) / seconds * 60 if np.isfinite(band).all() else None,
        "moving_pct": float((np.abs(band) > DEAD_BAND_G).mean()) * 100 if np.isfinite(band).all() else None,
        "pim_mg_s": float(np.abs(band).mean()) * 1e3 * 60,
        "wrist_angle_deg": float(angle.mean()),
        "angle_sd_deg": float(angle.std()),
    }
    return row, seconds * 1e6 / (end - start)
