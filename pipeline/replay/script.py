"""The script of a replay: which files arrive when, and what must follow from each arrival. Pure: nothing is written.

A dump's days follow from what was recorded; a participant-day's inputs change when the set of dumps that count for it
does. Counted here from the script alone, these changes are what the pipeline's own records are compared with.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from datetime import date as Date
from datetime import time as Time
from zoneinfo import ZoneInfo

from pipeline.replay.plot import ABROAD, VISITED, ZONE, Plot

PersonDay = tuple[str, Date]
WEAR_S, AFTER_S = 4200, 600
"""A session begins so long before the evening's prompt and ends so long after it."""
BAND, VOICE, ANSWERS, DAMAGED = "band", "voice", "answers", "damaged"
UNITS = ("recordings", "physiology", "summaries", "acoustic")
DAY_S = 86_400
COPY_S = 900
"""A file lies in the inbox so long after its recording ended, at the earliest."""
EVENING, NIGHT = Time(20, 30), Time(3, 0)
LAST_MINUTE = timedelta(seconds=45)
"""So long before the night begins files may still arrive and be settled in time."""
EVENING_EVERY, FIRST_EVENING = 3, 2


@dataclass(frozen=True)
class Dump:
    """One file: its place in the inbox, what it holds, whose days it touches, and when it was complete (UTC s)."""

    path: str
    kind: str
    touches: frozenset[PersonDay]
    ready_s: int
    participant: str = ""
    start_s: int = 0
    content: str = ""
    """Same content, same text; by default the path."""
    cut: bool = False
    firmware: bool = False

    @property
    def identity(self) -> str:
        """What tells its content from others'."""
        return self.content or self.path


@dataclass(frozen=True)
class Arrival:
    """Files that are put into the inbox, and taken out of it, at one moment (UTC)."""

    at: datetime
    put: tuple[Dump, ...] = ()
    taken: tuple[str, ...] = ()


@dataclass(frozen=True)
class Night:
    """A night: its date, what arrives since the night before, and what is special about it."""

    number: int
    date: Date
    arrivals: tuple[Arrival, ...]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recorded:
    """What one person gave on one day (UTC s): answers sent, those with a clip, the band's session."""

    answers_s: tuple[int, ...] = ()
    clips_s: tuple[int, ...] = ()
    session: tuple[int, int] | None = None


@dataclass
class Expected:
    """What must have become of everything that arrived so far; `changes` counts each day's changes by unit."""

    present: dict[str, Dump] = field(default_factory=dict)
    withdrawn: set[tuple[str, str]] = field(default_factory=set)
    changes: Counter[str] = field(default_factory=Counter)
    changed: dict[str, set[PersonDay]] = field(default_factory=lambda: {unit: set() for unit in UNITS})

    def after(self, arrival: Arrival) -> None:
        """Take an arrival in."""
        before = self._counting()
        for path in arrival.taken:
            self.withdrawn.add((path, self.present.pop(path).identity))
        for dump in arrival.put:
            old = self.present.get(dump.path)
            if old is not None and old.identity != dump.identity:
                self.withdrawn.add((dump.path, old.identity))
            self.present[dump.path] = dump
        self._count(before, self._counting())

    def states(self) -> dict[str, int]:
        """How many dumps the catalogue must hold in each state."""
        read = {d.identity for d in self.present.values() if _readable(d)}
        whole = sum(_readable(d) for d in self.present.values())
        refused = len(self.present) - whole
        found = {"read": len(read), "duplicate": whole - len(read), "quarantined": refused}
        return {k: v for k, v in {**found, "withdrawn": len(self.withdrawn)}.items() if v}

    def forget_changes(self) -> None:
        """Begin to count anew, for the next night."""
        self.changes.clear()
        for days in self.changed.values():
            days.clear()

    def _counting(self) -> dict[PersonDay, dict[str, frozenset[str]]]:
        """For each participant-day, the contents that count for it, by kind."""
        found: dict[PersonDay, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for dump in self.present.values():
            for day in dump.touches if _readable(dump) else ():
                found[day][dump.kind].add(dump.identity)
        return {day: {kind: frozenset(c) for kind, c in kinds.items()} for day, kinds in found.items()}

    def _count(
        self, before: dict[PersonDay, dict[str, frozenset[str]]], now: dict[PersonDay, dict[str, frozenset[str]]]
    ) -> None:
        days = sorted(before.keys() | now.keys())

        def differ(kinds: Sequence[str], days: Sequence[PersonDay]) -> set[PersonDay]:
            return {d for d in days if any(before.get(d, {}).get(k) != now.get(d, {}).get(k) for k in kinds)}

        body = differ((BAND,), days)
        due = {
            "recordings": differ((BAND, VOICE, ANSWERS), days),
            "physiology": body,
            "summaries": body | {_next(d) for d in body},
            "acoustic": differ((VOICE,), days),
        }
        needs = {
            "physiology": (BAND,),
            "summaries": (BAND,),
            "acoustic": (VOICE,),
            "recordings": (BAND, VOICE, ANSWERS),
        }
        for unit, changed in due.items():
            # A day that nothing is left of is removed, not computed.
            made = {d for d in changed if any(now.get(d, {}).get(k) for k in needs[unit])}
            self.changes[unit] += len(made)
            self.changed[unit] |= made


def write_script(plot: Plot, recorded: dict[int, dict[int, Recorded]], codes: dict[int, str]) -> list[Night]:
    """The script of a plot.

    Args:
        plot: what happens.
        recorded: by person and day.
        codes: the participants' codes by person.
    """
    waiting = sorted(_dumps(plot, recorded, codes), key=lambda d: (d.ready_s, d.path))
    held = {_session_path(codes[one.person], recorded[one.person][one.day]): one for one in plot.late}
    nights, given = [], dict[str, Dump]()
    for number in range(1, plot.nights + 1):
        arrivals, moments = [], _moments(plot, number)
        for at in moments:
            ready = [d for d in waiting if d.ready_s + COPY_S <= at.timestamp() and number not in plot.quiet]
            put = [d for d in ready if d.path not in held or held[d.path].night <= number]
            cut = [_cut(d) for d in ready if d not in put and held[d.path].cut and d.path not in given]
            waiting = [d for d in waiting if d not in put]
            given |= {d.path: d for d in (*cut, *put)}
            last = at == moments[-1]
            more = _extra(plot, number, at, [*given.values()]) if last else ()
            taken = _taken(plot, number, codes, [*given.values()]) if last else ()
            arrivals.append(Arrival(at, (*put, *cut, *more), taken))
        kept = tuple(a for a in arrivals if a.put or a.taken)
        nights.append(Night(number, plot.night_date(number), kept, plot.remarks(number)))
    return nights


def zones(plot: Plot, codes: dict[int, str]) -> dict[str, list[tuple[Date, str]]]:
    """Participants whose zone is not the study's: from which local date on, which."""
    found = {codes[plot.traveller]: [(plot.date(plot.away[0]), VISITED), (plot.date(plot.away[1]), ZONE)]}
    if plot.abroad is not None:
        found[codes[plot.abroad]] = [(plot.first_day - timedelta(days=1), ABROAD)]
    return found


def at_local(day: Date, wall: Time) -> datetime:
    """A moment of the study's clock, in UTC."""
    return datetime.combine(day, wall, ZoneInfo(ZONE)).astimezone(UTC)


def _dumps(plot: Plot, recorded: dict[int, dict[int, Recorded]], codes: dict[int, str]) -> Iterator[Dump]:
    """Every file of everyone who takes part: a band's session, clips, and one table of answers a person and day."""
    for person, days in recorded.items():
        code = codes[person]
        for day, given in days.items():
            if not plot.there(person, day):
                continue
            mine = frozenset({(code, plot.date(day))})
            if given.session:
                path, (start, end) = _session_path(code, given), given.session
                new = day >= plot.firmware
                yield Dump(path, BAND, mine, end, code, start, firmware=new)
            for sent in given.clips_s:
                stamp = datetime.fromtimestamp(sent, UTC)
                yield Dump(f"{code}/voice/{stamp:%Y-%m-%dT%H-%M-%SZ}.wav", VOICE, mine, sent, code, sent)
            if given.answers_s:
                path = f"self_reports/{code}-{plot.date(day)}.csv"
                yield Dump(path, ANSWERS, mine, max(given.answers_s), code, min(given.answers_s))


def _session_path(code: str, given: Recorded) -> str:
    return f"{code}/e4/{given.session[0]}_A0{code[1:]}.zip" if given.session else ""


def _moments(plot: Plot, night: int) -> list[datetime]:
    """When files arrive before a night: every third evening too, and always at the last minute."""
    date = plot.night_date(night)
    evening = [at_local(date - timedelta(days=1), EVENING)] if night % EVENING_EVERY == FIRST_EVENING else []
    return [*evening, at_local(date, NIGHT) - LAST_MINUTE]


def _extra(plot: Plot, night: int, at: datetime, given: Sequence[Dump]) -> Iterator[Dump]:
    """Files that add nothing: a second copy, and damaged ones."""
    ready = int(at.timestamp()) - COPY_S
    if night == plot.duplicate:
        before = [d for d in given if d.kind == BAND and not d.cut and d.ready_s < ready - DAY_S]
        copied = max(before, key=lambda d: (d.ready_s, d.path))
        place = f"{copied.participant}/again/{copied.path.rsplit('/', 1)[1]}"
        yield replace(copied, path=place, ready_s=ready, content=copied.identity)
    if night in plot.broken:
        code = next(d.participant for d in given if d.kind == BAND)
        yield Dump(f"{code}/e4/{ready}_DAMAGED.zip", DAMAGED, frozenset(), ready, code)


def _taken(plot: Plot, night: int, codes: dict[int, str], given: Sequence[Dump]) -> tuple[str, ...]:
    """The last session of somebody who takes it back."""
    person, when = plot.withdrawn
    mine = [d for d in given if d.kind == BAND and d.participant == codes[person]]
    return (max(mine, key=lambda d: d.ready_s).path,) if night == when and mine else ()


def _cut(dump: Dump) -> Dump:
    """The same file broken off in the middle: nobody's day can be read from it."""
    return replace(dump, touches=frozenset(), content=f"{dump.path} cut", cut=True)


def _readable(dump: Dump) -> bool:
    return dump.kind != DAMAGED and not dump.cut


def _next(day: PersonDay) -> PersonDay:
    return day[0], day[1] + timedelta(days=1)
