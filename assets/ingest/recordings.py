"""The unit `recordings`: each participant-day's signals, events, clips and answers, from all dumps that touch it.

A day is a pure function of the dumps in state `read` that touch it and of the settings they are read with; it is
made by reading those dumps again from the inbox, never by adding to what stands in the lake. So a dump that is
withdrawn or corrected leaves exactly the days it touched as if it had never been, or always been right.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date as Date

import polars as pl

from assets.days import Calendar
from assets.errors import DumpError
from assets.ingest.entries import READ, Entry, load
from assets.ingest.inbox import Found, scan
from assets.ingest.overlap import events_once, segments_once
from assets.ingest.readers.base import Context
from assets.ingest.reading import read_dump
from assets.ingest.recording import Clip, Events, Recording, Segment
from assets.lake import Key
from assets.ledger import digest
from assets.study import Home, Study
from assets.tables import EVENTS, SELF_REPORTS, SIGNALS, VOICE_CLIPS
from assets.units import Frames, Unit, forget, stamped

CACHE_BYTES = 192 * 2**20


def wanted_recordings(home: Home, study: Study, dates: set[Date] | None = None) -> dict[Key, str]:
    """The participant-days that should exist, each with the digest of what goes into it.

    Args:
        home: the data home.
        study: its settings (all that matter are in each dump's fingerprint).
        dates: only these days; None for all.
    """
    del study
    parts: dict[Key, list[tuple[object, ...]]] = defaultdict(list)
    for entry in load(home):
        for key in entry.keys:
            if dates is None or key.date in dates:
                parts[key].append((entry.dump, entry.reader, entry.read_with, entry.first_us, entry.last_us))
    return {key: digest(sorted(map(str, inputs))) for key, inputs in parts.items()}


def tidy_recordings(home: Home, study: Study) -> set[Key]:
    """Remove the participant-days that no dump in the inbox touches any more; gives which."""
    wanted = wanted_recordings(home, study)
    gone = {key for key, _ in stamped(home, RECORDINGS) if key not in wanted}
    if gone:
        forget(RECORDINGS, home, gone)
    return gone


def compute(home: Home, study: Study, participant: str, days: tuple[Date, ...]) -> Iterator[tuple[Date, Frames]]:
    """Make some days of one participant from the dumps that touch them.

    Raises:
        DumpError: a dump changed or vanished since it was catalogued; the next look at the inbox settles it.
    """
    calendar = Calendar.of(study, participant)
    touching: dict[Date, list[Entry]] = defaultdict(list)
    for entry in load(home):
        for day in {t.date for t in entry.touches if t.participant == participant} if entry.state == READ else ():
            touching[day].append(entry)
    dumps = _Dumps(home, study)
    for day in sorted(days):
        read = [(e.dump, dumps.get(e)) for e in sorted(touching[day], key=lambda e: e.dump)]
        yield day, frames(read, participant, calendar.span_us(day))


def frames(read: Sequence[tuple[str, Recording]], participant: str, span: tuple[int, int]) -> Frames:
    """One day's tables out of the recordings that touch it.

    Args:
        read: each dump's identity with what it holds.
        participant: whose answers count.
        span: the day's first and last moment (UTC µs), the last one not included.
    """
    segments = segments_once([(dump, s) for dump, r in read for s in r.segments if _meets(s, span)])
    events = events_once([(dump, e) for dump, r in read for e in r.events])
    return {
        SIGNALS: _signals(segments, span),
        EVENTS: _events(events, span),
        VOICE_CLIPS: _clips([(dump, c) for dump, r in read for c in r.clips], span),
        SELF_REPORTS: _answers([(dump, r.answers) for dump, r in read], participant, span),
    }


def faults(signals: pl.DataFrame, span: tuple[int, int]) -> list[str]:
    """What is wrong with a day's signals: samples outside the day, in two segments at once, or not finite."""
    length = pl.col("samples").list.len()
    end = pl.col("start_us") + (length / pl.col("rate_hz") * 1e6)
    told = signals.select(
        "signal",
        "start_us",
        end=end,
        outside=(pl.col("start_us") < span[0]) | (end - 1e6 / pl.col("rate_hz") >= span[1]),
        infinite=~pl.col("samples").list.eval(pl.element().is_finite()).list.all(),
    ).sort("signal", "start_us")
    twice = told.filter(pl.col("end").shift(1).over("signal") > pl.col("start_us") + 1e6)
    counts = {
        "segments outside the day": int(told["outside"].sum()),
        "segments with samples that are no number": int(told["infinite"].sum()),
        "segments overlapping the one before": twice.height,
    }
    return [f"{count} {what}" for what, count in counts.items() if count]


class _Kept:
    """The last recordings used, up to a bound of memory."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[object, Recording] = OrderedDict()

    def get(self, key: object, read: Callable[[], Recording]) -> Recording:
        """What is kept under a key, or what `read` gives."""
        if key not in self._kept:
            recording = read()
            while self._kept and sum(r.bytes for r in self._kept.values()) + recording.bytes > self._most:
                self._kept.popitem(last=False)
            self._kept[key] = recording
        self._kept.move_to_end(key)
        return self._kept[key]


# Tables of the whole cohort serve every participant that this process works on; a participant's own dumps serve
# neighbouring days and are let go with the task.
_TABLES = _Kept(64 * 2**20)


class _Dumps:
    """Reads a participant's dumps again."""

    def __init__(self, home: Home, study: Study) -> None:
        self._home, self._study = home, study
        self._found: dict[str, dict[str, Found]] = {}
        self._own = _Kept(CACHE_BYTES)

    def get(self, entry: Entry) -> Recording:
        """A dump's recording, read again unless it still is in memory."""
        kept = self._own if entry.participant else _TABLES
        return kept.get((self._home, entry.dump, entry.signature, entry.read_with), lambda: self._read(entry))

    def _read(self, entry: Entry) -> Recording:
        found = self._listing(entry.path).get(entry.path)
        if found is None or found.signature != entry.signature:
            message = f"{entry.path} changed or vanished after it was catalogued; the next run looks at it again"
            raise DumpError(message)
        return read_dump(found.source(), Context(self._study, entry.participant))[1]

    def _listing(self, path: str) -> dict[str, Found]:
        first = path.partition("/")[0]
        if first not in self._found:
            self._found[first] = {f.path: f for f in scan(self._home.inbox, first)}
        return self._found[first]


def _meets(segment: Segment, span: tuple[int, int]) -> bool:
    return segment.start_us < span[1] and segment.end_us > span[0]


def _signals(segments: Iterable[tuple[str, Segment]], span: tuple[int, int]) -> pl.DataFrame:
    kept = []
    for dump, segment in segments:
        first, last = segment.first_index(span[0]), segment.first_index(span[1])
        if last > first:
            kept.append((dump, segment.part(first, last)))
    return pl.DataFrame(
        {
            "signal": [s.signal for _, s in kept],
            "unit": [s.unit for _, s in kept],
            "start_us": [s.start_us for _, s in kept],
            "rate_hz": [s.rate_hz for _, s in kept],
            "samples": pl.Series("samples", [pl.Series(s.samples) for _, s in kept], dtype=pl.List(pl.Float32())),
            "dump": [dump for dump, _ in kept],
        },
        schema=SIGNALS.empty().schema,
    )


def _events(events: Iterable[tuple[str, Events]], span: tuple[int, int]) -> pl.DataFrame:
    kept = [(dump, e.take((e.time_us >= span[0]) & (e.time_us < span[1]))) for dump, e in events]
    parts = [
        pl.DataFrame(
            {
                "time_us": e.time_us,
                "kind": [e.kind] * len(e.time_us),
                "value": pl.Series(e.value).fill_nan(None),
                "valid": e.valid,
                "dump": [dump] * len(e.time_us),
            },
            schema=EVENTS.empty().schema,
        )
        for dump, e in kept
    ]
    return pl.concat(parts) if parts else EVENTS.empty()


def _clips(clips: Iterable[tuple[str, Clip]], span: tuple[int, int]) -> pl.DataFrame:
    """The day's clips; of two that begin at one moment the longer one."""
    kept: dict[int, tuple[str, Clip]] = {}
    for dump, clip in sorted(clips, key=lambda x: (x[1].duration_s, x[0])):
        if span[0] <= clip.time_us < span[1]:
            kept[clip.time_us] = (dump, clip)
    names = ("time_us", "duration_s", "peak", "clipped", "flac", "reason")
    return VOICE_CLIPS.frame([{n: getattr(c, n) for n in names} | {"dump": d} for d, c in kept.values()])


def _answers(answers: Iterable[tuple[str, pl.DataFrame]], participant: str, span: tuple[int, int]) -> pl.DataFrame:
    """The day's answers, one a time and item; where exports differ, the one with more answers counts."""
    parts = []
    for dump, frame in answers:
        own = frame.filter(participant=participant)
        day = own.filter(pl.col("time_us").is_between(*span, closed="left"))
        if day.height:
            parts.append(day.with_columns(pl.lit(dump).alias("dump"), pl.lit(own.height).alias("size")))
    if not parts:
        return SELF_REPORTS.empty()
    ordered = pl.concat(parts).sort("size", "dump", descending=[True, False], maintain_order=True)
    return ordered.unique(["time_us", "item"], keep="first", maintain_order=True).select(SELF_REPORTS.empty().columns)


RECORDINGS = Unit(
    name="recordings",
    code="1",
    tables=(SIGNALS, EVENTS, VOICE_CLIPS, SELF_REPORTS),
    compute=compute,
    whole_participant=True,
)
