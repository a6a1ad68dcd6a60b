"""The unit `recordings`: each participant-day's signals, events, clips and answers, from all dumps that touch it.

A day is a pure function of the dumps in state `read` that touch it and of the settings they are read with; it is
made by reading those dumps again from the inbox, never by adding to what stands in the lake. So a dump that is
withdrawn or corrected leaves exactly the days it touched as if it had never been, or always been right.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date as Date

from assets.days import Calendar
from assets.errors import DumpError
from assets.ingest.corrections import corrected, correction_of
from assets.ingest.day import frames
from assets.ingest.entries import READ, Entry, load
from assets.ingest.fingerprints import essence
from assets.ingest.inbox import Found, scan
from assets.ingest.readers.base import Context
from assets.ingest.reading import read_dump
from assets.ingest.recording import Recording
from assets.ingest.settling import copy_of
from assets.lake import Key
from assets.ledger import digest
from assets.study import Home, Study
from assets.tables import DAILY_VALUES, EVENTS, SELF_REPORTS, SIGNALS, VOICE_CLIPS
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
                how = essence(entry.read_with)
                parts[key].append((entry.dump, entry.reader, how, entry.first_us, entry.last_us))
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
    dumps = _Dumps(home, study, participant)
    for day in sorted(days):
        read = [(e.dump, dumps.get(e)) for e in sorted(touching[day], key=copy_of)]
        yield day, frames(read, calendar.span_us(day), day)


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

    def __init__(self, home: Home, study: Study, participant: str) -> None:
        self._home, self._study, self._participant = home, study, participant
        self._found: dict[str, dict[str, Found]] = {}
        self._own = _Kept(CACHE_BYTES)

    def get(self, entry: Entry) -> Recording:
        """What a dump holds of the participant, read again unless it still is in memory."""
        return self._own.get(copy_of(entry), lambda: self._of_participant(self._whole(entry)))

    def _whole(self, entry: Entry) -> Recording:
        if entry.participant:
            return self._read(entry)
        return _TABLES.get((self._home, entry.dump, entry.signature, entry.read_with), lambda: self._read(entry))

    def _of_participant(self, recording: Recording) -> Recording:
        own = {"participant": self._participant}
        answers, daily = recording.answers.filter(**own).sort("time_us"), recording.daily.filter(**own)
        return replace(recording, answers=answers, daily=daily)

    def _read(self, entry: Entry) -> Recording:
        found = self._listing(entry.path).get(entry.path)
        if found is None or found.signature != entry.signature:
            message = f"{entry.path} changed or vanished after it was catalogued; the next run looks at it again"
            raise DumpError(message)
        recording = read_dump(found.source(), Context(self._study, entry.participant))[1]
        return corrected(recording, correction_of(self._study, entry.path, entry.dump))

    def _listing(self, path: str) -> dict[str, Found]:
        first = path.partition("/")[0]
        if first not in self._found:
            self._found[first] = {f.path: f for f in scan(self._home.inbox, first)}
        return self._found[first]


RECORDINGS = Unit(
    name="recordings",
    code="3",
    tables=(SIGNALS, EVENTS, VOICE_CLIPS, SELF_REPORTS, DAILY_VALUES),
    compute=compute,
    whole_participant=True,
)
