"""The unit `moments`: which participants' moments are due, and how they come to stand in the lake.

A participant's moments are one part, made anew as a whole whenever an answer, window or clip of theirs changes; the
stamp lies under one fixed day. Nothing is computed here; that is `build.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date as Date

import polars as pl

from assets.lake import Key, Lake
from assets.ledger import Ledger, digest
from assets.moments.build import DAILY_SCHEMA, Sources, build_days, build_moments
from assets.moments.table import days_table, items_of, modalities, moments_table
from assets.study import Home, Study
from assets.tables import ACOUSTIC_TABLE, DAILY_VALUES, EMBEDDINGS_TABLE, SELF_REPORTS, WINDOWED, Table
from assets.units import Frames, Report, Unit, forget, run_unit, stamped

NAME = "moments"
CODE = "3"
ALL_DAYS = Date(1970, 1, 1)
"""The day under which a participant's moments, which belong to no single day, are stamped."""

SOURCES = {
    "recordings": (SELF_REPORTS, DAILY_VALUES),
    "physiology": tuple(WINDOWED.values()),
    "acoustic": (ACOUSTIC_TABLE,),
    "voice_embeddings": (EMBEDDINGS_TABLE,),
}
"""Which tables of which units go into moments."""

UNREAD = {"reason", "dump", "embedding", "network"}  # columns of them that no moment is made of


def moments_unit(study: Study) -> Unit:
    """The unit of work for this study's items."""
    return Unit(NAME, CODE, (moments_table(study), days_table(study)), _compute, whole_participant=True)


def wanted_moments(home: Home, study: Study) -> dict[Key, str]:
    """Everyone of whom there is anything, with the hash of what their moments are made of."""
    lake, wanted = Lake(home.lake), {}
    for participant in sorted({p for unit in SOURCES for p in Ledger(lake, unit).participants()}):
        outputs = source_parts(home, participant)
        if outputs:
            parts = sorted((table, day.isoformat(), content) for (table, day), content in outputs.items())
            wanted[Key(participant, ALL_DAYS)] = digest(_settings(study, participant), parts)
    return wanted


def tidy_moments(home: Home, study: Study) -> list[str]:
    """Remove the moments of people of whom there is nothing any more, and return their codes."""
    wanted, unit = wanted_moments(home, study), moments_unit(study)
    gone = [key for key, _ in stamped(home, unit) if key not in wanted]
    forget(unit, home, gone)
    return [key.participant for key in gone if key.participant]


def refresh_moments(home: Home, study: Study, *, quiet: bool = False) -> Report:
    """Bring everyone's moments up to date: what is gone is removed, what changed is made anew."""
    tidy_moments(home, study)
    return run_unit(moments_unit(study), home, study, wanted_moments(home, study), quiet=quiet)


def source_parts(home: Home, participant: str) -> dict[tuple[str, Date], str]:
    """Content hash of every part that a participant's moments are made of, by table and day."""
    lake, found = Lake(home.lake), {}
    for unit, tables in SOURCES.items():
        names = {table.name for table in tables}
        for day, stamp in Ledger(lake, unit).days(participant).items():
            found.update({(name, day): content for name, content in stamp.outputs.items() if name in names})
    return found


def read_sources(home: Home, participant: str) -> Sources:
    """A participant's answers, windows and clips of all days."""
    lake, days = Lake(home.lake), sorted(source_parts(home, participant))

    def table(of: Table) -> pl.DataFrame:
        names = [c.name for c in of.columns if c.name not in UNREAD]
        parts = [lake.read(of, Key(participant, day), names) for name, day in days if name == of.name]
        return pl.concat(parts) if parts else of.empty().select(names)

    daily = [
        lake.read(DAILY_VALUES, Key(participant, day), ["name", "value"]).select(pl.lit(day).alias("day"), pl.all())
        for name, day in days
        if name == DAILY_VALUES.name
    ]
    return Sources(
        table(SELF_REPORTS),
        {m: table(t) for m, t in WINDOWED.items()},
        table(ACOUSTIC_TABLE),
        pl.concat([pl.DataFrame(schema=DAILY_SCHEMA), *daily]),
        table(EMBEDDINGS_TABLE),
    )


def _compute(home: Home, study: Study, participant: str, days: tuple[Date, ...]) -> Iterable[tuple[Date, Frames]]:
    return _built(home, study, participant, days)


def _built(home: Home, study: Study, participant: str, under: tuple[Date, ...]) -> Iterator[tuple[Date, Frames]]:
    sources = read_sources(home, participant)
    days = build_days(sources, study, participant)
    moments = build_moments(sources, days, study, participant)
    for day in under:
        yield day, {moments_table(study): moments, days_table(study): days}


def _settings(study: Study, participant: str) -> list[object]:
    """What of the study decides the columns and numbers of a participant's moments."""
    zones = study.participants.get(participant)
    return [
        [(i.name, i.low, i.high) for i in items_of(study)],
        modalities(study),
        study.windows.model_dump(mode="json"),
        study.timezone,
        zones.model_dump(mode="json") if zones else None,
    ]
