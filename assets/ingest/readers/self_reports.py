"""Self-report tables: CSV, TSV, XLSX or JSON; one column an item (wide) or one row an answer (long).

The participant is a column, or the folder that the table lies in. Times carry an offset or a zone name, or are on
the participant's own clock; where several columns hold times, the one of answering counts. Columns that are neither
are named in a remark, so that a misspelt item is noticed. What single survey apps do differently stands in
`survey_apps.py`, what becomes of values in `answers.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from assets.errors import DumpError
from assets.ingest.readers.answers import Rows, answers, item_named, known_items
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.json_tables import is_json, json_table, read_json
from assets.ingest.readers.survey_apps import adapted, is_beiwe
from assets.ingest.readers.text_tables import TextTable, header, parse_table, plain
from assets.ingest.readers.workbooks import is_workbook, sheets
from assets.ingest.recording import Recording
from assets.ingest.source import Source
from assets.study import Study

PARTICIPANT_NAMES = (
    "participant", "participantid", "participantcode", "participantnumber", "pid", "ppid", "subject", "subjectid",
    "subjid", "subj", "studyid", "studycode", "token", "externalreference", "userid", "user", "recordid", "alias",
    "connectionid", "accesscode", "code", "deviceid", "id",
)  # fmt: skip
# In order of preference: when it was answered, then when it was begun, then when it was asked.
TIME_NAMES = (
    "timecompleted", "completedat", "completed", "completiontime", "answeredat", "answertime", "answered",
    "submitdate", "datesubmitted", "submittedat", "submitted", "responsetime", "responsedatetime", "recordeddate",
    "finishedat", "endtime", "enddate", "end", "time", "timestamp", "datetime", "timeutc", "utctime", "localtime",
    "dateandtime", "datestamp", "datelastaction", "start", "starttime", "started", "startedat", "startdate",
    "datestarted", "begin", "timestart", "prompttime", "promptedat", "notificationtime", "timenotification",
    "scheduledtime", "scheduled", "timestampscheduled", "sent",
)  # fmt: skip
DATE_NAMES = ("date", "day", "answerdate", "responsedate")
CLOCK_NAMES = ("time", "clock", "timeofday", "hour", "clocktime")
ZONE_NAMES = ("timezone", "tz", "zone", "utcoffset", "offset", "timezoneoffset")
ITEM_NAMES = ("item", "question", "questionid", "variable", "questionname", "itemname", "scale", "key", "name")
VALUE_NAMES = ("value", "answer", "response", "score", "rating", "result")
_ANSWER = ("participant", "time_us", "item")
_SHOWN = 8
_UNFIT = "fields too many, a quote that is never closed, or cut off"
_SCORED = re.compile(r"likert$", re.IGNORECASE)  # what the study made an option worth, before its place in the list


@dataclass(frozen=True)
class Found:
    """Which columns hold what (indices); `used` are all that are understood."""

    who: int | None
    zone: int | None
    times: Sequence[str]
    used: frozenset[int]


def _claims(source: Source) -> bool:
    if not source.single:
        return False
    if is_workbook(source) or is_json(source):
        return True
    names = header(source.head())
    return is_beiwe(names) or any(_is_time(_known(n)) for n in names)


def read(source: Source, context: Context) -> Recording:
    """Read a table, whichever way it was exported.

    Raises:
        DumpError: it has no column of times, no item of the study, or no answer that can be used.
    """
    if is_json(source):
        return _read(adapted(json_table(read_json(source)), source), context)
    data = source.only.read(context.most_bytes)
    if not is_workbook(source):
        return _read(adapted(parse_table(data), source), context)
    return _sheets(data, source, context)


def _sheets(data: bytes, source: Source, context: Context) -> Recording:
    """All sheets of a workbook that hold answers as one recording; of an answer in several, the first sheet counts."""
    found: dict[str, Recording] = {}
    without: dict[str, str] = {}
    for name, sheet in sheets(data, context.most_bytes):
        try:
            found[name] = _read(adapted(sheet, source), context)
        except DumpError as error:
            without[name] = str(error)
    if not found:
        message = next(reversed(without.values()), "the workbook has no sheet with rows")
        raise DumpError(message)
    given = pl.concat([r.answers for r in found.values()])
    once = given.unique(_ANSWER, keep="first", maintain_order=True).sort(_ANSWER)
    differing = given.unique().height - once.height
    remarks = [f"{name}: {said}" if len(found) > 1 else said for name, r in found.items() for said in r.remarks]
    remarks += [f"{differing} answers differ between sheets: the first sheet counts"] if differing else []
    remarks += [f"sheets without answers: {_listed(without)}"] if without else []
    prompts = sum(int(str(r.facts["prompts"])) for r in found.values())
    facts = {"device": "self-reports", "prompts": prompts, "answers": once.height}
    return Recording(answers=once, facts=facts, remarks=remarks)


def _read(table: TextTable, context: Context) -> Recording:
    names = [_known(n) for n in table.names]
    found = _columns(table, names)
    item, value = _first(names, ITEM_NAMES), _first(names, VALUE_NAMES)
    items = known_items(context)
    wide, others = _wide(table, found, items)
    if not wide and item is not None and value is not None:
        values, unknown = _long(table, item, value, items)
        understood = found.used | {item, value}
    else:
        values, unknown = {known: table.column(n) for known, n in wide.items()}, []
        understood = found.used | set(wide.values())
    if not values:
        message = f"none of its columns is an item of study.toml: it has {_listed(unknown or table.names)}; "
        message += f"the study has {_listed(context.study.items)} (an item's aliases may name what exports "
        message += "call it; a device's own table is mapped in [formats])"
        raise DumpError(message)
    left = unknown or [table.names[n] for n, name in enumerate(names) if name and n not in understood]
    what = "questions" if unknown else "columns"
    remarks = [f"{what} that are no item of the study: {_listed(left)}"] if left else []
    remarks += [f"several columns mean {name}: {table.names[wide[name]]} counts" for name in others]
    remarks += [f"{table.ragged} rows do not fit the header ({_UNFIT}), left out"] if table.ragged else []
    participants = table.column(found.who) if found.who is not None else None
    zones = table.column(found.zone) if found.zone is not None else None
    return answers(Rows(found.times, values, participants, zones), context, remarks)


def _wide(table: TextTable, found: Found, items: dict[str, str]) -> tuple[dict[str, int], list[str]]:
    """Each item's column, and the items that several columns mean.

    Of these the one that is called as the item is counts, else the one with most values.
    """
    columns: dict[str, list[int]] = {}
    for n, text in enumerate(table.names):
        known = item_named(text, items) if n not in found.used else None
        if known:
            columns.setdefault(known, []).append(n)

    def worth(n: int) -> tuple[bool, int, bool]:
        name = table.names[n]
        return plain(name) in items, sum(map(bool, table.column(n))), _SCORED.search(name) is not None

    best = {name: max(own, key=worth) for name, own in columns.items()}
    return best, [name for name, own in columns.items() if len(own) > 1]


def _long(
    table: TextTable, item: int, value: int, items: dict[str, str]
) -> tuple[dict[str, Sequence[str]], Sequence[str]]:
    """One answer a row: each item's values with nothing in the rows of the others, and what is no item."""
    asked = [item_named(text, items) for text in table.column(item)]
    given = table.column(value)
    present = dict.fromkeys(a for a in asked if a)
    values: dict[str, Sequence[str]] = {
        known: [v if a == known else "" for a, v in zip(asked, given, strict=True)] for known in present
    }
    unknown = dict.fromkeys(t for t, a in zip(table.column(item), asked, strict=True) if a is None and t)
    return values, list(unknown)


def _columns(table: TextTable, names: Sequence[str]) -> Found:
    found = [n for name in TIME_NAMES for n, own in enumerate(names) if own == name]
    found += [n for n, own in enumerate(names) if own not in TIME_NAMES and _is_time(own) and own not in DATE_NAMES]
    date, clock = _first(names, DATE_NAMES), _first(names, CLOCK_NAMES)
    used = {*found, *(n for n in (date, clock) if n is not None)}
    who, zone = _who(table, names), _first(names, ZONE_NAMES)
    used |= {n for n in (who, zone) if n is not None}
    return Found(who, zone, _times(table, found, date, clock), frozenset(used))


def _who(table: TextTable, names: Sequence[str]) -> int | None:
    """The participant's column; a column of ids that are all different numbers the rows."""
    for n in (names.index(name) for name in PARTICIPANT_NAMES if name in names):
        ids = [c for c in table.column(n) if c]
        if ids and not (names[n] in {"id", "code", "recordid"} and len(ids) > 3 and len(set(ids)) == len(ids)):
            return n
    return None


def _times(table: TextTable, found: Sequence[int], date: int | None, clock: int | None) -> list[str]:
    """Each row's time as text: the best column, and where that is empty the next."""
    if date is not None and clock is not None and _clock_only(table.column(clock)):
        return [f"{d} {t}".strip() for d, t in zip(table.column(date), table.column(clock), strict=True)]
    columns = [table.column(n) for n in [*found, *([date] if date is not None else [])]]
    columns = [c for c in columns if any(c)]
    if not columns:
        message = "none of its columns holds times: a column such as 'time' (2026-01-31T09:15:00+01:00) is needed"
        raise DumpError(message)
    return [next((t for t in row if t), "") for row in zip(*columns, strict=True)]


def _known(text: str) -> str:
    """A column's plain name; of a decorated one (`submitdate. Date submitted`, `key.userId`) the part that is known."""
    forms = [plain(text), plain(text.split(".", maxsplit=1)[0]), plain(text.rsplit(".", 1)[-1])]
    known = {*TIME_NAMES, *DATE_NAMES, *PARTICIPANT_NAMES, *ZONE_NAMES}
    return next((form for form in forms if form in known), forms[0])


def _is_time(name: str) -> bool:
    """Whether a column's plain name says that it holds times (REDCap: `<form>_timestamp`)."""
    return name in TIME_NAMES or name in DATE_NAMES or bool(re.search(r"(?:timestamp|datetime)$", name))


def _clock_only(texts: Sequence[str]) -> bool:
    given = [t for t in texts if t][:50]
    return bool(given) and all(len(t) <= 15 and ":" in t and t[:2].strip(":").isdigit() for t in given)


def _first(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")


def _depends(study: Study) -> object:
    return {name: item.model_dump(mode="json") for name, item in study.items.items()}


READER = Reader("self_reports", "4", _claims, read, _depends)
