"""Fitbit: the JSON of Takeout and the API (`fitbit_json.py`), and CSV tables of Takeout, Fitabase and the web.

A table is known by its header. Tables with a row a day become daily values, those with a time a row events. Times
with `Z` or an offset mean what they say, others are the wearer's wall clock. A phone's steps in a table of several
recorders are events of their own kind, since both counted the same walk. Positions (tracks of exercises) are not read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import numpy as np
import polars as pl

from assets.days import Calendar
from assets.errors import DumpError
from assets.ingest.encodings import decoded
from assets.ingest.inbox import COHORT_FOLDERS
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.fitbit_json import LOOKS_FITBIT, gather_json
from assets.ingest.readers.gathered import Gathered, as_number
from assets.ingest.readers.json_tables import is_json, read_json
from assets.ingest.readers.text_tables import TextTable, header, parse_table, plain
from assets.ingest.readers.written_times import written_us
from assets.ingest.recording import Recording, Times
from assets.ingest.source import Source
from assets.ingest.times import days_first, parse, to_us

_RMSSD = "rootmeansquareofsuccessivedifferences"
# header: column of times, and which column is which kind
_POINTS: tuple[tuple[frozenset[str], str, Mapping[str, str]], ...] = (
    (frozenset({"timestamp", "beatsperminute"}), "timestamp", {"beatsperminute": "hr"}),
    (frozenset({"timestamp", "steps", "datasource"}), "timestamp", {"steps": "steps"}),
    (frozenset({"timestamp", "oxygensaturationpercentage"}), "timestamp", {"oxygensaturationpercentage": "spo2"}),
    (frozenset({"timestamp", _RMSSD + "milliseconds"}), "timestamp", {_RMSSD + "milliseconds": "rmssd"}),
    (frozenset({"timestamp", _RMSSD + "ms"}), "timestamp", {_RMSSD + "ms": "rmssd"}),
    (
        frozenset({"timestamp", "rmssd", "coverage"}),
        "timestamp",
        {"rmssd": "rmssd", "lowfrequency": "lf_ms2", "highfrequency": "hf_ms2"},
    ),
    (frozenset({"recordedtime", "temperature", "sensortype"}), "recordedtime", {"temperature": "temp_deviation"}),
    (frozenset({"id", "activityminute", "steps"}), "activityminute", {"steps": "steps"}),
    (frozenset({"id", "time", "value"}), "time", {"value": "hr"}),
)
# header: column of the day, and what daily values of the table are called
_DAILY: tuple[tuple[frozenset[str], str, str], ...] = (
    (frozenset({"timestamp", "rmssd", "nremhr", "entropy"}), "timestamp", "hrv"),
    (frozenset({"timestamp", "dailyrespiratoryrate"}), "timestamp", "respiratory"),
    (frozenset({"timestamp", "averagevalue", "lowerbound", "upperbound"}), "timestamp", "spo2"),
    (frozenset({"timestamp", "overallscore", "sleeplogentryid"}), "timestamp", "sleep_score"),
    (frozenset({"sleepend", "nightlytemperature"}), "sleepend", "skin"),
    (frozenset({"id", "activitydate", "totalsteps"}), "activitydate", "day"),
    (frozenset({"id", "sleepday", "totalminutesasleep"}), "sleepday", "sleep"),
)
_DATES = ("date", "activitydate", "day", "dateofsleep", "endtime")
_DAILY_NAMES = frozenset({
    "steps", "totalsteps", "caloriesburned", "calories", "distance", "floors", "minutessedentary",
    "minuteslightlyactive", "minutesfairlyactive", "minutesveryactive", "activitycalories", "minutesasleep",
    "minutesawake", "timeinbed", "minutesremsleep", "minuteslightsleep", "minutesdeepsleep",
    "restingheartrate", "sedentaryminutes", "lightlyactiveminutes", "veryactiveminutes",
})  # fmt: skip
_SECTIONS = frozenset({"activities", "sleep", "body", "foods"})
_IDS = frozenset({"id", "sleeplogentryid", "logid", "participant", "userid", "datasource"})
_AMERICAN = ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%y %I:%M %p", "%m/%d/%Y %H:%M")
_ASKS = re.compile(rb'"(?:item|question\w*|answers?)"\s*:', re.IGNORECASE)  # lists of answers have times and values too
_NO_OXYGEN = 50.0  # the floor that stands where none could be measured
_PHONES = re.compile(r"mobiletrack|phone|health (?:connect|kit)", re.IGNORECASE)  # recorders that are no wristband
_SAME = {"resting_beats_per_minute": "resting_hr_bpm"}  # as the same export's JSON is called
_DAYS = re.compile(r"daily[ _]resting")  # a value a day under the header of a value a second
_Gather = Callable[[TextTable, Context, Gathered], None]


def _claims(source: Source) -> bool:
    if not source.single or source.path.split("/", 1)[0] in COHORT_FOLDERS:
        return False
    head = source.head()
    if is_json(source):
        return LOOKS_FITBIT.search(head) is not None and _ASKS.search(head) is None
    return _table_reader([plain(n) for n in header(head)], source) is not None or _is_web_export(head)


def read(source: Source, context: Context) -> Recording:
    """Read one file of an export.

    Raises:
        DumpError: it holds no value with a time.
    """
    found = Gathered()
    if is_json(source):
        gather_json(read_json(source), source.only.base, context.calendar, found)
        return found.recording(context, "Fitbit")
    for text in _sections(source.only.read(context.most_bytes)):
        table = parse_table(text)
        gather = _table_reader([plain(n) for n in table.names], source)
        if gather:
            gather(table, context, found)
    return found.recording(context, "Fitbit")


def _table_reader(names: Sequence[str], source: Source) -> _Gather | None:
    """How a table with these columns is read; None where it is no Fitbit table."""
    own = frozenset(names)
    for wanted, key, prefix in _DAILY:
        if wanted <= own:
            return lambda table, context, into: _daily(table, key, prefix, context.calendar, into)
    name = source.name.lower().rsplit("!", 1)[-1].rsplit("/", 1)[-1]
    if {"timestamp", "beatsperminute"} <= own and _DAYS.match(name):
        return lambda table, context, into: _daily(table, "timestamp", "resting", context.calendar, into)
    for wanted, key, kinds in _POINTS:
        if wanted == own or (wanted <= own and "value" not in wanted):
            return lambda table, context, into: _points(table, key, kinds, context.calendar, into)
    if own == {"timestamp", "value"} and "spo2" in name:
        return lambda table, context, into: _points(table, "timestamp", {"value": "spo2"}, context.calendar, into)
    date = next((n for n in _DATES if n in own), None)
    if date and len(own & _DAILY_NAMES) >= 2:
        return lambda table, context, into: _daily(table, date, "", context.calendar, into)
    return None


def _is_web_export(head: bytes) -> bool:
    lines = [line.strip().strip('"').lower() for line in decoded(head).splitlines()[:2]]
    return len(lines) == 2 and lines[0] in _SECTIONS and lines[1].startswith(("date", "start time"))


def _sections(data: bytes) -> list[bytes]:
    """The web export's tables, each under a line that names it; any other file as it is."""
    if not _is_web_export(data[:8192]):
        return [data]
    parts: list[list[str]] = []
    for line in decoded(data).splitlines():
        if line.strip().strip('"').lower() in _SECTIONS or not parts:
            parts.append([])
        elif line.strip():
            parts[-1].append(line)
    return ["\n".join(lines).encode() for lines in parts if len(lines) > 1]


def _points(table: TextTable, key: str, kinds: Mapping[str, str], calendar: Calendar, into: Gathered) -> None:
    names = [plain(n) for n in table.names]
    _one_person(table, names)
    times = _times(table.column(names.index(key)), calendar)
    phone = np.array([bool(_PHONES.search(s)) for s in _column(table, names, "datasource")], np.bool_)
    for name, kind in kinds.items():
        if name in names:
            values = np.array([as_number(v) for v in table.column(names.index(name))])
            if kind == "spo2":
                measured = values != _NO_OXYGEN
                into.told["minutes at 50 %, Fitbit's sign that no oxygen could be measured"] += int((~measured).sum())
                into.points(kind, times[measured], values[measured])
            elif kind == "steps":
                into.points("steps_phone", times[phone], values[phone])
                into.points(kind, times[~phone], values[~phone])
            else:
                into.points(kind, times, values)


def _column(table: TextTable, names: Sequence[str], name: str) -> list[str]:
    return table.column(names.index(name)) if name in names else [""] * len(table.rows)


def _times(texts: Sequence[str], calendar: Calendar) -> Times:
    """ISO times, or American ones as Fitabase writes them."""
    series = pl.Series(texts, dtype=pl.String)
    if "/" in next((t for t in texts if t), ""):
        parsed = pl.select(pl.coalesce(series.str.to_datetime(f, time_unit="us", strict=False) for f in _AMERICAN))
        series = parsed.to_series().dt.strftime("%Y-%m-%dT%H:%M:%S").fill_null("")
    return written_us(series, calendar)


def _daily(table: TextTable, key: str, prefix: str, calendar: Calendar, into: Gathered) -> None:
    names = [plain(n) for n in table.names]
    _one_person(table, names)
    texts = [_local_day(t, calendar) for t in table.column(names.index(key))]
    # Fitabase writes American dates; elsewhere a day above 12 says which comes first.
    american = False if key in {"activitydate", "sleepday"} else None
    first = days_first(texts)
    parsed = [parse(t, day_first=american if first is None else first) if t else None for t in texts]
    dates = [None if p is None or isinstance(p, int) else p.date() for p in parsed]
    into.told["rows without a readable date"] += dates.count(None)
    for n, name in enumerate(table.names):
        if names[n] and names[n] not in _IDS and names[n] != key:
            label = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()).strip("_")
            label = label if not prefix or label.startswith(prefix) or prefix == "day" else f"{prefix}_{label}"
            for date, value in zip(dates, table.column(n), strict=True):
                into.day(date, _SAME.get(label, label[:60]), value)


def _local_day(text: str, calendar: Calendar) -> str:
    """The date of a time: the wearer's where it names an offset, but midnight UTC stands for the date itself."""
    written = re.split(r"[T ]", text)[0]
    when = parse(text) if text.endswith("Z") and "T00:00:00" not in text else None
    return str(calendar.day(to_us(when, calendar))) if isinstance(when, datetime) else written


def _one_person(table: TextTable, names: Sequence[str]) -> None:
    if "id" in names and len(set(table.column(names.index("id")))) > 1:
        message = "a table of several wearers: split it by its Id column into inbox/<participant>/"
        raise DumpError(message)


READER = Reader("fitbit", "3", _claims, read)
