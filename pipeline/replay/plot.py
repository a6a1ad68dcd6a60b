"""What happens in a replayed study, day by day: who joins and leaves, travels, sends late, and what their bands do.

Three plots are told: a long one of a month and more; a short one, which begins with a week that was recorded before
the system was set up, so that drift can be told; and the shortest for continuous integration. Days count from 0 at the
study's first day; night n is the one at the end of day `backlog + n - 1`. What files arrive when is drawn from a plot
in `script.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date as Date
from datetime import timedelta

LONG_NIGHTS, SHORT_NIGHTS, FEWEST_NIGHTS = 30, 5, 3
ZONE, ABROAD, VISITED = "Europe/Berlin", "Australia/Sydney", "America/New_York"


@dataclass(frozen=True)
class Late:
    """A band's session of one day that arrives with the files of a later night; `cut`: it came broken off before."""

    person: int
    day: int
    night: int
    cut: bool = False


@dataclass(frozen=True)
class Plot:
    """One study's course; persons are numbered from 1."""

    first_day: Date
    nights: int
    people: int
    backlog: int = 0
    joins: Mapping[int, int] = field(default_factory=dict)
    leaves: Mapping[int, int] = field(default_factory=dict)
    """Person → first day they take part, and first day they no longer do."""
    abroad: int | None = None
    """Who lives in another zone, whose clocks change on another day."""
    traveller: int = 3
    away: tuple[int, int] = (5, 6)
    """Days (first, first one home again) that the traveller spends in America."""
    quiet: range = range(0)
    """Nights before which nothing is uploaded; what was recorded comes after."""
    late: tuple[Late, ...] = ()
    duplicate: int = 5
    """Night with which a dump of the night before comes again, elsewhere."""
    broken: tuple[int, ...] = (4,)
    """Nights with which a damaged file comes."""
    withdrawn: tuple[int, int] = (2, 20)
    """Who takes their last band session back, with which night."""
    firmware: int = 21
    """Day from which on every band reports skin conductance on another scale."""
    min_answers: int = 60
    """Answers from which on networks are trained; until then nights keep the personal baseline."""

    def date(self, day: int) -> Date:
        """The date of a day of the study."""
        return self.first_day + timedelta(days=day)

    def night_date(self, night: int) -> Date:
        """The date on which a night begins; it works on what was recorded until then."""
        return self.date(self.backlog + night)

    @property
    def days(self) -> int:
        """How many days are recorded."""
        return self.backlog + self.nights

    def there(self, person: int, day: int) -> bool:
        """Whether somebody takes part on a day."""
        return self.joins.get(person, 0) <= day < self.leaves.get(person, self.days)

    def remarks(self, night: int) -> tuple[str, ...]:
        """What is special about a night, in a few words each."""
        day = self.backlog + night - 1
        said = {
            "people join": day in self.joins.values(),
            "somebody has left": day in self.leaves.values(),
            "a travel day": day in self.away,
            "no uploads": night in self.quiet,
            "all that waited": night - 1 in self.quiet and night not in self.quiet,
            "a cut dump": any(one.cut and one.day == day for one in self.late),
            "a late dump": any(not one.cut and one.night == night for one in self.late),
            "a dump made whole": any(one.cut and one.night == night for one in self.late),
            "a dump twice": night == self.duplicate,
            "a broken file": night in self.broken,
            "a dump taken back": night == self.withdrawn[1],
            "new firmware": day == self.firmware,
        }
        return tuple(what for what, so in said.items() if so)


LONG = Plot(
    first_day=Date(2026, 3, 9),  # Berlin's clocks go forward on 29 March, Sydney's back on 5 April
    nights=LONG_NIGHTS,
    people=8,
    joins={7: 4, 8: 16},
    leaves={2: 19},
    abroad=4,
    quiet=range(8, 15),
    late=(Late(1, 3, 6), Late(6, 2, 7, cut=True)),
    broken=(4, 16),
)
SHORT = Plot(
    first_day=Date(2025, 10, 16),  # Berlin's clocks go back on 26 October
    nights=SHORT_NIGHTS,
    people=6,
    backlog=8,
    joins={6: 8},
    leaves={2: 12},
    away=(9, 10),
    quiet=range(3, 4),
    late=(Late(1, 9, 4), Late(5, 8, 4, cut=True)),
    duplicate=2,
    broken=(2,),
    withdrawn=(2, 5),
    firmware=11,
    min_answers=40,
)
SHORTEST = Plot(
    first_day=Date(2025, 10, 22),  # the night of the clocks is the second
    nights=FEWEST_NIGHTS,
    people=4,
    backlog=2,
    joins={4: 2},
    leaves={2: 4},
    away=(3, 4),
    late=(Late(1, 3, 3), Late(4, 2, 3, cut=True)),
    duplicate=2,
    broken=(2,),
    withdrawn=(2, 3),
    min_answers=20,
)


def plot(nights: int) -> Plot:
    """The plot of a replay of so many nights: below a month a shorter one, else the long one, made longer if asked."""
    if nights < LONG_NIGHTS:
        return SHORTEST if nights < SHORT_NIGHTS else SHORT
    return replace(LONG, nights=nights)
