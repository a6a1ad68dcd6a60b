"""Dagster's view of what watches the study: data yield, drift and the night's report, each with its checks.

Thin: the files beside it compute and draw. Annotations stay evaluated here: Dagster reads them.
"""

from datetime import UTC, datetime, timedelta
from datetime import date as Date
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import polars as pl

from assets.lake import Key, Lake
from assets.metadata import column_schema, markdown_table, picture
from assets.monitoring import charts
from assets.monitoring.advice import advice
from assets.monitoring.curves import night_curves, timeline
from assets.monitoring.daily import refresh_daily
from assets.monitoring.days import SHOWN_DAYS
from assets.monitoring.drawing import ON_WHITE
from assets.monitoring.drift import find_drift
from assets.monitoring.findings import (
    Finding,
    dumps_are_read,
    new_drifts,
    nothing_drifted,
    nothing_waits,
    somebody_gives,
)
from assets.monitoring.operations import operations, waiting
from assets.monitoring.report import Material, gather, latest_drift, looked_back_from, write_report
from assets.monitoring.tables import DAILY, DRIFT, YIELDS
from assets.monitoring.tracked import keep_with_version
from assets.monitoring.yields import State, grid, silences, totals
from assets.study import Home, Study
from assets.tables import DUMPS

GROUP, OWNERS = "monitoring", ["team:macromicro"]
DATA = ["self_reports", "voice_clips", "hrv", "eda", "motion", "temperature", "acoustic"]
ON_TIME = timedelta(hours=12)  # a report of the night counts for the morning


def assets(home: Home, study: Study) -> list[dg.AssetsDefinition | dg.AssetChecksDefinition]:
    """The assets of this part of the stage for one study."""
    return [_data_yield(home, study), _drift(home, study), _report(home, study)]


def _data_yield(home: Home, study: Study) -> dg.AssetsDefinition:
    given = dg.AssetCheckSpec(
        "somebody_gives", asset="data_yield", description="Somebody has given something in the last days."
    )
    readable = dg.AssetCheckSpec(
        "dumps_are_read", asset="data_yield", description="Most of the last week's dumps could be read."
    )

    @dg.multi_asset(
        name="data_yield",
        specs=[_spec("data_yield", DATA, YIELD_SAYS, column_schema(DAILY))],
        check_specs=[given, readable],
    )
    def data_yield() -> Any:
        done, lake = refresh_daily(home, study), Lake(home.lake)
        daily, now = lake.read_all(DAILY), _now(study)
        facts: dict[str, Any] = {
            "participant-days computed": done.made,
            "participant-days unchanged": done.kept,
            "content": done.content,
        }
        yield dg.MaterializeResult(asset_key="data_yield", metadata=facts | _yield_metadata(daily, now))
        until_us = int(now.timestamp() * 1e6)
        yield _check(given, somebody_gives(daily, now.date(), study.report))
        yield _check(readable, dumps_are_read(lake.read(DUMPS), until_us, study.report))

    return data_yield


def _drift(home: Home, study: Study) -> dg.AssetsDefinition:
    steady = dg.AssetCheckSpec(
        "nothing_drifted", asset="drift", description="No feature moved for many people at once."
    )

    @dg.multi_asset(
        name="drift",
        specs=[_spec("drift", ["data_yield"], DRIFT_SAYS, column_schema(DRIFT))],
        check_specs=[steady],
    )
    def drift() -> Any:
        lake = Lake(home.lake)
        daily = lake.read_all(DAILY)
        last = looked_back_from(daily, _now(study).date()) - timedelta(days=1)
        before, found = latest_drift(lake, before=last), find_drift(daily, last)
        if not found.is_empty():
            lake.write(DRIFT, found, Key(date=last))
        moved = found.filter("drifted")
        names = ("feature", "group", "since", "shift_sd", "people")
        facts: dict[str, Any] = {"watched": found.height, "moved": moved.height, "as of": str(last)}
        new = facts["new tonight"] = new_drifts(found, before).height
        if moved.height:
            facts["drift"] = markdown_table(names, moved.select(names).with_columns(pl.col("shift_sd").round(1)).rows())
        yield dg.MaterializeResult(asset_key="drift", metadata=facts)
        yield _check(steady, nothing_drifted(found, new))

    return drift


def _report(home: Home, study: Study) -> dg.AssetsDefinition:
    done = dg.AssetCheckSpec("nothing_waits", asset="report", description="Every participant-day is up to date.")
    policy = dg.FreshnessPolicy.cron(study.report.deadline, ON_TIME, study.timezone)

    @dg.multi_asset(
        name="report",
        specs=[_spec("report", ["data_yield", "drift", "predictions"], REPORT_SAYS, {}, policy)],
        check_specs=[done],
    )
    def report(context: dg.AssetExecutionContext) -> Any:
        material = gather(home, study, _now(study), operations(context.instance, home, study))
        path = write_report(home, material)
        facts = {"file": dg.MetadataValue.path(str(path)), "bytes": path.stat().st_size, **_report_metadata(material)}
        facts["kept with version"] = keep_with_version(home, study, material) or "none that has no report yet"
        yield dg.MaterializeResult(
            asset_key="report", metadata=facts | {f"bytes {k}": v for k, v in material.sizes.items()}
        )
        yield _check(done, nothing_waits(waiting(home, study)))

    return report


def _spec(
    name: str, deps: list[str], says: str, metadata: Any, policy: dg.FreshnessPolicy | None = None
) -> dg.AssetSpec:
    return dg.AssetSpec(
        name,
        deps=deps,
        description=says,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"polars"},
        metadata=metadata,
        freshness_policy=policy,
    )


def _yield_metadata(daily: pl.DataFrame, now: datetime) -> dict[str, Any]:
    if daily.is_empty():
        return {"said": "nobody has given anything yet"}
    until = looked_back_from(daily, now.date())
    last = until - timedelta(days=1)
    stopped = [s for s in silences(daily, until) if s.state is State.STOPPED]
    rows = [(s.participant, s.activity, s.since, s.days, _last_day(s.since)) for s in stopped if s.since]
    facts: dict[str, Any] = {
        "participants": daily["participant"].n_unique(),
        "stopped": len(stopped),
        "a day, all together": picture(charts.totals_chart(totals(daily)), "what came of each modality, day by day"),
    }
    for modality, (column, _) in YIELDS.items():
        if daily[column].sum():
            heat = charts.heat_map(grid(daily, modality, last, SHOWN_DAYS), modality)
            facts[f"yield: {modality}"] = picture(heat, f"{modality} by participant and day")
    if rows:
        facts["who stopped"] = markdown_table(("participant", "what", "since", "days", "last day"), rows)
    return facts


def _last_day(since: Date) -> str:
    """A link to what Dagster has of the last day before a silence."""
    day = since - timedelta(days=1)
    return f"[{day}](/assets/beats?view=partitions&partition={day})"


def _report_metadata(material: Material) -> dict[str, Any]:
    """What the report says to the scientist and the person on call, as pictures and tables."""
    days, zone = material.days, ZoneInfo(material.study.timezone)
    facts: dict[str, Any] = {"days drawn": days.made, "days to be drawn": days.waiting, "days failed": len(days.failed)}
    curves = night_curves(material.nights, material.study.gate.coverage, ON_WHITE)
    facts |= {title: picture(figure, title) for title, figure in curves.items()}
    steps = timeline(material.operations, zone, ON_WHITE)
    if steps:
        facts["the last night"] = picture(steps, "the last night's steps")
    rows = [
        (s.name, f"{s.last.astimezone(zone):%Y-%m-%d %H:%M}" if s.last else "never", s.waiting or "")
        for s in material.operations.stages
    ]
    if rows:
        facts["stages"] = markdown_table(("stage", "last made", "waiting"), rows)
    failed = [(s.name, s.error, advice(s.error or "")) for s in material.operations.failed]
    if failed:
        facts["failed"] = markdown_table(("step", "kind of error", "what to do"), failed)
    return facts


def _check(spec: dg.AssetCheckSpec, found: Finding) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=found.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=found.said,
        metadata=found.figures,
    )


def _now(study: Study) -> datetime:
    return datetime.now(UTC).astimezone(ZoneInfo(study.timezone))


YIELD_SAYS = """What each participant gave on each day: hours of wear, of pulse and of skin conductance, clips, answers.

The heat maps show the last four weeks; a table names who stopped wearing or answering, and since when. A silence
counts as stopping when it is longer than any of that person's usual ones."""
DRIFT_SAYS = """Features that moved for many people at once: which, since when, and whose (one device's, everyone's).

Everybody is compared with their own past, so differences between people and slow lives of their own are no drift.
False alarms are held to about one night in 200."""
REPORT_SAYS = """The night's report, one self-contained file in `reports/`: open it in any browser, no network needed.

For the coordinator (data yield, silences, quarantine), the scientist (models, lift, coverage, drift) and the person on
call (freshness, the night's timeline, what failed and what to do). Written again each morning, so that a quiet week
is noticed too."""
