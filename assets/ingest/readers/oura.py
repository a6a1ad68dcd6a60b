"""Oura: answers of the API (v2, and what remains of v1) and the export of the app, all JSON.

Which list an object comes from is told by its fields, since the API's answers do not name it. Heart rates are events;
the five-minute series of a night (heart rate, rMSSD) and the minutes of a day (MET) are regular and become segments
split where items are null (0 in v1). Scores, their contributors and other numbers of a day become daily values. A
night belongs to the day on which it ends; v1 dates it, and the readiness after it, a day earlier.
Times carry an offset; personal data, sessions, workouts with their locations, and texts are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date as Date
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np

from assets.days import Calendar
from assets.errors import DumpError
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.gathered import AWAKE, DEEP, LIGHT, REM, Gathered, as_number
from assets.ingest.readers.json_tables import is_json, read_json
from assets.ingest.recording import Recording, Segment, segments_of
from assets.ingest.source import Source
from assets.ingest.times import parse, to_us

_LOOKS = re.compile(
    rb'"(?:bedtime_start|sleep_phase_5_min|hypnogram_5min|rmssd_5min|met_1min|class_5_min|spo2_percentage|stress_high'
    rb'|contributors|(?:score_)?recovery_index|non_wear_time|vascular_age)"\s*:'
    rb'|\{[^{}]*"bpm"\s*:\s*\d+[^{}]*"source"\s*:\s*"(?:awake|rest|sleep|session|live|workout)"'
)
_PHASES = {"1": DEEP, "2": LIGHT, "3": REM, "4": AWAKE}
_FIVE_MINUTES_S = 300.0
# a field that only objects of this kind have; the first that is there decides
_KINDS = (
    ("bedtime_start", "sleep"),
    ("stress_high", "stress"),
    ("spo2_percentage", "spo2"),
    ("vascular_age", "cardiovascular_age"),
    ("vo2_max", "vo2max"),
    ("temperature_deviation", "readiness"),
    ("score_recovery_index", "readiness"),
    ("steps", "activity"),
)
_CONTRIBUTORS = (("deep_sleep", "sleep"), ("hrv_balance", "readiness"), ("recovery_index", "readiness"),
                 ("meet_daily_targets", "activity"), ("daytime_recovery", "resilience"))  # fmt: skip
_SERIES = {"heart_rate": ("hr_5min", "bpm"), "hrv": ("rmssd_5min", "ms"), "met": ("met", "MET")}
_SERIES_V1 = {"hr_5min": ("hr_5min", "bpm"), "rmssd_5min": ("rmssd_5min", "ms"), "met_1min": ("met", "MET")}
_NOT_VALUES = {
    "period",
    "period_id",
    "is_longest",
    "timezone",
    "low_battery_alert",
    "bedtime_start_delta",
    "bedtime_end_delta",
}


def _claims(source: Source) -> bool:
    return is_json(source) and _LOOKS.search(source.head()) is not None


def read(source: Source, context: Context) -> Recording:
    """Read one file.

    Raises:
        DumpError: it is no JSON, or holds nothing that is known.
    """
    found, segments, unknown = Gathered(), list[Segment](), 0
    rates: list[tuple[int | None, float]] = []
    for entry in _entries(read_json(source)):
        if "bpm" in entry and "timestamp" in entry:
            rates.append((_us(entry["timestamp"], context.calendar), as_number(entry["bpm"])))
        elif ("day" in entry or "summary_date" in entry) and _kind(entry):
            segments += _day(entry, context.calendar, found)
        else:
            unknown += 1
    none = np.iinfo(np.int64).min
    times = np.array([none if t is None else t for t, _ in rates], np.int64)
    found.points("hr", times, np.array([v for _, v in rates], np.float64))
    remarks = [f"{unknown} objects of no known kind left out"] if unknown else []
    return replace(found.recording(context, "Oura", remarks), segments=segments)


def _entries(document: Any) -> Iterator[dict[str, Any]]:
    """Every object of a list, of an answer's `data`, or of the lists that an export names."""
    if isinstance(document, list):
        yield from (o for o in document if isinstance(o, dict))
    elif isinstance(document, dict):
        lists = [v for v in document.values() if isinstance(v, list) and all(isinstance(o, dict) for o in v)]
        if "day" in document or "summary_date" in document or not lists:
            yield document
        else:
            yield from (o for rows in lists for o in rows)
    else:
        message = "the JSON holds no objects of Oura"
        raise DumpError(message)


def _day(entry: Mapping[str, Any], calendar: Calendar, into: Gathered) -> Iterator[Segment]:
    """One object that belongs to a day: its numbers, and the series in it."""
    kind, day = _kind(entry), _date(entry.get("day") or entry.get("summary_date"))
    if day is not None and "summary_date" in entry and kind in {"sleep", "readiness"}:
        day += timedelta(days=1)
    if kind == "sleep" and "bedtime_start" in entry:
        _phases(entry, calendar, into)
    main = entry.get("type", "long_sleep") == "long_sleep" and entry.get("is_longest", 1) == 1
    if main or kind != "sleep":
        for name, value in _numbers(entry):
            into.day(day, f"{kind}_{name}", value)
    for key, (signal, unit) in _SERIES.items():
        series = entry.get(key)
        if isinstance(series, dict) and isinstance(series.get("items"), list):
            period, start = as_number(series.get("interval")), _us(series.get("timestamp"), calendar)
            yield from _segments(signal, unit, start, period, series["items"])
    for key, (signal, unit) in _SERIES_V1.items():
        start = _us(entry.get("bedtime_start") or entry.get("day_start"), calendar)
        period = 60.0 if key == "met_1min" else _FIVE_MINUTES_S
        items = entry.get(key)
        if isinstance(items, list):
            yield from _segments(signal, unit, start, period, [i or None for i in items])


def _segments(signal: str, unit: str, start: int | None, period: float, items: Iterable[Any]) -> list[Segment]:
    if start is None or not 1 <= period <= 86_400:
        return []
    return segments_of(signal, unit, start, 1 / period, np.array([as_number(i) for i in items], np.float32))


def _phases(entry: Mapping[str, Any], calendar: Calendar, into: Gathered) -> None:
    """The night's stages, a digit each five minutes."""
    text = entry.get("sleep_phase_5_min") or entry.get("hypnogram_5min")
    start = _us(entry.get("bedtime_start"), calendar)
    if not isinstance(text, str) or start is None:
        return
    stages, position = [], 0
    for digit, run in groupby(text):
        end = position + len(list(run))
        if digit in _PHASES:
            begin_us, end_us = (start + round(n * _FIVE_MINUTES_S * 1e6) for n in (position, end))
            stages.append((begin_us, end_us, _PHASES[digit]))
        position = end
    into.sleep(stages)


def _kind(entry: Mapping[str, Any]) -> str:
    parts = entry.get("contributors")
    if isinstance(parts, dict):
        found = next((kind for key, kind in _CONTRIBUTORS if key in parts), None)
        if found:
            return found
    return next((kind for key, kind in _KINDS if key in entry), "")


def _numbers(entry: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Numbers of an object, and those one level below it."""
    for key, value in entry.items():
        if key in _SERIES or key in _NOT_VALUES:
            continue
        inner = {f"{key}_{k}": v for k, v in value.items()} if isinstance(value, dict) else {key: value}
        for name, number in inner.items():
            if isinstance(number, (int, float)) and not isinstance(number, bool):
                yield name, float(number)


def _us(value: Any, calendar: Calendar) -> int | None:
    found = parse(value) if isinstance(value, str) else None
    return None if found is None else to_us(found, calendar)


def _date(value: Any) -> Date | None:
    found = parse(value[:10]) if isinstance(value, str) else None
    return found.date() if isinstance(found, datetime) else None


READER = Reader("oura", "2", _claims, read)
