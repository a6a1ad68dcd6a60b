"""Columns of written times as UTC µs, fast: a logger writes one beside every sample.

One time at a time is the business of `ingest/times.py`; here whole columns of ISO times are read at once. A column
without offsets is on the participant's clock: the offset is looked up once an hour, and in the hour that a clock
change repeats, the rows after the clock went back are the second one. A time years away from the others is a
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
_HOUR_US = 3_600_000_000
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
    hours, of = np.unique(wall_us // _HOUR_US, return_inverse=True)
    first = np.empty(len(hours), np.int64)
    second = np.empty(len(hours), np.int64)
    for n, hour in enumerate(hours.tolist()):
        moment = (_EPOCH + timedelta(hours=hour)).replace(tzinfo=None)
        start = to_us(moment, calendar)
        both = local_us(moment, calendar.zone(start))
        first[n], second[n] = start - hour * _HOUR_US, max(start, both[1]) - hour * _HOUR_US
    return wall_us + np.where(_after_the_change(wall_us), second[of], first[of])


def _after_the_change(wall_us: Times) -> NDArray[np.bool_]:
    """Rows after the clock went back."""
    back = np.flatnonzero(np.diff(wall_us) < -_HOUR_US // 3)
    return np.arange(len(wall_us)) > (back[0] if len(back) else len(wall_us))
