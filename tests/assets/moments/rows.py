"""Rows of a small made-up participant, as frames and as parts of a lake with their stamps."""

from collections.abc import Mapping
from datetime import UTC, datetime
from datetime import date as Date

import numpy as np
import polars as pl

from assets.days import SECOND_US, Calendar
from assets.lake import Key, Lake
from assets.ledger import Ledger, Stamp
from assets.moments.build import Sources
from assets.moments.unit import SOURCES
from assets.study import Home, Study
from assets.tables import ACOUSTIC_TABLE, SELF_REPORTS, WINDOWED, Table

MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
START_US = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * SECOND_US


def reports(times_us: list[int], value: float = 50.0, items: tuple[str, ...] = ("happy",)) -> pl.DataFrame:
    return SELF_REPORTS.frame(
        [{"time_us": t, "item": i, "value": value + n, "dump": "d"} for n, t in enumerate(times_us) for i in items]
    )


def windows(table: Table, starts_us: list[int], **features: list[float | None]) -> pl.DataFrame:
    """Five-minute windows, fully covered unless `coverage` is given."""
    return table.frame(
        [
            {"time_us": t, "end_us": t + 5 * MINUTE_US, "coverage": 1.0, **{k: v[n] for k, v in features.items()}}
            for n, t in enumerate(starts_us)
        ]
    )


def clips(starts_us: list[int], values: list[float | None], duration_s: float = 10.0) -> pl.DataFrame:
    name = next(c.name for c in ACOUSTIC_TABLE.columns if c.name.startswith("F0"))
    return ACOUSTIC_TABLE.frame(
        [
            {"time_us": t, "duration_s": duration_s, "coverage": 0.9, "dump": "d", name: v}
            for t, v in zip(starts_us, values, strict=True)
        ]
    )


def sources(
    answers: pl.DataFrame, body: Mapping[str, pl.DataFrame] | None = None, spoken: pl.DataFrame | None = None
) -> Sources:
    body = body or {}
    empty = {m: table.empty() for m, table in WINDOWED.items()}
    return Sources(answers, {**empty, **body}, ACOUSTIC_TABLE.empty() if spoken is None else spoken)


def lived(seed: int, days: int = 4) -> Sources:
    """A person with all modalities: windows through every day, some missing, clips before most answers."""
    rng = np.random.default_rng(seed)
    starts = [START_US + n * 5 * MINUTE_US for n in range(days * 288) if rng.random() > 0.3]
    body = {}
    for modality, table in WINDOWED.items():
        names = [c.name for c in table.columns[4:]]
        values = {n: [float(x) if x > -1 else None for x in rng.normal(size=len(starts))] for n in names}
        cover = [float(c) for c in rng.uniform(0, 1, len(starts))]
        body[modality] = windows(table, starts, coverage=cover, **values)
    answered = sorted(int(START_US + x) for x in rng.uniform(0, days * DAY_US, days * 5))
    spoken = [t - int(rng.uniform(0, 40) * MINUTE_US) for t in answered]
    return sources(
        reports(answered, items=("happy", "gloomy")), body, clips(spoken, list(rng.normal(size=len(spoken))))
    )


def live_in(home: Home, study: Study, participant: str, given: Sources) -> None:
    """Write a person's frames into the lake, day by day, with the stamps that the units would leave."""
    lake, calendar = Lake(home.lake), Calendar.of(study, participant)
    frames = {SELF_REPORTS: given.reports, ACOUSTIC_TABLE: given.clips}
    frames |= {table: given.windows[m] for m, table in WINDOWED.items()}
    for unit, tables in SOURCES.items():
        outputs: dict[Date, dict[str, str]] = {}
        for table in (t for t in tables if t in frames):
            days = pl.Series(calendar.days_of(frames[table]["time_us"].to_numpy()), dtype=pl.Date())
            for day in days.unique():
                part = lake.write(table, frames[table].filter(days == day), Key(participant, day))
                outputs.setdefault(day, {})[table.name] = part.content
        Ledger(lake, unit).record(participant, {d: Stamp("inputs", "1", o) for d, o in outputs.items()})
