"""What survey apps do differently: turns their exports into plain tables of participant, time and items.

m-Path writes seconds on the participant's *own* clock; RADAR-base nests answers by number; AWARE keeps the question in
a JSON field; Beiwe writes one file a survey and its time only in the file name; REDCap puts several forms into a row,
each with its own time; Qualtrics has three header rows. Each is known by its columns; a table of no known app passes
unchanged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from assets.errors import DumpError
from assets.ingest.readers.gathered import as_number
from assets.ingest.readers.text_tables import TextTable, plain
from assets.ingest.source import Source

_MPATH = {"timestampscheduled", "timestampsent", "timestampstart", "timestampstop"}
_MPATH_ASIDE = {"timezoneoffset", "deltautc", "originaltimestampsent"}
_FARTHEST_S, _QUARTER_S = 14 * 3600, 900
_BEIWE_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[ T_](\d{2})[_:-](\d{2})[_:-](\d{2})(?:[+_]00[_:-]?00)?")
_WHOSE = re.compile(r"^redcap_|(?:^|_)(?:id|code|token)$", re.IGNORECASE)
_ESM_NAMES = ("esm_id", "esm_trigger", "esm_title", "esm_instructions")
_AWARE_ANSWERED = {"2", "2.0", ""}


def is_beiwe(names: Sequence[str]) -> bool:
    """Whether a header is that of a Beiwe survey, whose rows carry no time."""
    return {"questionid", "questiontext", "answer"} <= {plain(n) for n in names}


def adapted(table: TextTable, source: Source) -> TextTable:
    """The table with one row a prompt or answer, and its time on a clock that the reader understands."""
    names = {plain(n) for n in table.names}
    if len(_redcap_forms(table.names)) > 1:
        return _redcap(table, source)
    for known, adapt in _APPS:
        if known(names):
            return adapt(table, source)
    return table


def _mpath(table: TextTable, source: Source) -> TextTable:
    """Seconds since 1970 *of the local clock* become times with the phone's own offset, which stands beside them."""
    del source
    where = {plain(name): n for n, name in enumerate(table.names)}
    clocks = {n for name, n in where.items() if name in _MPATH}
    choices = {n for name, n in where.items() if name.endswith(("choiceindex", "choicelikert"))}
    kept = [n for n, name in enumerate(table.names) if plain(name) not in _MPATH_ASIDE]
    zone = where.get("timezoneoffset")
    rows = []
    for row in table.rows:
        offset = _offset(row[zone]) if zone is not None else ""
        told = {n: _local(row[n], offset) for n in clocks}
        told |= {n: row[n].replace(",", " and ") for n in choices if "," in row[n]}  # no number with a comma
        rows.append([told.get(n, row[n]) for n in kept])
    renamed = {"timestampstop": "completed", "timestampstart": "started", "timestampsent": "sent"}
    names = [renamed.get(plain(table.names[n]), table.names[n]) for n in kept]
    return TextTable(tuple(names), rows, table.ragged)


def _local(text: str, offset: str) -> str:
    try:
        seconds = float(text)
        return f"{datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(' ')}{offset}" if seconds else ""
    except (ValueError, OverflowError, OSError):
        return ""


def _offset(text: str) -> str:
    """An offset in seconds as times are written (`+02:00`); nothing where it is none that any place has."""
    seconds = as_number(text)
    if not abs(seconds) <= _FARTHEST_S or seconds % _QUARTER_S:
        return ""
    hours, minutes = divmod(int(abs(seconds)) // 60, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02d}:{minutes:02d}"


def _radar(table: TextTable, source: Source) -> TextTable:
    """`value.answers.<n>.questionId` and `….value` become one column a question."""
    del source
    where = {plain(name): n for n, name in enumerate(table.names)}
    pairs = []
    for name, n in where.items():
        number = re.fullmatch(r"valueanswers(\d+)questionid", name)
        if number:
            value = next(
                (m for key, m in where.items() if re.fullmatch(rf"valueanswers{number[1]}value\w*", key)), None
            )
            pairs += [(n, value)] if value is not None else []
    fixed = [n for n, name in enumerate(table.names) if not plain(name).startswith("valueanswers")]
    questions = list(dict.fromkeys(row[q] for row in table.rows for q, _ in pairs if row[q]))
    names = [_last(table.names[n]) for n in fixed]
    rows = []
    for row in table.rows:
        given = {row[q]: row[v] for q, v in pairs}
        rows.append([*(row[n] for n in fixed), *(given.get(q, "") for q in questions)])
    return TextTable((*names, *questions), rows, table.ragged)


def _last(name: str) -> str:
    """`key.userId` → `userId`: Avro's key and value prefixes say nothing here."""
    return re.sub(r"^(?:key|value)\.", "", name)


def _radar_flat(table: TextTable, source: Source) -> TextTable:
    """The same of JSON, whose answers are columns already."""
    del source
    return TextTable(tuple(_last(n) for n in table.names), table.rows, table.ragged)


def _aware(table: TextTable, source: Source) -> TextTable:
    """One ESM question a row, named in a JSON field or (iOS) in columns; 0 as answer time means none.

    A question has several names, and which of them is the study's item is not known here: each becomes a row.
    """
    del source
    where = {plain(name): n for n, name in enumerate(table.names)}
    answered = where.get("doubleesmuseranswertimestamp", where.get("timestamp", 0))
    rows = []
    for row in table.rows:
        if row[where["esmstatus"]].strip() in _AWARE_ANSWERED and row[answered].strip() not in {"0", "0.0", ""}:
            told = _esm(row[where["esmjson"]]) if "esmjson" in where else {}
            told |= {key: row[where[plain(key)]] for key in _ESM_NAMES if _has(row, where, plain(key))}
            named = dict.fromkeys(str(told[key]) for key in _ESM_NAMES if told.get(key))
            fixed = row[where["deviceid"]], row[answered]
            rows += [[*fixed, name, row[where["esmuseranswer"]]] for name in named]
    return TextTable(("participant", "time", "item", "value"), rows, table.ragged)


def _has(row: Sequence[str], where: Mapping[str, int], name: str) -> bool:
    """Whether a row has a column of that name with something in it."""
    return name in where and bool(row[where[name]].strip())


def _esm(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    inner = told.get("esm", told) if isinstance(told, dict) else {}
    return inner if isinstance(inner, dict) else {}


def _beiwe(table: TextTable, source: Source) -> TextTable:
    """One survey a file, one question a row, the UTC time in the file's name."""
    where = {plain(name): n for n, name in enumerate(table.names)}
    if {"timestamp", "surveyid"} <= set(where):
        message = (
            "Beiwe's survey_timings, a log of every tap with answers that were still changed: the answers that count "
            "stand in survey_answers"
        )
        raise DumpError(message)
    match = _BEIWE_TIME.search(source.name)
    when = f"{match[1]}T{match[2]}:{match[3]}:{match[4]}Z" if match else ""
    rows = [
        [when, row[where[key]], row[where["answer"]]] for row in table.rows for key in ("questionid", "questiontext")
    ]
    return TextTable(("time", "item", "value"), rows, table.ragged)


def _redcap(table: TextTable, source: Source) -> TextTable:
    """A row a form: REDCap writes all forms of an event into one row, each between its own time and `…_complete`.

    Fields outside of every form with a time become a row without one.
    """
    del source
    forms = _redcap_forms(table.names)
    whose = [n for n, name in enumerate(table.names) if n == 0 or _WHOSE.search(name)]
    inside = {n for at, end in forms for n in range(at, end + 1)}
    fields = [n for n in range(len(table.names)) if n not in {*whose, *(at for at, _ in forms)}]
    outside = frozenset(n for n in fields if n not in inside)
    rows = []
    for row in table.rows:
        parts: list[tuple[str, Collection[int]]] = [(row[at], range(at + 1, end)) for at, end in forms]
        for when, part in (*parts, ("", outside)):
            own = [row[n] if n in part else "" for n in fields]
            if any(field.strip() for field in own):
                rows.append([*(row[n] for n in whose), when, *own])
    names = *(table.names[n] for n in whose), "time", *(table.names[n] for n in fields)
    return TextTable(names, rows, table.ragged)


def _redcap_forms(names: Sequence[str]) -> list[tuple[int, int]]:
    """Where each form with a time begins (`mood_timestamp`) and ends (`mood_complete`)."""
    ends = {name.removesuffix("_complete"): n for n, name in enumerate(names) if name.endswith("_complete")}
    starts = {name.removesuffix("_timestamp"): n for n, name in enumerate(names) if name.endswith("_timestamp")}
    return [(at, ends[form]) for form, at in starts.items() if at < ends.get(form, -1)]


def _qualtrics(table: TextTable, source: Source) -> TextTable:
    """Two more header rows: what was asked, and import ids."""
    del source
    at = next((n for n, row in enumerate(table.rows[:3]) if any('"ImportId"' in field for field in row)), -1)
    return TextTable(table.names, table.rows[at + 1 :], table.ragged)


_Known = Callable[[set[str]], bool]
_Adapt = Callable[[TextTable, Source], TextTable]
_APPS: tuple[tuple[_Known, _Adapt], ...] = (
    (lambda names: len(names & _MPATH) >= 2, _mpath),
    (lambda names: "valueanswers0questionid" in names, _radar),
    (lambda names: any(n.startswith(("valuetime", "keyuserid")) for n in names), _radar_flat),
    (lambda names: {"deviceid", "esmuseranswer", "esmstatus"} <= names, _aware),
    (lambda names: {"questionid", "questiontext", "answer"} <= names, _beiwe),
    (lambda names: {"recordeddate", "startdate", "responseid"} <= names, _qualtrics),
)
