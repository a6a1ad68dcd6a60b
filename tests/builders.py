"""Tiny row builders for tables of the lake; a test names only the columns it cares about."""

import numpy as np
import polars as pl

from assets.tables import SELF_REPORTS, SIGNALS

HOUR_US = 3_600_000_000
NOON_US = 1_772_449_200_000_000  # 2026-03-02 12:00 in Berlin


def answer(time_us: int = NOON_US, item: str = "happy", value: float = 50.0, dump: str = "d") -> dict[str, object]:
    return {"time_us": time_us, "item": item, "value": value, "dump": dump}


def answers(*rows: dict[str, object]) -> pl.DataFrame:
    return SELF_REPORTS.frame(rows)


def segment(
    signal: str, samples: np.ndarray, start_us: int = NOON_US, rate_hz: float = 4.0, unit: str = "", dump: str = "d"
) -> dict[str, object]:
    values = np.asarray(samples, dtype=np.float32)
    row = {"signal": signal, "unit": unit, "start_us": start_us, "rate_hz": rate_hz, "dump": dump}
    return {**row, "samples": values.tolist()}


def signals(*rows: dict[str, object]) -> pl.DataFrame:
    return SIGNALS.frame(rows)
