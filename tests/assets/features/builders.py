"""Small builders of lake rows, and readers of the real recordings that need nothing of the ingest stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from assets.features.segments import Segment
from assets.features.windows import Grid
from assets.tables import EVENTS, SIGNALS

START = 1_700_006_400_000_000  # 2023-11-15 00:00 UTC, on every grid
MINUTE = 60_000_000
SESSIONS = ("S01", "S03", "S05", "S08", "S11", "S14", "S17", "S20", "S23", "S26", "S28", "S31")


def segment(samples: ArrayLike, rate_hz: float, start_us: int = START) -> Segment:
    return Segment(start_us, rate_hz, np.asarray(samples, dtype=np.float32))


def signals(**channels: tuple[ArrayLike, float]) -> pl.DataFrame:
    """SIGNALS rows: one contiguous segment a channel, all starting together."""
    rows = [
        {
            "signal": name,
            "unit": "",
            "start_us": START,
            "rate_hz": rate,
            "samples": np.asarray(x, np.float32),
            "dump": "d",
        }
        for name, (x, rate) in channels.items()
    ]
    return SIGNALS.frame(rows)


def beat_events(times_s: ArrayLike, rr_ms: ArrayLike, valid: ArrayLike) -> pl.DataFrame:
    rows = [
        {"time_us": START + round(t * 1e6), "kind": "beat", "value": float(rr), "valid": bool(v), "dump": "d"}
        for t, rr, v in zip(np.asarray(times_s), np.asarray(rr_ms), np.asarray(valid), strict=True)
    ]
    return EVENTS.frame(rows)


def windows(count: int, minutes: float = 5) -> Grid:
    length = round(minutes * MINUTE)
    starts = START + np.arange(count, dtype=np.int64) * length
    return Grid(starts, starts + length)


def rr_series(beats: int, *, seed: int = 0, lf_ms: float = 30, hf_ms: float = 25, mean_ms: float = 800) -> np.ndarray:
    """Intervals (whole ms) with a slow and a fast rhythm at known frequencies (0.1 and 0.25 Hz) and some noise."""
    random, time, out = np.random.default_rng(seed), 0.0, []
    for _ in range(beats):
        wave = lf_ms * np.sin(2 * np.pi * 0.1 * time) + hf_ms * np.sin(2 * np.pi * 0.25 * time)
        out.append(round(mean_ms + wave + 6 * random.standard_normal()))
        time += out[-1] / 1000
    return np.array(out, dtype=float)


def whole(beats: int) -> np.ndarray:
    """Each interval follows on the one before it, but the first."""
    return np.r_[False, np.ones(beats - 1, dtype=bool)]


def e4_session(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """SIGNALS and EVENTS rows of one unpacked E4 session."""
    rows = []
    for file, names in (("BVP", ["bvp"]), ("EDA", ["eda"]), ("TEMP", ["temp"]), ("ACC", ["acc_x", "acc_y", "acc_z"])):
        if (folder / f"{file}.csv").exists():
            table = np.loadtxt(folder / f"{file}.csv", delimiter=",", ndmin=2)
            scale = 64 if file == "ACC" else 1
            for column, name in enumerate(names):
                start, rate = round(table[0, column] * 1e6), float(table[1, column])
                samples = (table[2:, column] / scale).astype(np.float32)
                rows.append(
                    {"signal": name, "unit": "", "start_us": start, "rate_hz": rate, "samples": samples, "dump": "d"}
                )
    return SIGNALS.frame(rows), _e4_beats(folder / "IBI.csv")


def _e4_beats(file: Path) -> pl.DataFrame:
    lines = file.read_text().splitlines() if file.exists() else []
    rows, before = [], -np.inf
    for line in lines[1:]:
        offset, interval = (float(v) for v in line.split(","))
        follows = abs(offset - before - interval) < 0.01
        time = round((float(lines[0].split(",")[0]) + offset) * 1e6)
        rows.append({"time_us": time, "kind": "beat", "value": interval * 1e3, "valid": follows, "dump": "d"})
        before = offset
    return EVENTS.frame(rows)
