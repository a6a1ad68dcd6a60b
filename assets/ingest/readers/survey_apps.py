"""What survey apps do differently: turns their exports into plain tables of participant, time and items.

m-Path writes seconds on the participant's *own* clock; RADAR-base nests answers by number; AWARE keeps the question in
a JSON field; Beiwe writes one file a survey and its time only in the file name; Qualtrics has three header rows. Each
is known by its columns; a table of no known app passes unchanged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from assets.ingest.readers.text_tables import TextTable, plain
from assets.ingest.source import Source

_MPATH = {"timestampscheduled", "timestampsent", "timestampstart", "timestampstop"}
_BEIWE_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[ T_](\d{2})[_:-](\d{2})[_:-](\d{2})(?:[+_]00[_:-]?00)?")
_AWARE_ANSWERED = {"2", "2.0", ""}


def is_beiwe(names: Sequence[str]) -> bool:
    """Whether a header is that of a Beiwe survey, whose rows carry no time."""
    return {"questionid", "questiontext", "answer"} <= {plain(n) for n in names}


def adapted(table: TextTable, source: Source) -> TextTable:
    """The table with one row a prompt or answer, and its time on a clock that the reader understands."""
    names = {plain(n) for n in table.names}
    for known, adapt in _APPS:
        if known(names):
            return adapt(table, source)
    return table


def _mpath(table: TextTable, source: Source) -> TextTable:
    """Seconds since 1970 *of the local clock* become local times without an offset."""
    del source
    clocks = [n for n, name in enumerate(table.names) if plain(name) in _MPATH]
    drop = {"timezoneoffset", "deltautc", "originaltimestampsent"}
    kept = [n for n, name in enumerate(table.names) if plain(name) not in drop]
    rows = [[_local(row[n]) if n in clocks else row[n] for n in kept] for row in table.rows]
    renamed = {"timestampstop": "completed", "timestampstart": "started", "timestampsent": "sent"}
    names = [renamed.get(plain(table.names[n]), table.names[n]) for n in kept]
    return TextTable(tuple(names), rows, table.ragged)


def _local(text: str) -> str:
    try:
        return datetime.fromtimestamp(float(text), UTC).replace(tzinfo=None).isoformat(" ")
    except (ValueError, OverflowError, OSError):
        return ""


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
    """One ESM question a row: its name lies in a JSON field, 0 as answer time means none."""
    del source
    where = {plain(name): n for n, name in enumerate(table.names)}
    answered = where.get("doubleesmuseranswertimestamp", where.get("timestamp", 0))
    rows = [
        [row[where["deviceid"]], row[answered], _esm_question(row[where["esmjson"]]), row[where["esmuseranswer"]]]
        for row in table.rows
        if row[where["esmstatus"]].strip() in _AWARE_ANSWERED and row[answered].strip() not in {"0", "0.0", ""}
    ]
    return TextTable(("participant", "time", "item", "value"), rows, table.ragged)


def _esm_question(text: str) -> str:
    try:
        told = json.loads(text)
    except ValueError:
        return ""
    return str(next((told[k] for k in ("esm_id", "esm_trigger", "esm_title", "esm_instructions") if told.get(k)), ""))


def _beiwe(table: TextTable, source: Source) -> TextTable:
    """One survey a file, one question a row, the UTC time in the file's name."""
    where = {plain(name): n for n, name in enumerate(table.names)}
    match = _BEIWE_TIME.search(source.name)
    when = f"{match[1]}T{match[2]}:{match[3]}:{match[4]}Z" if match else ""
    rows = [
        [when, row[where[key]], row[where["answer"]]] for row in table.rows for key in ("questionid", "questiontext")
    ]
    return TextTable(("time", "item", "value"), rows, table.ragged)


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
    (lambda names: {"deviceid", "esmjson", "esmuseranswer", "esmstatus"} <= names, _aware),
    (lambda names: {"questionid", "questiontext", "answer"} <= names, _beiwe),
    (lambda names: {"recordeddate", "startdate", "responseid"} <= names, _qualtrics),
)
