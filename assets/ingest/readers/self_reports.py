"""Self-report tables: one row a prompt, one column an item of the study, a participant and a time.

The participant is a column, or the folder that the table lies in. Times carry an offset or a zone name, or are on
the participant's own clock; where several columns hold times, the one of answering counts. Columns that are neither
are named in a remark, so that a misspelt item is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assets.errors import DumpError
from assets.ingest.readers.answers import Rows, answers, known_items
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.text_tables import TextTable, header, parse_table, plain
from assets.ingest.recording import Recording
from assets.ingest.source import Source
from assets.study import Study

PARTICIPANT_NAMES = (
    "participant", "participantid", "participantcode", "participantnumber", "pid", "ppid", "subject", "subjectid",
    "subjid", "subj", "studyid", "studycode", "userid", "user", "recordid", "connectionid", "alias", "code", "id",
)  # fmt: skip
# In order of preference: when it was answered, then when it was begun, then when it was asked.
TIME_NAMES = (
    "timecompleted", "completedat", "completed", "completiontime", "answeredat", "answertime", "answered", "submitdate",
    "submittedat", "submitted", "responsetime", "responsedatetime", "recordeddate", "finishedat", "endtime", "enddate",
    "end", "time", "timestamp", "datetime", "timeutc", "utctime", "localtime", "dateandtime", "datestamp", "start",
    "starttime", "startedat", "startdate", "begin", "timestart", "prompttime", "promptedat", "notificationtime",
    "timenotification", "scheduledtime", "scheduled", "sent",
)  # fmt: skip
DATE_NAMES = ("date", "day", "answerdate", "responsedate")
CLOCK_NAMES = ("time", "clock", "timeofday", "hour", "clocktime")
ZONE_NAMES = ("timezone", "tz", "zone", "utcoffset", "offset", "timezoneoffset")
_SHOWN = 8


def _claims(source: Source) -> bool:
    if not source.single:
        return False
    names = [plain(n) for n in header(source.head())]
    return any(n in TIME_NAMES or n in DATE_NAMES for n in names)


def read(source: Source, context: Context) -> Recording:
    """Read a wide table.

    Raises:
        DumpError: it has no column of times, no item of the study, or no answer that can be used.
    """
    table = parse_table(source.only.read(context.most_bytes))
    names = [plain(n) for n in table.names]
    who, zone = _first(names, PARTICIPANT_NAMES), _first(names, ZONE_NAMES)
    times, used = _times(table, names)
    items = known_items(context)
    columns = {n: items[name] for n, name in enumerate(names) if name in items and n not in used}
    if not columns:
        message = f"none of its columns is an item of study.toml: it has {_listed(table.names)}; "
        message += f"the study has {_listed(items.values())}"
        raise DumpError(message)
    understood = {*columns, who, zone, *used}
    unknown = [table.names[n] for n, name in enumerate(names) if name and n not in understood]
    remarks = [f"columns that are no item of the study: {_listed(unknown)}"] if unknown else []
    remarks += [f"{table.ragged} rows have more fields than the header, left out"] if table.ragged else []
    rows = Rows(
        times=times,
        values={item: table.column(n) for n, item in columns.items()},
        participants=table.column(who) if who is not None else None,
        zones=table.column(zone) if zone is not None else None,
    )
    return answers(rows, context, remarks)


def _times(table: TextTable, names: Sequence[str]) -> tuple[list[str], set[int]]:
    """Each row's time as text, and the columns of times."""
    found = [n for name in TIME_NAMES for n, own in enumerate(names) if own == name]
    date, clock = _first(names, DATE_NAMES), _first(names, CLOCK_NAMES)
    used = {*found, *(n for n in (date, clock) if n is not None)}
    if date is not None and clock is not None and _clock_only(table.column(clock)):
        return [f"{d} {t}".strip() for d, t in zip(table.column(date), table.column(clock), strict=True)], used
    for n in [*found, *([date] if date is not None else [])]:
        texts = table.column(n)
        if any(texts):
            return texts, used
    message = "none of its columns holds times: a column such as 'time' (2026-01-31T09:15:00+01:00) is needed"
    raise DumpError(message)


def _clock_only(texts: Sequence[str]) -> bool:
    given = [t for t in texts if t][:50]
    return bool(given) and all(len(t) <= 15 and ":" in t and t[:2].strip(":").isdigit() for t in given)


def _first(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")


def _depends(study: Study) -> object:
    return {name: [item.low, item.high] for name, item in study.items.items()}


READER = Reader("self_reports", "1", _claims, read, _depends)
