"""Garmin logger: `ISO time;TYPE;value`, one line whenever a value changes, and its acceleration `ISO time;x;y;z`.

Beat intervals (HEART_RATE_VARIABILITY, ms) come with the time they arrived; the watch leaves beats out that it is not
sure of. STRESS below 0 says that there is no value (−2: moving). STEPS count since midnight. Acceleration is in
1/1000 g.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import polars as pl

from assets.errors import DumpError
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.intervals import beats_from_arrivals
from assets.ingest.readers.sampled import contiguous_columns, series
from assets.ingest.readers.set_back import set_back_said
from assets.ingest.readers.text_columns import text_columns
from assets.ingest.readers.written_times import NO_TIME, written_us
from assets.ingest.recording import Events, Recording, Segment, Times
from assets.ingest.source import Source

_TIME = rb"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2})?"
_NUMBER = rb"-?\d+(?:\.\d+)?"
_TYPED = re.compile(_TIME + rb";[A-Z][A-Z0-9_]*;" + _NUMBER + rb";?\s*")
_MOVED = re.compile(_TIME + (rb";" + _NUMBER) * 3 + rb";?\s*")
_FIRST = 20
_HEAD = 8192
_SHARE = 0.6
_G = 1 / 1000
_MOST_G = 32.0
# type: signal, unit, lowest and highest value that is one
_VALUES: Mapping[str, tuple[str, str, float, float]] = {
    "HEART_RATE": ("hr", "bpm", 1, 300),
    "STRESS": ("stress", "0–100", 0, 100),
    "RESPIRATION": ("respiration", "1/min", 1, 120),
    "RESPIRATION_RATE": ("respiration", "1/min", 1, 120),
    "PULSE_OX": ("spo2", "%", 1, 100),
    "SPO2": ("spo2", "%", 1, 100),
}
_BEATS = ("HEART_RATE_VARIABILITY", "BBI", "RR")


def _claims(source: Source) -> bool:
    head = source.head() if source.single else b""
    return _shape(head) is not None


def _shape(head: bytes) -> re.Pattern[bytes] | None:
    """Which lines the file consists of, judged by its first ones; one of them may be damaged."""
    whole = head.removeprefix(b"\xef\xbb\xbf")
    lines = [line for line in whole[: whole.rfind(b"\n") + 1 or None].splitlines()[:_FIRST] if line.strip()]
    for shape in (_TYPED, _MOVED):
        if lines and sum(shape.fullmatch(line) is not None for line in lines) >= _SHARE * len(lines):
            return shape
    return None


def read(source: Source, context: Context) -> Recording:
    """Read one file.

    Raises:
        DumpError: it holds nothing that is read.
    """
    data = source.only.read(context.most_bytes)
    data = data[: data.rfind(b"\n") + 1].removeprefix(b"\xef\xbb\xbf")
    values = _typed if _shape(data[:_HEAD]) is _TYPED else _moved
    if not data.strip():
        message = "the Garmin logger's file ends within its first line: the copy was cut off"
        raise DumpError(message)
    return values(data, context)


def _dated(table: pl.DataFrame, context: Context) -> tuple[pl.DataFrame, Times, list[str]]:
    """The rows that carry a time and numbers, their times, and how many do not."""
    times = written_us(table["time"], context.calendar)
    numbers = [c for c in table.columns if c not in {"time", "type"}]
    table = table.with_columns(pl.col(numbers).cast(pl.Float64(), strict=False))
    good = (times != NO_TIME) & table.select(pl.all_horizontal(pl.col(numbers).is_finite().fill_null(False)))[
        numbers[0]
    ].to_numpy()
    bad = int((~good).sum())
    return table.filter(good), times[good], [f"{bad} of {len(good)} lines unreadable, left out"] if bad else []


def _typed(data: bytes, context: Context) -> Recording:
    table, times, said = _dated(text_columns(data, ["time", "type", "value"], ";", {"value": pl.Float64()}), context)
    kinds, values = table["type"].to_numpy(), table["value"].to_numpy()
    segments: list[Segment] = []
    events: list[Events] = []
    for kind in dict.fromkeys(table["type"].to_list()):
        rows = kinds == kind
        if kind in _BEATS:
            events.append(beats_from_arrivals(times[rows], values[rows]))
        elif kind == "STEPS":
            events.append(_steps(times[rows], values[rows]))
        elif kind in _VALUES:
            signal, unit, low, high = _VALUES[kind]
            kept = rows & (values >= low) & (values <= high)
            sampled, points = series(signal, unit, times[kept], values[kept])
            segments += sampled
            events += points
            none = int(rows.sum() - kept.sum())
            said += [f"{kind}: {none} of {rows.sum()} say that there is no value"] if none else []
    others = sorted(set(kinds.tolist()) - {*_VALUES, *_BEATS, "STEPS"})
    said += [f"not read: {', '.join(others)}"] if others else []
    said += set_back_said(times)
    return Recording(segments, [e for e in events if len(e.time_us)], facts={"device": "Garmin (logger)"}, remarks=said)


def _steps(times: Times, totals: np.ndarray) -> Events:
    """Steps since the line before; the count begins again at midnight."""
    order = np.argsort(times, kind="stable")
    total = totals[order]
    steps = np.diff(total, prepend=total[:1])
    steps = np.where(steps < 0, total, steps)
    walked = steps > 0
    when = times[order][walked]
    return Events("steps", when, steps[walked].astype(np.float64), np.ones(len(when), np.bool_))


def _moved(data: bytes, context: Context) -> Recording:
    axes = ["acc_x", "acc_y", "acc_z"]
    table, times, said = _dated(text_columns(data, ["time", *axes], ";", dict.fromkeys(axes, pl.Float64())), context)
    values = table.select(axes).to_numpy() * _G
    values[(np.abs(values) > _MOST_G).any(axis=1)] = np.nan
    segments = contiguous_columns([(a, "g") for a in axes], times, values)
    return Recording(segments, facts={"device": "Garmin (logger)"}, remarks=[*said, *set_back_said(times)])


READER = Reader("garmin_logger", "3", _claims, read)
