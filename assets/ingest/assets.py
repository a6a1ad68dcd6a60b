"""Dagster's view of ingest: the catalogue of the inbox, then each day's signals, events, clips and answers.

Thin: `catalogue.py` and `recordings.py` do the work; this file says what the assets are called, what guards them and
what a person wants to see. Annotations stay evaluated here: Dagster reads the context's type when it sees the function.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date as Date
from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from assets.days import Calendar
from assets.features.pictures import yield_picture
from assets.ingest.catalogue import catalogue
from assets.ingest.day import faults
from assets.ingest.entries import DUPLICATE, QUARANTINED, READ, STATES, Entry, load
from assets.ingest.recordings import RECORDINGS, tidy_recordings, wanted_recordings
from assets.lake import Key, Lake
from assets.ledger import digest
from assets.metadata import column_schema, markdown_table, picture, unit_metadata
from assets.partitions import daily
from assets.study import Home, Study
from assets.tables import DAILY_VALUES, DUMPS, EVENTS, SELF_REPORTS, SIGNALS, VOICE_CLIPS, Table
from assets.units import Report, run_unit

GROUP = "ingest"
COUNTED = {EVENTS: "events", VOICE_CLIPS: "clips", SELF_REPORTS: "answers", DAILY_VALUES: "values"}
CHECKED_DAYS = 200
LISTED = 50
MOST_PEOPLE = 200
PEOPLE_HEADER = ("participant", "read", "refused", "copies", "days", "first", "last", "hours", "newest file")
WHAT = {
    "dumps": "The catalogue of the inbox: every dump ever seen, whom and which days it covers, and what became of it. "
    "A dump that cannot be read is quarantined with its reason; the files themselves are never touched.",
    "signals": "What the sensors sampled, as contiguous stretches. Nothing is interpolated across a gap, and where "
    "dumps overlap each moment stands once.",
    "events": "What devices noted at points in time: beats, button presses, steps.",
    "voice_clips": "Voice recordings at 16 kHz, with how they came: peak, clipping, silence.",
    "self_reports": "What participants answered, one row an item.",
    "daily_values": "Numbers that a device or its maker summarised over a whole day; known only from the next day on.",
}
KINDS = {"signals": "parquet", "events": "parquet", "voice_clips": "flac", "self_reports": "csv", "daily_values": "csv"}


def assets(home: Home, study: Study) -> list[dg.AssetsDefinition | dg.AssetChecksDefinition]:
    """The assets of this stage for one study."""
    return [_dumps(home, study), _recordings(home, study)]


def _dumps(home: Home, study: Study) -> dg.AssetsDefinition:
    @dg.asset(
        name=DUMPS.name,
        description=WHAT["dumps"],
        group_name=GROUP,
        owners=["team:macromicro"],
        kinds={"python", "polars"},
        metadata=column_schema(DUMPS),
    )
    def dumps() -> dg.MaterializeResult[None]:
        report = catalogue(home, study)
        facts = of_catalogue(load(home), report.growing)
        return dg.MaterializeResult(metadata={"changed": len(report.changed), **facts})

    return dumps


def _recordings(home: Home, study: Study) -> dg.AssetsDefinition:
    specs = [_spec(table) for table in RECORDINGS.tables]
    sound = dg.AssetCheckSpec(
        "signals_are_sound",
        asset="signals",
        blocking=True,
        description="Segments lie within their day, do not overlap, and hold finite samples.",
    )
    complete = dg.AssetCheckSpec(
        "every_read_dump_arrived",
        asset="signals",
        description="Every day that a dump in state read covers is in the lake; those that failed are tried again.",
    )

    @dg.multi_asset(
        name="recordings",
        specs=specs,
        check_specs=[sound, complete],
        partitions_def=daily(study),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def recordings(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        dates = {Date.fromisoformat(key) for key in context.partition_keys}
        tidy_recordings(home, study)
        report = run_unit(RECORDINGS, home, study, wanted_recordings(home, study, dates))
        hours = _hours(load(home), dates)
        for table in RECORDINGS.tables:
            yield dg.MaterializeResult(asset_key=table.name, metadata=_of_table(home, table, report, hours, dates))
        wrong = faults_of(home, study, report.computed[:CHECKED_DAYS])
        yield dg.AssetCheckResult(
            asset_key="signals",
            check_name=sound.name,
            passed=not wrong,
            metadata={"faults": len(wrong), **_listed(wrong)},
        )
        yield dg.AssetCheckResult(
            asset_key="signals",
            check_name=complete.name,
            passed=not report.failed,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"failed participant-days": len(report.failed)},
        )

    return recordings


def faults_of(home: Home, study: Study, keys: Sequence[Key]) -> list[str]:
    """What is wrong with the signals of some participant-days in the lake; nothing, one hopes."""
    lake, found = Lake(home.lake), []
    for key in keys:
        span = Calendar.of(study, key.participant or "").span_us(key.date or Date.min)
        found += [f"{key.participant} {key.date}: {what}" for what in faults(lake.read(SIGNALS, key), span)]
    return found


def _spec(table: Table) -> dg.AssetSpec:
    return dg.AssetSpec(
        table.name,
        deps=[DUMPS.name],
        description=WHAT[table.name],
        group_name=GROUP,
        owners=["team:macromicro"],
        kinds={"polars", KINDS[table.name]},
        metadata=column_schema(table),
    )


def of_catalogue(entries: Sequence[Entry], growing: Sequence[str] = ()) -> dict[str, Any]:
    """What the asset `dumps` shows of the study: counts, a row a participant, what was refused, and a picture."""
    states = {state: sum(e.state == state for e in entries) for state in STATES}
    refused = [(e.path, e.reason or "") for e in entries if e.state == QUARANTINED]
    facts: dict[str, Any] = {
        "dagster/row_count": len(entries),
        "participants": len({k.participant for e in entries for k in e.keys}),
        "bytes": sum(e.size_bytes for e in entries if e.present),
        "content": digest([(e.path, e.dump, e.state) for e in entries]),
        **states,
    }
    if entries:
        facts["participants and what came"] = markdown_table(PEOPLE_HEADER, _some(_people(entries), MOST_PEOPLE))
    if refused:
        facts["refused"] = markdown_table(("dump", "why, and what to do"), _some(refused, LISTED))
    if growing:
        facts["still being written"] = markdown_table(
            ("left for the next run",), _some([(g,) for g in growing], LISTED)
        )
    hours = _hours(entries, None)
    if hours.height:
        facts["data yield"] = picture(yield_picture(hours, "hours recorded", "hours recorded"), "hours recorded a day")
    return facts


def _some(rows: Sequence[tuple[object, ...]], most: int) -> list[tuple[object, ...]]:
    """The first rows, and how many more there are."""
    if len(rows) <= most:
        return list(rows)
    said = f"and {len(rows) - most} more: macromicro dumps shows them"
    return [*rows[:most], (said, *[""] * (len(rows[0]) - 1))]


def _people(entries: Sequence[Entry]) -> list[tuple[object, ...]]:
    """A row a participant: dumps by state, the days that have data, and when something came last."""
    own = {e.participant for e in entries if e.participant} | {k.participant for e in entries for k in e.keys}
    rows: list[tuple[object, ...]] = []
    for who in sorted(filter(None, own)):
        given = [e for e in entries if e.participant == who or any(k.participant == who for k in e.keys)]
        states = Counter(e.state for e in given)
        touches = [t for e in given if e.state == READ for t in e.touches if t.participant == who]
        days = sorted({t.date for t in touches})
        newest = max((e.received_us for e in given if e.present), default=None)
        rows.append((
            who, states[READ], states[QUARANTINED], states[DUPLICATE], len(days),
            *((days[0], days[-1]) if days else ("", "")),
            f"{sum(t.hours for t in touches):.1f}", "" if newest is None else np.datetime64(newest, "us").item().date(),
        ))  # fmt: skip
    return rows


def _hours(entries: Sequence[Entry], dates: set[Date] | None) -> pl.DataFrame:
    """Hours that the dumps in state `read` recorded, per participant and day; overlapping dumps count the longest."""
    rows = [
        {"participant": t.participant, "date": t.date, "hours": t.hours}
        for e in entries
        if e.state == READ
        for t in e.touches
        if dates is None or t.date in dates
    ]
    schema = {"participant": pl.String(), "date": pl.Date(), "hours": pl.Float64()}
    summed = pl.col("hours").sum().clip(0, 25)
    return pl.DataFrame(rows, schema=schema).group_by("participant", "date").agg(summed).sort("participant", "date")


def _of_table(home: Home, table: Table, report: Report, hours: pl.DataFrame, dates: set[Date]) -> dict[str, Any]:
    facts = unit_metadata(report, table)
    if table is SIGNALS:
        shown, unit = hours.filter(pl.col("hours") > 0), "hours recorded"
        facts["hours"] = round(float(shown["hours"].sum()), 1)
    else:
        shown, unit = (
            _counts(home, table, dates),
            {EVENTS: "events", VOICE_CLIPS: "clips", SELF_REPORTS: "answers"}.get(table, "values"),
        )
    if shown.height:
        facts["data yield"] = picture(yield_picture(shown, f"{table.name}: {unit} a day", unit), f"{unit} a day")
    return facts


def _counts(home: Home, table: Table, dates: set[Date]) -> pl.DataFrame:
    """Rows of a table per participant and day (prompts for self-reports are counted once an answered item)."""
    lake = Lake(home.lake)
    rows = [
        {"participant": k.participant, "date": k.date, "hours": float(lake.read(table, k, ["dump"]).height)}
        for k in lake.keys(table)
        if k.date in dates
    ]
    return pl.DataFrame(rows, schema={"participant": pl.String(), "date": pl.Date(), "hours": pl.Float64()})


def _listed(wrong: Sequence[str]) -> dict[str, Any]:
    return {"which": markdown_table(("participant-day",), [(w,) for w in wrong[:LISTED]])} if wrong else {}
