"""Dagster's view of the features stage: what the body and the voice did, day by day.

Thin: the units of work beside it compute, this file says what they are called, what they need and what a person
wants to see of them. Annotations stay evaluated here: Dagster reads the context's type when it sees the function.
"""

import base64
from collections.abc import Iterator
from datetime import date as Date
from datetime import timedelta
from typing import Any

import dagster as dg
import polars as pl

from assets.features.acoustic import ACOUSTIC_UNIT, tidy_acoustic, wanted_acoustic
from assets.features.day_frames import day_frames
from assets.features.physiology import PHYSIOLOGY, tidy_physiology, wanted_physiology
from assets.features.picture_day import picture_day, png
from assets.features.pictures import yield_hours, yield_picture
from assets.features.summary import SUMMARY_UNIT, tidy_summaries, wanted_summaries
from assets.features.voice_assets import tidy_voice, voice_assets
from assets.lake import Lake
from assets.metadata import LARGEST_PICTURE, column_schema, picture, unit_metadata
from assets.partitions import daily
from assets.study import Home, Study
from assets.tables import ACOUSTIC_TABLE, BEATS, HRV_TABLE, SUMMARIES, WINDOWED, Table
from assets.units import Report, run_unit

GROUP = "features"
PLAUSIBLE_BPM = (30.0, 220.0)
MOST_PICTURES = 7  # days of a run that are drawn: event logs are never pruned of what an asset last made
WHAT = {
    "beats": "Heart beats from the wristband's pulse or ECG, each interval judged; the device's own where it gave no "
    "signal. Artefacts are marked, never corrected.",
    "hrv": "Heart rate and its variability in windows on the study's clock, with the share of usable data. Gaps are "
    "respected; where data is too little the value is empty and `reason` says why.",
    "eda": "Skin conductance in the same windows: level, slope and responses above an absolute threshold.",
    "motion": "Movement in the same windows: ENMO, spread, actigraph counts and how the wrist was held.",
    "temperature": "Skin temperature in the same windows.",
    "minutes": "What the wrist did minute by minute: whether the band was worn, movement, the arm's angle, heart rate, "
    "temperature, steps.",
    "daily_summaries": "One row a day: wear, the night that ended on it, resting heart, nightly variability, movement, "
    "skin. Nothing after the day is used.",
    "acoustic": "openSMILE's 88 eGeMAPSv02 functionals of every voice clip; silent or voiceless clips say so.",
}


def assets(home: Home, study: Study) -> list[dg.AssetsDefinition | dg.AssetChecksDefinition]:
    """The assets of this stage for one study."""
    return [_physiology(home, study), _acoustic(home, study), *voice_assets(home, study)]


def _physiology(home: Home, study: Study) -> dg.AssetsDefinition:
    specs = [_spec(table, ["signals", "events"], {"neurokit2", "polars"}) for table in PHYSIOLOGY.tables]
    # Not of its own sisters: Dagster takes partitions that reached one by another for others, and refuses to backfill.
    specs.append(_spec(SUMMARIES, ["signals", "events"], {"polars"}))
    plausible = dg.AssetCheckSpec(
        "heart_rate_plausible",
        asset="hrv",
        blocking=True,
        description="Every window's mean heart rate lies within 30 to 220 beats per minute.",
    )
    complete = dg.AssetCheckSpec(
        "every_day_computed", asset="beats", description="No participant-day failed; those that did are tried again."
    )

    @dg.multi_asset(
        name="physiology",
        specs=specs,
        check_specs=[plausible, complete],
        partitions_def=daily(study),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def physiology(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        tidy_physiology(home, study)
        dates = _dates(context)
        report = run_unit(PHYSIOLOGY, home, study, wanted_physiology(home, study, dates))
        tidy_summaries(home, study)
        # A day's evening belongs to the next day's night.
        with_next = dates | {day + timedelta(days=1) for day in dates}
        summaries = run_unit(SUMMARY_UNIT, home, study, wanted_summaries(home, study, with_next))
        for table in PHYSIOLOGY.tables:
            if table is BEATS:
                _draw_days(context, home, study, report)
            yield dg.MaterializeResult(asset_key=table.name, metadata=_metadata(home, table, report, dates))
        yield dg.MaterializeResult(asset_key=SUMMARIES.name, metadata=_metadata(home, SUMMARIES, summaries, dates))
        report.failed.update(summaries.failed)
        yield dg.AssetCheckResult(
            asset_key="hrv", check_name=plausible.name, **_heart_rate(Lake(home.lake).read_all(HRV_TABLE, dates=dates))
        )
        yield _completeness("beats", complete.name, report)

    return physiology


def _acoustic(home: Home, study: Study) -> dg.AssetsDefinition:
    complete = dg.AssetCheckSpec(
        "every_clip_computed", asset="acoustic", description="No day's clips failed; those that did are tried again."
    )

    @dg.multi_asset(
        name="voice",
        specs=[_spec(ACOUSTIC_TABLE, ["voice_clips"], {"opensmile", "polars"})],
        check_specs=[complete],
        partitions_def=daily(study),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def voice(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        tidy_acoustic(home, study)
        tidy_voice(home, study)
        dates = _dates(context)
        report = run_unit(ACOUSTIC_UNIT, home, study, wanted_acoustic(home, study, dates))
        yield dg.MaterializeResult(asset_key="acoustic", metadata=_metadata(home, ACOUSTIC_TABLE, report, dates))
        yield _completeness("acoustic", complete.name, report)

    return voice


def _spec(table: Table, deps: list[str], kinds: set[str]) -> dg.AssetSpec:
    return dg.AssetSpec(
        table.name,
        deps=deps,
        description=WHAT[table.name],
        group_name=GROUP,
        owners=["team:macromicro"],
        kinds=kinds,
        metadata=column_schema(table),
    )


def _dates(context: dg.AssetExecutionContext) -> set[Date]:
    return {Date.fromisoformat(key) for key in context.partition_keys}


def _metadata(home: Home, table: Table, report: Report, dates: set[Date]) -> dict[str, Any]:
    facts = unit_metadata(report, table)
    frame = Lake(home.lake).read_all(table, dates=dates)
    if frame.is_empty():
        return facts
    if table.name in WINDOWED:
        hours = yield_hours(frame)
        facts["data yield"] = picture(yield_picture(hours, f"{table.name}: usable data"), f"usable {table.name} data")
        facts["usable hours"] = round(float(hours["hours"].sum()), 1)
    elif table is ACOUSTIC_TABLE:
        clips = frame.group_by("participant", "date").agg(hours=pl.col("loudness_sma3_amean").is_not_null().sum())
        facts["data yield"] = picture(yield_picture(clips, "voice clips with features", "clips"), "voice clips a day")
    elif table is SUMMARIES:
        nights = frame.select("participant", "date", hours="asleep_h").drop_nulls()
        if nights.height:
            facts["sleep"] = picture(yield_picture(nights, "hours asleep in the night before", "hours"), "hours asleep")
        facts["nights"] = nights.height
    return facts


def _draw_days(context: dg.AssetExecutionContext, home: Home, study: Study, report: Report) -> None:
    """Put a picture on each of the newest days just computed: of several participants, the one with most beats."""
    lake = Lake(home.lake)
    beats = {key: lake.read(BEATS, key, ["time_us"]).height for key in report.computed if key.date}
    for day in sorted({key.date for key, n in beats.items() if n and key.date})[-MOST_PICTURES:]:
        shown = max((key for key in beats if key.date == day), key=lambda key: beats[key])
        drawn = png(picture_day(day_frames(home, study, str(shown.participant), day)), LARGEST_PICTURE * 2 // 3)
        data = base64.b64encode(drawn).decode()
        command = f"macromicro show {shown.participant} {day}"
        facts = {"a day": dg.MetadataValue.md(f"![{command}](data:image/png;base64,{data})"), "the same": command}
        context.add_asset_metadata(facts, asset_key=BEATS.name, partition_key=str(day))


def _heart_rate(hrv: pl.DataFrame) -> dict[str, Any]:
    rate = hrv["hr_bpm"].drop_nulls()
    odd = int(((rate < PLAUSIBLE_BPM[0]) | (rate > PLAUSIBLE_BPM[1])).sum())
    facts = {"windows": len(rate), "outside 30–220 bpm": odd}
    return {"passed": odd == 0, "metadata": facts | ({"median bpm": rate.median()} if len(rate) else {})}


def _completeness(asset: str, name: str, report: Report) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=not report.failed,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"failed participant-days": len(report.failed)},
    )
