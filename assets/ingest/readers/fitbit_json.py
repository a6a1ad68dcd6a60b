"""Fitbit's JSON: Takeout's lists of `{"dateTime", "value"}`, the API's intraday answers, sleep, HRV, daily series.

Three clocks: Takeout's lists with `MM/DD/YY HH:MM:SS` are UTC (a file of one local day begins at the offset of its
zone); intraday times (`HH:MM:SS` beside a date), sleep, HRV and every ISO time without an offset are the wearer's
wall clock. A heart rate of confidence 0 is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from datetime import date as Date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.days import Calendar
from assets.errors import DumpError
from assets.ingest.readers.gathered import ASLEEP, AWAKE, DEEP, LIGHT, REM, Gathered, as_number
from assets.ingest.readers.written_times import written_us
from assets.ingest.recording import Times
from assets.ingest.times import parse

_SHAPES = (
    rb'"activities-[a-z]+(?:-intraday)?"\s*:',
    rb'\{\s*"dateTime"\s*:\s*"(?:\d\d/\d\d/\d\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[ T\d:.Z]*)"\s*,\s*"value"\s*:',
    rb'"dateOfSleep"\s*:',
    rb'"(?:hrv|spo2|br)"\s*:\s*\[\s*\{\s*"(?:minutes|value|dateTime)"',
    rb'\{\s*"dateTime"\s*:\s*"[\d-]{10}"\s*,\s*"minutes"\s*:',
    rb'\{\s*"time"\s*:\s*"\d\d:\d\d(?::\d\d)?"\s*,\s*"value"\s*:\s*[-\d.]+\s*\}',
)
LOOKS_FITBIT = re.compile(b"|".join(_SHAPES))
_STAGES = {"wake": AWAKE, "awake": AWAKE, "restless": AWAKE, "light": LIGHT, "deep": DEEP, "rem": REM, "asleep": ASLEEP}
# what the beginning of a Takeout file's name, or of an intraday answer's, says it counts
_KINDS = {
    "heart": "hr", "heart_rate": "hr", "steps": "steps", "calories": "calories", "distance": "distance",
    "altitude": "altitude", "floors": "floors", "elevation": "elevation",
    "estimated_oxygen_variation": "spo2_variation",
}  # fmt: skip
_US_DATE = "%m/%d/%y %H:%M:%S"


def gather_json(document: Any, name: str, calendar: Calendar, into: Gathered) -> None:
    """Collect what one document holds.

    Args:
        document: the parsed JSON.
        name: the file's name, for lists that do not say what they count.
        calendar: the wearer's days.
        into: takes it.

    Raises:
        DumpError: it is a list of values and nothing says of what.
    """
    parts = document if isinstance(document, list) else [document]
    objects = [p for p in parts if isinstance(p, dict)]
    lists: dict[str, Callable[[Sequence[dict[str, Any]]], None]] = {
        "dateTime": lambda rows: _takeout(rows, name, calendar, into),
        "time": lambda rows: _bare(rows, name, calendar, into),
        "dateOfSleep": lambda rows: _sleep(rows, calendar, into),
    }
    if isinstance(document, list) and objects:
        for key, gather in lists.items():
            rows = [o for o in objects if key in o and (key == "dateOfSleep" or "value" in o)]
            if rows:
                gather(rows)
                return
    for part in objects:
        _answer(part, calendar, into)


def _answer(part: Mapping[str, Any], calendar: Calendar, into: Gathered) -> None:
    """One answer of the API."""
    for key, found in part.items():
        series = re.fullmatch(r"activities-(?:tracker-)?(\w+)", key)
        if series and isinstance(found, list):
            _series(found, series[1], into)
            dates = [row.get("dateTime") for row in found if isinstance(row, dict)]
            inside = part.get(f"{key}-intraday")
            if isinstance(inside, dict) and len(dates) == 1:
                rows = [r for r in inside.get("dataset") or () if isinstance(r, dict)]
                _clock(rows, str(dates[0]), _KINDS.get(series[1], series[1]), calendar, into)
            elif isinstance(inside, dict):
                into.told["intraday answers without their one date"] += 1
        elif key == "sleep" and isinstance(found, list):
            _sleep([r for r in found if isinstance(r, dict)], calendar, into)
        elif key in {"hrv", "br", "spo2"} and isinstance(found, list):
            for night in (r for r in found if isinstance(r, dict)):
                _nightly(night, key, calendar, into)
    if "minutes" in part and "dateTime" in part:
        _nightly(part, "spo2", calendar, into)


def _series(rows: Sequence[Any], name: str, into: Gathered) -> None:
    """A number a day, or an object with some."""
    for row in rows:
        if isinstance(row, dict):
            day, value = _date(str(row.get("dateTime"))), row.get("value")
            if isinstance(value, dict):
                into.day(day, "resting_hr_bpm", value.get("restingHeartRate"))
            else:
                into.day(day, _plain(name), value)


def _clock(rows: Sequence[Mapping[str, Any]], day: str, kind: str, calendar: Calendar, into: Gathered) -> None:
    texts = [f"{day}T{_seconds(str(r.get('time')))}" for r in rows]
    into.points(kind, _local(texts, calendar), np.array([as_number(r.get("value")) for r in rows]))


def _bare(rows: Sequence[Mapping[str, Any]], name: str, calendar: Calendar, into: Gathered) -> None:
    """An intraday list without its date, which then must stand in the file's name."""
    day, kind = re.search(r"\d{4}-\d\d-\d\d", name), _kind(name)
    if not day or not kind:
        message = (
            "a Fitbit list of times of day that says neither its date nor what it counts: name it so "
            "(heart_rate-2026-01-31.json)"
        )
        raise DumpError(message)
    _clock(rows, day[0], kind, calendar, into)


def _takeout(rows: Sequence[Mapping[str, Any]], name: str, calendar: Calendar, into: Gathered) -> None:
    """Takeout's lists: values by the second or minute (UTC), or one a day."""
    texts = [str(r["dateTime"]) for r in rows]
    values = [r["value"] for r in rows]
    if isinstance(values[0], dict):
        if "bpm" in values[0]:
            sure = np.array([as_number(v.get("confidence", 1)) != 0 for v in values if isinstance(v, dict)])
            bpm = np.array([as_number(v.get("bpm")) for v in values if isinstance(v, dict)])
            into.told["heart rates of confidence 0"] += int((~sure).sum())
            into.points("hr", _utc_or_local(texts, calendar)[sure], bpm[sure])
            return
        for text, value in zip(texts, values, strict=True):
            _of_day(_date(text), _stem(name), value, into)
        return
    if all(re.search(r"(?:^[\d/-]{8,10}| 00:00:00)$", t) for t in texts) and len(set(texts)) == len(texts):
        for text, value in zip(texts, values, strict=True):
            into.day(_date(text), _stem(name), value)
        return
    kind = _kind(name)
    if not kind:
        message = "a Fitbit list that does not say what it counts: keep Takeout's file names (steps-2026-01-31.json)"
        raise DumpError(message)
    into.points(kind, _utc_or_local(texts, calendar), np.array([as_number(v) for v in values]))


def _of_day(day: Date | None, name: str, value: object, into: Gathered) -> None:
    """An object of a day; a resting heart rate of 0 says that there is none."""
    if not isinstance(value, dict):
        return
    if name.startswith("resting_heart_rate"):
        number = as_number(value.get("value"))
        into.day(day, "resting_hr_bpm", number if number > 0 else None)
        return
    for key, inner in value.items():
        found = inner if isinstance(inner, dict) else {"": inner}
        for last, number in found.items():
            into.day(day, "_".join(p for p in (name, _plain(str(key)), _plain(str(last))) if p), number)


def _sleep(rows: Sequence[Mapping[str, Any]], calendar: Calendar, into: Gathered) -> None:
    for row in rows:
        day = _date(str(row.get("dateOfSleep")))
        for key in ("minutesAsleep", "minutesAwake", "timeInBed"):
            into.day(day, f"sleep_{_plain(key)}", row.get(key), add=True)
        if row.get("mainSleep", True):
            into.day(day, "sleep_efficiency", row.get("efficiency"))
        levels = row.get("levels")
        if not isinstance(levels, dict):
            continue
        for stage, told in (levels.get("summary") or {}).items():
            # A classic log sums minutes asleep and awake here once more, by another rule than above.
            if isinstance(told, dict) and stage not in {"asleep", "awake"}:
                into.day(day, f"sleep_minutes_{_plain(str(stage))}", told.get("minutes"), add=True)
        into.sleep(_stages(levels.get("data"), calendar), _stages(levels.get("shortData"), calendar))


def _stages(rows: Any, calendar: Calendar) -> list[tuple[int, int, float]]:
    known = [r for r in rows or () if isinstance(r, dict) and r.get("level") in _STAGES]
    times = _local([str(r.get("dateTime")) for r in known], calendar)
    return [
        (int(t), int(t + as_number(r.get("seconds")) * 1e6), _STAGES[r["level"]])
        for t, r in zip(times, known, strict=True)
        if t > 0 and 0 < as_number(r.get("seconds")) < 1e6
    ]


def _nightly(night: Mapping[str, Any], key: str, calendar: Calendar, into: Gathered) -> None:
    """A night's HRV, breathing or oxygen: by the five minutes, or one value."""
    minutes = night.get("minutes")
    if isinstance(minutes, list):
        rows = [m for m in minutes if isinstance(m, dict)]
        times = _local([str(m.get("minute")) for m in rows], calendar)
        if key == "hrv":
            inner = [m["value"] if isinstance(m.get("value"), dict) else {} for m in rows]
            for name, kind in (("rmssd", "rmssd"), ("lf", "lf_ms2"), ("hf", "hf_ms2")):
                into.points(kind, times, np.array([as_number(v.get(name)) for v in inner]))
        else:
            into.points(key, times, np.array([as_number(m.get("value")) for m in rows]))
    value = night.get("value")
    if isinstance(value, dict):
        for name, number in value.items():
            number = number.get("breathingRate") if isinstance(number, dict) else number  # noqa: PLW2901 (one unwrapping)
            into.day(_date(str(night.get("dateTime"))), f"{key}_{_plain(name)}", number)


def _utc_or_local(texts: Sequence[str], calendar: Calendar) -> Times:
    """Takeout's `MM/DD/YY` times are UTC, ISO ones the wearer's."""
    series = pl.Series(texts, dtype=pl.String)
    american = series.str.to_datetime(_US_DATE, time_unit="us", strict=False)
    if american.null_count() == len(series):
        return written_us(series, calendar)
    return american.dt.epoch("us").fill_null(np.iinfo(np.int64).min).to_numpy().astype(np.int64)


def _local(texts: Sequence[str], calendar: Calendar) -> NDArray[np.int64]:
    return written_us(pl.Series(texts, dtype=pl.String), calendar)


def _date(text: str) -> Date | None:
    try:
        return datetime.strptime(text[:17].strip(), _US_DATE).replace(tzinfo=UTC).date()
    except ValueError:
        found = parse(text[:10])
    return found.date() if isinstance(found, datetime) else None


def _kind(name: str) -> str | None:
    """What a file's name says it counts."""
    return next((kind for known, kind in _KINDS.items() if _stem(name) == known), None)


def _stem(name: str) -> str:
    """`sedentary_minutes-2019-10-01.json` → `sedentary_minutes`."""
    return _plain(re.split(r"[-_ ]*\(?\d{4}", name.rsplit("/", 1)[-1].rsplit(".", 1)[0])[0])[:40] or "value"


def _plain(name: str) -> str:
    """`minutesAsleep` → `minutes_asleep`."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()).strip("_")


def _seconds(clock: str) -> str:
    return clock if clock.count(":") == 2 else f"{clock}:00"
