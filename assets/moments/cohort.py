"""Moments for those who use them: the whole study as a cohort, and the rows that a night asks about.

Reading only; how moments are made and kept is in `unit.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date as Date
from datetime import timedelta

import polars as pl

from assets.days import SECOND_US
from assets.lake import Key, Lake
from assets.moments.build import build_asked
from assets.moments.table import days_table, items_of, modalities, moments_table
from assets.moments.unit import NAME, source_parts
from assets.study import Home, Study
from assets.units import stamped
from models.cohort import Cohort
from models.tables import cohort_from_frame

HOUR_US = 3600 * SECOND_US


def load_moments(
    home: Home, study: Study, participants: set[str] | None = None, columns: list[str] | None = None
) -> pl.DataFrame:
    """Moments with their participant, sorted by participant and time.

    Args:
        home: the data home.
        study: its settings.
        participants: whose; everyone's by default.
        columns: which columns beside `participant`; all by default.
    """
    lake, table = Lake(home.lake), moments_table(study)
    keys = [k for k in lake.keys(table) if participants is None or k.participant in participants]
    parts = [_whose(lake.read(table, key, columns), key.participant) for key in keys]
    frame = pl.concat(parts) if parts else _whose(table.empty().select(columns or pl.all()), None)
    return frame.sort("participant", "time_us")


def load_cohort(home: Home, study: Study) -> Cohort:
    """Everyone's moments as the cohort that models work on."""
    made = cohort_from_frame(load_moments(home, study), items_of(study), modalities(study))
    return replace(made, lookback_h=lookback_h(study))


def lookback_h(study: Study) -> float:
    """How many hours before a moment the longest window reaches that is told of it."""
    return max(study.windows.lookback_minutes, study.windows.voice_minutes) / 60


def people(home: Home) -> list[str]:
    """Everyone of whom the study has answers, body windows or clips, by their moments' stamps."""
    return sorted({key.participant for key, _ in stamped(home, NAME) if key.participant})


def last_day(home: Home) -> Date | None:
    """The last local day on which anyone answered, spoke or wore a device."""
    return max((day for p in people(home) for _, day in source_parts(home, p)), default=None)


def asked(home: Home, study: Study, participants: Sequence[str] | None = None, day: Date | None = None) -> pl.DataFrame:
    """What a night asks about: one unanswered row a participant, for noon of one local day.

    Args:
        home: the data home.
        study: its settings.
        participants: whom to ask about; everyone with data by default.
        day: the day asked about; the one after the last day with data by default.

    Returns:
        Moments without answers. Only days before `day` are used: no body or voice of the moment itself.
        The lists `past_age_h` (hours before `time_us`, oldest first) and `past_<item>` hold the person's answers;
        `nightly` is true: this is the frame that the registered model takes.
    """
    if day is None:
        last = last_day(home)
        day = last + timedelta(days=1) if last else Date.min
    codes = people(home) if participants is None else sorted(participants)
    rows = [_row(home, study, code, day) for code in codes] if day > Date.min else []
    schema = {"participant": pl.String(), **moments_table(study).empty().schema}
    frame = pl.DataFrame(rows, schema={n: t for n, t in schema.items() if not n.startswith("y_")})
    past = load_moments(home, study, set(codes), ["time_us", "day", *(f"y_{item}" for item in study.items)])
    return with_history(frame, past, study, nightly=True).with_columns(nightly=pl.lit(True))


def with_history(rows: pl.DataFrame, moments: pl.DataFrame, study: Study, *, nightly: bool = False) -> pl.DataFrame:
    """Add each row's past answers as lists, oldest first: `past_age_h`, `past_<item>` (NaN where not answered).

    Args:
        rows: `participant`, `time_us`, `day` and whatever else; at most one row per participant and time.
        moments: everyone's moments, of which only those strictly before a row belong to its past.
        study: its items.
        nightly: only answers of earlier local days count.
    """
    key, answers = ["participant", "time_us"], [f"y_{item}" for item in study.items]
    past = moments.select("participant", *answers, at=pl.col("time_us"), on=pl.col("day"))
    before = (pl.col("at") < pl.col("time_us")) & ((pl.col("on") < pl.col("day")) | pl.lit(not nightly))
    lists = (
        rows.select(*key, "day")
        .join(past, on="participant")
        .filter(before)
        .sort("at")
        .group_by(key)
        .agg(
            ((pl.col("time_us") - pl.col("at")) / HOUR_US).alias("past_age_h"),
            *(pl.col(name).fill_null(float("nan")).alias(f"past_{name.removeprefix('y_')}") for name in answers),
        )
    )
    none = pl.lit([], pl.List(pl.Float64()))
    filled = [pl.col(c).fill_null(none) for c in lists.columns if c not in key]
    return rows.join(lists, on=key, how="left", maintain_order="left").with_columns(filled)


def _row(home: Home, study: Study, participant: str, day: Date) -> dict[str, object]:
    lake, key = Lake(home.lake), Key(participant)
    moments, days = lake.read(moments_table(study), key), lake.read(days_table(study), key)
    return build_asked(moments, days, study, participant, day)


def _whose(frame: pl.DataFrame, participant: str | None) -> pl.DataFrame:
    return frame.select(pl.lit(participant, pl.String()).alias("participant"), pl.all())
