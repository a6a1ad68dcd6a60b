"""The night's predictions: what the champion says of everyone's coming day, kept in the lake as given.

Asked for the day after the last one with data, from what was known by its end. A prediction that was given is never
changed, whatever arrives or is promoted later: it says which version gave it and what it knew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as Date

import dagster as dg
import polars as pl

from assets.days import Calendar
from assets.lake import Key, Lake
from assets.learning.work import registry_of
from assets.metadata import column_schema
from assets.moments.cohort import asked
from assets.study import Home, Study
from assets.tables import PREDICTIONS
from models.registry import Version

NO_CHAMPION = "no champion yet: nothing was predicted"


@dataclass(frozen=True)
class Given:
    """Which day was asked about, by which version, for how many people anew and how many had been given before."""

    day: Date | None = None
    version: Version | None = None
    people: int = 0
    kept: int = 0
    rows: int = 0


def predict_day(home: Home, study: Study) -> Given:
    """Let the champion predict the coming day of everyone who has no prediction for it yet."""
    champion = registry_of(home, study).champion()
    if champion is None:
        return Given()
    frame, lake = asked(home, study), Lake(home.lake)
    if frame.is_empty():
        return Given(version=champion)
    day = frame["day"][0]
    new = [code for code in frame["participant"] if not lake.exists(PREDICTIONS, Key(code, day))]
    given = Given(day, champion, len(new), frame.height - len(new), len(new) * len(study.items))
    if not new:
        return given
    said = said_by(home, study, champion, frame)  # of all: the last digits depend on how many are estimated at once
    for (code,), rows in said.filter(pl.col("participant").is_in(new)).group_by("participant", maintain_order=True):
        known_until = Calendar.of(study, str(code)).span_us(day)[0]
        own = rows.with_columns(pl.lit(known_until).alias("known_until_us"))
        lake.write(PREDICTIONS, own.select(c.name for c in PREDICTIONS.columns), Key(str(code), day))
    return given


def said_by(home: Home, study: Study, version: Version, frame: pl.DataFrame) -> pl.DataFrame:
    """A version's predictions of an asked frame, with the columns of PREDICTIONS but `known_until_us`."""
    from models.frame import WHY, parts
    from models.packaging import load
    from models.tables import predict_frame

    model = load(registry_of(home, study).model_of(version))
    before = frame.select("participant", answers_before=pl.col("past_age_h").list.len().cast(pl.Int64))
    said = predict_frame(model, frame).join(before, on="participant", maintain_order="left")
    why = [
        pl.struct(pl.lit(part).alias("part"), pl.col(f"{WHY}{part}").alias("moved")) for part in parts(model.features)
    ]
    return said.with_columns(pl.concat_list(why).alias("why"), model_version=pl.lit(version.number, pl.Int64()))


def predictions(home: Home, study: Study) -> dg.AssetsDefinition:
    """The asset of one study."""

    @dg.asset(
        name="predictions",
        deps=["champion"],
        group_name="monitoring",
        owners=["team:macromicro"],
        kinds={"torch", "parquet"},
        metadata=column_schema(PREDICTIONS),
    )
    def asset() -> dg.MaterializeResult:  # type: ignore[type-arg]
        """What the champion says of everyone's coming day: every item with its interval, kept as given."""
        given = predict_day(home, study)
        if given.version is None:
            return dg.MaterializeResult(metadata={"said": NO_CHAMPION})
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": given.rows,
                "day": str(given.day),
                "version": given.version.number,
                "participants": given.people,
                "given before and kept": given.kept,
            }
        )

    return asset
