"""Units of work: how participant-days are computed, skipped, and repaired after a kill.

A unit names the tables it fills and a pure function that fills them for some days of one participant. `run_unit`
skips each day whose inputs and code are already stamped in the ledger, fans the others out over the workers, and
stamps each day after its parts are in place. A day that fails is reported and leaves the others alone; it has no
stamp, so the next night tries it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date as Date

import polars as pl

from assets.lake import Key, Lake
from assets.ledger import Ledger, Stamp, digest
from assets.study import Home, Study
from assets.tables import Table
from assets.workers import fan_out

Frames = Mapping[Table, pl.DataFrame]
Compute = Callable[[Home, Study, str, tuple[Date, ...]], Iterable[tuple[Date, Frames]]]
"""(home, study, participant, days) -> each day with one frame for every table of the unit."""


@dataclass(frozen=True)
class Unit:
    """A unit of work.

    `code` is raised by hand whenever the same inputs would give other outputs. With `whole_participant` all wanted
    days of a person are one task (a dump that spans days is read once); else each day is its own.
    """

    name: str
    code: str
    tables: tuple[Table, ...]
    compute: Compute
    preload: Callable[[], None] | None = None
    whole_participant: bool = False


@dataclass
class Report:
    """What a run of a unit did: participant-days computed, skipped and failed, and what was written."""

    computed: list[Key] = field(default_factory=list)
    skipped: int = 0
    failed: dict[Key, str] = field(default_factory=dict)
    rows: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    stamps: list[str] = field(default_factory=list)

    @property
    def content(self) -> str:
        """One hash over everything written."""
        return digest(sorted(self.stamps))


@dataclass(frozen=True)
class _Task:
    unit: Unit
    home: Home
    study: Study
    participant: str
    days: tuple[Date, ...]


@dataclass(frozen=True)
class _Done:
    day: Date
    outputs: dict[str, str]
    rows: dict[str, int]
    bytes: int


def run_unit(unit: Unit, home: Home, study: Study, wanted: Mapping[Key, str], *, quiet: bool = False) -> Report:
    """Bring the unit's tables up to date for the participant-days wanted.

    Args:
        unit: what to compute.
        home: the data home.
        study: its settings.
        wanted: for each participant-day, the hash of what goes into it.
        quiet: no progress bar.
    """
    ledger, report = Ledger(Lake(home.lake), unit.name), Report()
    due: dict[str, list[Date]] = {}
    for key, inputs in sorted(wanted.items(), key=lambda kv: (kv[0].participant or "", kv[0].date or Date.min)):
        participant, day = _both(key)
        stamp = ledger.stamp(participant, day)
        if stamp is not None and stamp.fits(inputs, unit.code):
            report.skipped += 1
            report.stamps.extend(stamp.outputs.values())
        else:
            due.setdefault(participant, []).append(day)
    tasks = list(_tasks(unit, home, study, due))
    for task, result in fan_out(_work, tasks, what=unit.name, preload=unit.preload, quiet=quiet):
        if isinstance(result, Exception):
            report.failed.update({Key(task.participant, d): f"{type(result).__name__}: {result}" for d in task.days})
            continue
        stamps = {}
        for done in result:
            key = Key(task.participant, done.day)
            stamps[done.day] = Stamp(wanted[key], unit.code, done.outputs, done.rows)
            report.computed.append(key)
            report.rows.update(done.rows)
            report.bytes += done.bytes
            report.stamps.extend(done.outputs.values())
        ledger.record(task.participant, stamps)
    return report


def forget(unit: Unit, home: Home, keys: Iterable[Key]) -> None:
    """Remove some participant-days of a unit: stamps first, so that a kill between leaves work, not lies."""
    lake = Lake(home.lake)
    ledger = Ledger(lake, unit.name)
    gone = list(keys)
    for participant in {_both(key)[0] for key in gone}:
        ledger.forget(participant, [_both(k)[1] for k in gone if k.participant == participant])
    for key in gone:
        for table in unit.tables:
            lake.remove(table, key)


def stamped(home: Home, unit: Unit | str) -> Iterator[tuple[Key, Stamp]]:
    """Every participant-day that a unit has computed, with its stamp."""
    ledger = Ledger(Lake(home.lake), unit if isinstance(unit, str) else unit.name)
    for participant in ledger.participants():
        for day, stamp in ledger.days(participant).items():
            yield Key(participant, day), stamp


def _tasks(unit: Unit, home: Home, study: Study, due: Mapping[str, list[Date]]) -> Iterator[_Task]:
    for participant, days in due.items():
        groups = [tuple(days)] if unit.whole_participant else [(day,) for day in days]
        for group in groups:
            yield _Task(unit, home, study, participant, group)


def _work(task: _Task) -> list[_Done]:
    """Compute and write one task's days (runs in a worker). Empty tables leave no part."""
    lake, done = Lake(task.home.lake), []
    for day, frames in task.unit.compute(task.home, task.study, task.participant, task.days):
        key, outputs, rows, size = Key(task.participant, day), {}, {}, 0
        for table in task.unit.tables:
            frame = frames[table]
            if frame.is_empty():
                lake.remove(table, key)
                continue
            part = lake.write(table, frame, key)
            outputs[table.name], rows[table.name], size = part.content, part.rows, size + part.bytes
        done.append(_Done(day, outputs, rows, size))
    return done


def _both(key: Key) -> tuple[str, Date]:
    if key.participant is None or key.date is None:
        message = f"{key} names no participant-day"
        raise ValueError(message)
    return key.participant, key.date
