"""Reading one dump from end to end: unpack it, choose its readers, put what they give together, see what it covers.

Pure: a source and a context in, a `Reading` out, or a `DumpError` with the reason. Called in worker processes by
the catalogue (`isolation.py` guards that) and again when the lake is written (`recordings.py`).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date as Date

import numpy as np
import polars as pl

from assets.days import SECOND_US, Calendar
from assets.errors import DumpError
from assets.ingest.archives import Unopened, units
from assets.ingest.readers.base import Context
from assets.ingest.readers.registry import reader_of
from assets.ingest.recording import Recording, Times, merged
from assets.ingest.source import Source

EARLIEST_US = 1_199_145_600 * SECOND_US  # 2008: before any device read here was sold
AHEAD_US = 2 * 86_400 * SECOND_US  # a device's clock may be a time zone or a day ahead of the file's time, not more
_SAYABLE_US = 2**62
FIRST_YEAR, LAST_YEAR = 1990, 2200  # of daily values; the clock's own check is narrower
_REMARKED = 5
_CALLED = {
    "beat": ("beat", "beats"), "tag": ("tag", "tags"), "steps": ("count of steps", "counts of steps"),
    "sleep": ("sleep stage", "sleep stages"), "clip": ("clip", "clips"), "answer": ("answer", "answers"),
    "daily": ("daily value", "daily values"),
}  # fmt: skip
_NAMED = 8


@dataclass(frozen=True)
class Touch:
    """A participant-day that a dump has data for, and how many hours of samples (0 for answers and clips)."""

    participant: str
    date: Date
    hours: float


@dataclass(frozen=True)
class Coverage:
    """What a dump holds, without the data: what the catalogue keeps of it."""

    reader: str
    first_us: int
    last_us: int
    touches: tuple[Touch, ...]
    facts: dict[str, object]
    remarks: tuple[str, ...]


def read_dump(source: Source, context: Context) -> tuple[str, Recording]:
    """Read a dump; gives the names of its readers joined by '+', and everything it holds.

    Raises:
        DumpError: nothing in it can be read; parts of an archive that cannot be read are remarks where others can.
    """
    found: list[Recording] = []
    names: Counter[str] = Counter()
    refused: list[str] = []
    parts = units(source, context.study.reading)
    for part in parts:
        try:
            name, recording = _read_part(part, context)
        except DumpError as error:
            if len(parts) == 1:
                raise
            refused.append(f"{part.path.rsplit('!', 1)[-1]}: {error}")
        else:
            found.append(recording)
            names[name] += 1
    if not found:
        message = f"nothing in the archive can be read: {_some(refused)}" if refused else "the archive is empty"
        raise DumpError(message)
    recording = merged(found)
    if recording.empty:
        message = f"nothing was recorded in it{': ' if recording.remarks else ''}{'; '.join(recording.remarks)}"
        raise DumpError(message)
    if refused:
        said = f"{len(refused)} of {len(parts)} files in the archive left out: {_some(refused)}"
        recording = replace(recording, remarks=[*recording.remarks, said])
    return "+".join(sorted(names)), recording


def _read_part(part: Source, context: Context) -> tuple[str, Recording]:
    if isinstance(part, Unopened):
        raise DumpError(part.reason)
    reader = reader_of(part, context.study)
    return reader.name, _of_participant(reader.read(part, context), context)


def coverage(reader: str, recording: Recording, context: Context, received_us: int) -> Coverage:
    """What a recording covers.

    Raises:
        DumpError: its clock is plainly wrong: before 2008, or days after the file itself was written.
    """
    spans = list(_spans(recording, context))
    first, last = min(s for s, _ in spans), max(e for _, e in spans)
    _check_clock(first, last, received_us)
    facts = {**recording.facts, "holds": held(recording)}
    return Coverage(reader, first, last, tuple(_touches(recording, context)), facts, tuple(recording.remarks))


def held(recording: Recording) -> str:
    """What a recording holds in a line: signals by their hours, and how many there are of all else; no values."""
    by_hours: dict[str, list[str]] = defaultdict(list)
    hours: dict[str, float] = defaultdict(float)
    for segment in recording.segments:
        hours[segment.signal] += len(segment.samples) / segment.rate_hz / 3600
    for signal in sorted(hours):
        names = by_hours[_duration(hours[signal])]
        name = re.sub(r"_[xyz]$", "", signal)
        names.extend([name] if name not in names else [])
    counts = Counter({"clip": len(recording.clips), "answer": recording.answers.height})
    counts["daily"] = recording.daily.height
    for events in recording.events:
        counts[events.kind] += len(events.time_us)
    sampled = [f"{_few(names)} {length}" for length, names in by_hours.items()]
    return " · ".join([*sampled, *(_counted(n, kind) for kind, n in sorted(counts.items()) if n)])


def _few(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:_NAMED])} and {more} more"


def _counted(number: int, kind: str) -> str:
    one, many = _CALLED.get(kind, (f"value of {kind}", f"values of {kind}"))
    return f"{number:,} {one if number == 1 else many}"


def _duration(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} h"
    return f"{hours * 60:.0f} min" if hours * 60 >= 1 else f"{hours * 3600:.2g} s"


def day_slices(times_us: Times, calendar: Calendar) -> Iterator[tuple[Date, int, int]]:
    """For sorted times, each local day that has some, with the range of its rows."""
    position = 0
    while position < len(times_us):
        day = calendar.day(int(times_us[position]))
        end = int(np.searchsorted(times_us, calendar.span_us(day)[1]))
        yield day, position, max(end, position + 1)
        position = max(end, position + 1)


def _of_participant(recording: Recording, context: Context) -> Recording:
    """Refuse sensors and clips that are nobody's."""
    if context.participant is None and (recording.segments or recording.events or recording.clips):
        message = "a recording of one person lies in a folder of tables: move it to inbox/<participant>/"
        raise DumpError(message)
    return recording


def _spans(recording: Recording, context: Context) -> Iterator[tuple[int, int]]:
    for segment in recording.segments:
        yield segment.start_us, segment.last_us
    for events in recording.events:
        if len(events.time_us):
            yield int(events.time_us.min()), int(events.time_us.max())
    for clip in recording.clips:
        yield clip.time_us, clip.time_us
    if recording.answers.height:
        times = recording.answers["time_us"].to_numpy()
        yield int(times.min()), int(times.max())
    for day in (recording.daily["date"].min(), recording.daily["date"].max()):
        if isinstance(day, Date):
            if not FIRST_YEAR <= day.year <= LAST_YEAR:
                message = f"it has values of {day}, which no study lived through; correct that date and copy it again"
                raise DumpError(message)
            start = context.calendar.span_us(day)[0]
            yield start, start


def _check_clock(first: int, last: int, received_us: int) -> None:
    if first >= EARLIEST_US and last <= max(received_us + AHEAD_US, EARLIEST_US):
        return
    when = np.array([max(min(first if first < EARLIEST_US else last, _SAYABLE_US), -_SAYABLE_US)], "datetime64[us]")[0]
    message = (
        f"its clock is wrong: it has data of {str(when)[:16].replace('T', ' ')} UTC, "
        f"{'before such devices existed' if first < EARLIEST_US else 'days later than the file itself'}; "
        "say when it really began in study.toml, [corrections], or correct the times and copy it again"
    )
    raise DumpError(message)


def _touches(recording: Recording, context: Context) -> list[Touch]:
    hours: dict[tuple[str, Date], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    calendar, own = context.calendar, context.participant or ""
    for segment in recording.segments:
        for day in calendar.days(segment.start_us, segment.last_us):
            start, end = calendar.span_us(day)
            count = segment.first_index(end) - segment.first_index(start)
            if count:
                hours[own, day][segment.signal] += count / segment.rate_hz / 3600
    for times in [
        *(np.sort(e.time_us) for e in recording.events),
        np.array([c.time_us for c in recording.clips], np.int64),
    ]:
        for day, _, _ in day_slices(np.sort(times), calendar):
            hours[own, day]["events"] += 0.0
    for participant, day in _answer_days(recording.answers, context):
        hours[participant, day]["answers"] += 0.0
    for day_of, name in recording.daily.select("date", "participant").unique().iter_rows():
        hours[name, day_of]["daily"] += 0.0
    ordered = sorted(hours, key=lambda k: (k[1], k[0]))
    return [Touch(p, d, round(max(hours[p, d].values()), 3)) for p, d in ordered]


def _answer_days(answers: pl.DataFrame, context: Context) -> Iterator[tuple[str, Date]]:
    for (participant,), rows in answers.group_by(["participant"], maintain_order=True):
        times = np.sort(rows["time_us"].to_numpy())
        for day, _, _ in day_slices(times, context.calendar_of(str(participant))):
            yield str(participant), day


def _some(reasons: Sequence[str]) -> str:
    return "; ".join(reasons[:_REMARKED]) + (
        f" and {len(reasons) - _REMARKED} more" if len(reasons) > _REMARKED else ""
    )
