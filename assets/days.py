"""Local days: which day of a participant's life a moment belongs to.

A day is the participant's own: the study's time zone, or the zone an interval of `study.toml` gives. Times are UTC
microseconds everywhere else; this is the only place that turns them into days. Dagster's partitions over these
days stand in `partitions.py`.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from datetime import date as Date
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from assets.study import Study

SECOND_US = 1_000_000


@dataclass(frozen=True)
class Calendar:
    """One participant's days: zone changes at their starts (UTC µs), the first one open to the past."""

    starts_us: tuple[int, ...]
    zones: tuple[str, ...]

    @classmethod
    def of(cls, study: Study, participant: str) -> Calendar:
        """The study's zone, then the participant's own intervals, each from its local midnight on."""
        settings = study.participants.get(participant)
        intervals = sorted(settings.zones, key=lambda z: z.start) if settings else []
        starts = (midnight_us(i.start, i.timezone) for i in intervals)
        return cls(tuple(starts), (study.timezone, *(i.timezone for i in intervals)))

    def zone(self, time_us: int) -> ZoneInfo:
        """The zone in force at a UTC time (µs)."""
        return ZoneInfo(self.zones[bisect_right(self.starts_us, time_us)])

    def local(self, time_us: int) -> datetime:
        """The participant's wall clock at a UTC time (µs)."""
        return (datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(time_us))).astimezone(self.zone(time_us))

    def day(self, time_us: int) -> Date:
        """The participant's local day at a UTC time (µs)."""
        return self.local(time_us).date()

    def days(self, first_us: int, last_us: int) -> list[Date]:
        """Every local day from the one of `first_us` to the one of `last_us`."""
        first, last = self.day(first_us), self.day(last_us)
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]

    def span_us(self, day: Date) -> tuple[int, int]:
        """UTC µs at which a local day starts and ends (23 to 25 hours on most clocks)."""
        return self._start_us(day), self._start_us(day + timedelta(days=1))

    def days_of(self, times_us: NDArray[np.int64]) -> list[Date]:
        """The local day of each of many UTC times (µs)."""
        return [self.day(int(t)) for t in times_us]

    def _start_us(self, day: Date) -> int:
        guess = midnight_us(day, self.zones[0])
        for _ in range(2):
            guess = midnight_us(day, self.zone(guess).key)
        return guess


def midnight_us(day: Date, zone: str) -> int:
    """UTC µs of a local day's first moment in a zone."""
    return int(datetime.combine(day, time(), ZoneInfo(zone)).timestamp()) * SECOND_US


def ranges(days: set[Date], most: int = 4) -> list[tuple[Date, Date]]:
    """Cover days with at most `most` contiguous ranges, bridging the smallest holes first."""
    found: list[tuple[Date, Date]] = []
    for day in sorted(days):
        if found and (day - found[-1][1]).days <= 1:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    while len(found) > most:
        hole = min(range(len(found) - 1), key=lambda i: (found[i + 1][0] - found[i][1]).days)
        found[hole : hole + 2] = [(found[hole][0], found[hole + 1][1])]
    return found
