"""What a night has to do, decided from facts alone.

Pure: no lake, no Dagster, no clock. `facts.py` gathers the facts; the schedule, the sensor and `macromicro run` each
turn the same plan into runs. A day is pending when a unit's wanted inputs are not the ones stamped, or when a stamp
stands for data that should exist no more. Learning is due when anything it would learn from differs from what was
learnt last.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date

from assets.days import ranges
from assets.lake import Key
from assets.ledger import Stamp, digest

Range = tuple[Date, Date]


@dataclass(frozen=True)
class UnitFacts:
    """One unit of work: what should exist now (with the hash of its inputs) and what is stamped."""

    name: str
    code: str
    wanted: Mapping[Key, str]
    stamps: Mapping[Key, Stamp]

    @property
    def pending(self) -> set[Key]:
        """Participant-days to compute anew, and those to remove."""
        stale = {k for k, i in self.wanted.items() if k not in self.stamps or not self.stamps[k].fits(i, self.code)}
        return stale | (self.stamps.keys() - self.wanted.keys())


@dataclass(frozen=True)
class Facts:
    """Where a study stands: files not yet catalogued, each unit, what could be learnt from now and what was last."""

    uncatalogued: Collection[str]
    units: Sequence[UnitFacts]
    learnable: str | None
    learnt: str | None


@dataclass(frozen=True)
class Plan:
    """What is to do: catalogue the inbox, compute these ranges of days, learn."""

    ingest: bool
    ranges: tuple[Range, ...]
    learn: bool
    state: str

    @property
    def nothing(self) -> bool:
        """Whether everything is up to date."""
        return not (self.ingest or self.ranges or self.learn)


def plan(facts: Facts) -> Plan:
    """The work that brings a study up to date; `state` is the same for the same work to do."""
    pending = {(u.name, str(k)): u.wanted.get(k, "") for u in facts.units for k in u.pending}
    days = {k.date for u in facts.units for k in u.pending if k.date is not None}
    learn = facts.learnable is not None and facts.learnable != facts.learnt
    state = digest(sorted(facts.uncatalogued), sorted(pending.items()), facts.learnable if learn else None)
    return Plan(bool(facts.uncatalogued), tuple(ranges(days)), learn, state)
