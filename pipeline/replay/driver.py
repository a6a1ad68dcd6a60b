"""Playing a script: the servers, the clock, the deliveries, and one row of the ledger a night.

The clock is moved to shortly before whatever comes next, an arrival or a schedule's time, and stands free until all
that follows is over: the schedule's tick, the runs it asks for, and those that the inbox sensor asks for after them.
It is never moved while a run is under way, so durations are real ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import date as Date
from datetime import time as Time
from functools import partial
from zoneinfo import ZoneInfo

from assets.study import Home, Study
from pipeline.instance import instance
from pipeline.replay.clock import Clock, ReplayError
from pipeline.replay.deliveries import Lived, deliver, render
from pipeline.replay.ledger import Row, due, row
from pipeline.replay.plot import ZONE, Plot
from pipeline.replay.script import EVENING, NIGHT, Arrival, Expected, Night, at_local, write_script, zones
from pipeline.replay.watch import Watch
from pipeline.servers import Addresses, Server, serve

MORNING, NOON = Time(7, 0), Time(12, 0)
MONDAY, SUNDAY = 1, 7
"""Days of the morning's report (daily by default; a week's is enough here) and of house-keeping."""
BEFORE, SETTLED = timedelta(seconds=2), timedelta(seconds=45)
PATIENCE_S = 600.0
FREELY, NUDGE = timedelta(seconds=3), timedelta(seconds=15)
"""Schedules and sensors look once a minute. While nothing runs the clock stands free for a while, then goes on by so
much every moment."""
LOOK_S = 1.0
TELLS = ("eda.",)
"""What features of the scaled sensor are called."""
CODES = "P{:03d}"


@dataclass(frozen=True)
class Stage:
    """The parts of a replay under way."""

    clock: Clock
    lived: Lived
    watch: Watch
    servers: list[Server]

    def play(self) -> Iterator[Row]:
        """Play the script, yielding each night's row when the night and its day are over."""
        lived, expected, before = self.lived, Expected(), None
        for night in write_script(lived.plot, lived.recorded, lived.codes):
            began = time.monotonic()
            expected.forget_changes()
            for arrival in night.arrivals:
                self._arrive(arrival)
                expected.after(arrival)
            self._schedules(night)
            seen = self.watch.seen(time.monotonic() - began)
            delivered = sum(len(a.put) for a in night.arrivals)
            taken = sum(len(a.taken) for a in night.arrivals)
            since = drift_since(lived.plot, night)
            owed = due(expected, delivered, taken, since, TELLS)
            learns = any(d.kind == "answers" for d in expected.present.values())
            before = row(night.number, night.date, night.remarks, owed, seen, before, learns=learns)
            yield before

    def _arrive(self, arrival: Arrival) -> None:
        """Files come in; in the evening the sensor has time for them, at the last minute the night finds them."""
        made = render(self.lived, arrival)  # first: the clock does not stand still
        self._go(arrival.at)
        deliver(self.watch.home, arrival, made)
        if arrival.at.astimezone(ZoneInfo(ZONE)).time() == EVENING:
            self._go(arrival.at + SETTLED)
            self._until_quiet(arrival.at + SETTLED)

    def _schedules(self, night: Night) -> None:
        times = {"nightly": NIGHT}
        times |= {"morning": MORNING} if night.date.isoweekday() == MONDAY else {}
        times |= {"housekeeping": NOON} if night.date.isoweekday() == SUNDAY else {}
        for name, wall in times.items():
            at = at_local(night.date, wall)
            self._go(at - BEFORE)
            self._wait(at, partial(self.watch.evaluated, name, at.timestamp()), f"the tick of {name}")
            self._until_quiet(at)

    def _until_quiet(self, since: datetime) -> None:
        self._wait(since, partial(self.watch.quiet, since.timestamp()), "what followed")

    def _wait(self, since: datetime, over: Callable[[], bool], what: str) -> None:
        """Wait until something is over; while nothing runs, the clock goes on faster."""
        idle_since = time.monotonic()
        while not over():
            for server in self.servers:
                server.check()
            now = datetime.now(UTC)
            if self.watch.busy():
                idle_since = time.monotonic()  # how long a run may take is Dagster's own setting
            elif now > since + FREELY and not self.watch.asking():
                self._go(now + NUDGE)
            if time.monotonic() > idle_since + PATIENCE_S:
                logs = self.watch.home.root / "logs"
                message = f"{what} is not over although nothing ran for {PATIENCE_S:.0f} s; the servers' logs: {logs}"
                raise ReplayError(message)
            time.sleep(LOOK_S)

    def _go(self, moment: datetime) -> None:
        """Move the clock forward; a moment that has passed meanwhile leaves it as it is."""
        if moment > datetime.now(UTC):
            self.clock.set(moment)


def play(home: Home, study: Study, lived: Lived, clock: Clock, up: Callable[[Addresses], None]) -> Iterator[Row]:
    """Start the servers, say where they are, play the script, end the servers.

    Raises:
        ReplayError: a night does not come to an end.
        ServerError: a server does not start, or ended by itself.
    """
    with serve(home, None, None) as (addresses, servers), instance(home) as storage:
        up(addresses)
        yield from Stage(clock, lived, Watch(home, study, storage), servers).play()


def drift_since(plot: Plot, night: Night) -> Date | None:
    """The day since which the change of firmware must be told on a night; None before its first day was uploaded."""
    first = plot.date(plot.firmware)
    return first if night.date > first else None


def begins(plot: Plot) -> datetime:
    """When the clock starts: the evening before the first night's arrivals."""
    return at_local(plot.night_date(1) - timedelta(days=1), Time(19, 0))


def study_text(plot: Plot, epochs: int) -> str:
    """The `study.toml` of a replay."""
    codes = {n: CODES.format(n) for n in range(1, plot.people + 1)}
    people = "".join(
        f"[participants.{code}]\nzones = [{', '.join(map(_interval, found))}]\n"
        for code, found in zones(plot, codes).items()
    )
    items = "".join(f"[items.{item}]\nlow = 0.0\nhigh = 100.0\n" for item in ("happy", "gloomy", "anxious"))
    return (
        f'[study]\nname = "replay"\ntimezone = "{ZONE}"\n{items}'
        f"[training]\nmax_epochs = {epochs}\nmin_answers = {plot.min_answers}\n"
        f'[report]\nmorning = "0 7 * * {MONDAY}"\nday_pages = 1\n'
        f"[gate]\nmin_answers = 10\nmin_people = 3\n{people}"
    )


def _interval(start_and_zone: tuple[Date, str]) -> str:
    start, zone = start_and_zone
    return f'{{ start = {start}, timezone = "{zone}" }}'
