"""Skin temperature per window: level, slope and spread of the samples that can be skin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from assets.features.segments import Segment
from assets.features.windows import Grid, Reason, window_frame
from assets.tables import TEMPERATURE_TABLE

WORN_C = (25.0, 42.0)  # below: the air of a room; above: no living skin
FEWEST_COVERED = 0.2


def temperature_features(temperature: Sequence[Segment], grid: Grid) -> pl.DataFrame:
    """TEMPERATURE_TABLE rows for each window.

    Args:
        temperature: segments of skin temperature (°C).
        grid: the windows.
    """
    if not temperature:
        return TEMPERATURE_TABLE.empty()
    rows, coverage, reasons = [], [], []
    for start, end in zip(grid.start_us.tolist(), grid.end_us.tolist(), strict=True):
        row, share, reason = _window(temperature, start, end)
        rows.append(row)
        coverage.append(share)
        reasons.append(reason)
    return window_frame(TEMPERATURE_TABLE, grid, rows, coverage, reasons)


def _window(
    temperature: Sequence[Segment], start: int, end: int
) -> tuple[dict[str, float | None], float, Reason | None]:
    parts = [(s, s.slice_of(start, end)) for s in temperature]
    parts = [(s, p) for s, p in parts if p.stop > p.start]
    if not parts:
        return {}, 0.0, Reason.NO_DATA
    celsius = np.concatenate([s.samples[p].astype(np.float64) for s, p in parts])
    minutes = np.concatenate(
        [(s.start_us - start) / 60e6 + np.arange(p.start, p.stop) / s.rate_hz / 60 for s, p in parts]
    )
    seconds = np.concatenate([np.full(p.stop - p.start, 1 / s.rate_hz) for s, p in parts])
    worn = (celsius >= WORN_C[0]) & (celsius <= WORN_C[1])
    share = float(seconds[worn].sum()) * 1e6 / (end - start)
    if share < FEWEST_COVERED or worn.sum() < 3:
        short = float(seconds.sum()) * 1e6 / (end - start) < FEWEST_COVERED
        return {}, share, Reason.TOO_SHORT if short else Reason.NOT_WORN
    celsius, minutes = celsius[worn], minutes[worn]
    spread = minutes - minutes.mean()
    row: dict[str, float | None] = {
        "temp_c": float(celsius.mean()),
        "temp_slope_c_per_min": float(spread @ celsius / (spread @ spread)),
        "temp_sd_c": float(celsius.std()),
    }
    return row, share, None
