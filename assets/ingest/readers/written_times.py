"""Columns of written times as UTC µs, fast: a logger writes one beside every sample.

One time at a time is the business of `ingest/times.py`; here whole columns of ISO times are read at once. A column
without offsets is on the participant's clock: the offset is looked up once in half an hour, and in the hour that a
clock change repeats, the rows after the clock went back are the second one. A time years away from the others is a
damaged line, not a time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.days import Calendar
from assets.ingest.recording import Times
from assets.ingest.times import local_us, to_us

NO_TIME = np.iinfo(np.int64).min
STRAY_US = 400 * 86_400 * 1_000_000
_LAST_US = 7_258_118_400_000_000  # 2200: calendars end
_WITH_ZONE = "%Y-%m-%dT%H:%M:%S%.f%:z"
_LOCAL = "%Y-%m-%dT%H:%M:%S%.f"
_PIECE = timedelta(minutes=30)  # clocks change at half hours, and on Lord Howe by one
_PIECE_US = 1_800_000_000
_BACK_US = 300_000_000
_NEAR_US = 6 * 3_600_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def written_us(texts: pl.Series, calendar: Calendar) -> Times:
    """UTC µs of ISO times, (rows,); `NO_TIME` where a text is none.

    Args:
        texts: the times as written, with or without an offset.
        calendar: the participant's days.
    """
    clean = texts.str.strip_chars(" \"'").str.replace(" ", "T", literal=True).str.replace(r"[Zz]$", "+00:00")
    zoned = clean.str.to_datetime(_WITH_ZONE, time_unit="us", time_zone="UTC", strict=False)
    found = _epochs(zoned)
    rest = np.flatnonzero(found == NO_TIME)
    if len(rest):
        local = _epochs(clean.gather(rest).str.to_datetime(_LOCAL, time_unit="us", strict=False))
        good = (local > 0) & (local < _LAST_US)
        found[rest[good]] = _local(local[good], calendar)
    return without_strays(found)


def without_strays(times: Times) -> Times:
    """The same, `NO_TIME` where a time is more than a year from the middle of the others."""
    known = times != NO_TIME
    if not known.any():
        return times
    off = np.abs(times.astype(np.float64) - float(np.median(times[known])))
    return np.where(off < STRAY_US, times, NO_TIME)


def _epochs(times: pl.Series) -> Times:
    return times.dt.epoch("us").fill_null(NO_TIME).to_numpy().astype(np.int64)


def _local(wall_us: Times, calendar: Calendar) -> Times:
    """Wall-clock times (as if they were UTC) on the participant's clock."""
    pieces, of = np.unique(wall_us // _PIECE_US, return_inverse=True)
    first = np.empty(len(pieces), np.int64)
    second = np.empty(len(pieces), np.int64)
    for n, piece in enumerate(pieces.tolist()):
        moment = (_EPOCH + piece * _PIECE).replace(tzinfo=None)
        start = to_us(moment, calendar)
        both = local_us(moment, calendar.zone(start))
        first[n], second[n] = start - piece * _PIECE_US, max(start, both[1]) - piece * _PIECE_US
    return wall_us + np.where(_after_a_change(wall_us), second[of], first[of])


def _after_a_change(wall_us: Times) -> NDArray[np.bool_]:
    """Rows in the hours after the clock went back; a table may have the newest row first."""
    steps = np.diff(wall_us)
    if (steps < 0).sum() > (steps > 0).sum():
        return _after_a_change(wall_us[::-1])[::-1]
    back = np.flatnonzero(steps < -_BACK_US)
    if not len(back):
        return np.zeros(len(wall_us), np.bool_)
    last = np.searchsorted(back, np.arange(len(wall_us))) - 1
    near: NDArray[np.bool_] = np.abs(wall_us - wall_us[back[last]]) < _NEAR_US
    return near & (last >= 0)
