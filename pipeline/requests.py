"""A plan as Dagster's run requests: the same for the schedule and the sensor.

A request carries its range of days as the two tags that Dagster's backfills use, so that one run covers the range and
each day gets its materialization. Its key is made from the plan's state: the same state never asks twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date as Date
from datetime import timedelta

import dagster as dg
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from pipeline.jobs import DAYS, INGEST, NIGHTLY
from pipeline.plan import Plan, Range

NIGHT_TAG = "macromicro/night"
"""On every run of a night: the local date on which it began."""
TYPED_TAG = "macromicro/typed"
"""On runs started from the command line: their process is the one that holds the lock."""
STEP_TAG = "macromicro/step"
"""`opening` (the catalogue), `days` or `nightly` (the one that ends it)."""


def range_tags(days: Range) -> dict[str, str]:
    """The tags that make a run cover a range of days."""
    return {
        ASSET_PARTITION_RANGE_START_TAG: days[0].isoformat(),
        ASSET_PARTITION_RANGE_END_TAG: days[1].isoformat(),
    }


def last_range(plan: Plan, today: Date) -> Range:
    """The days of the run that ends a night: the last that are pending, else yesterday and today."""
    return plan.ranges[-1] if plan.ranges else (today - timedelta(days=1), today)


def ingest_request(plan: Plan) -> dg.RunRequest:
    """Catalogue what is new."""
    return dg.RunRequest(f"ingest-{plan.state}", job_name=INGEST)


def day_requests(plan: Plan) -> list[dg.RunRequest]:
    """One run for each range of pending days."""
    return [dg.RunRequest(f"days-{plan.state}-{days[0]}", job_name=DAYS, tags=range_tags(days)) for days in plan.ranges]


def opening_request(night: Date) -> dg.RunRequest:
    """The first run of a night that finds files not yet catalogued: which days they touch is known only after it."""
    tags = {NIGHT_TAG: night.isoformat(), STEP_TAG: "opening"}
    return dg.RunRequest(f"night-{night}-opening", job_name=NIGHTLY, asset_selection=[dg.AssetKey("dumps")], tags=tags)


def night_requests(plan: Plan, night: Date, daily: list[dg.AssetKey]) -> list[dg.RunRequest]:
    """The rest of a night: all pending ranges but the last as days alone, then the last with everything after it."""
    mark: Mapping[str, str] = {NIGHT_TAG: night.isoformat()}
    earlier = [
        dg.RunRequest(
            f"night-{night}-{days[0]}-{plan.state}",
            job_name=NIGHTLY,
            asset_selection=daily,
            tags={**mark, STEP_TAG: "days", **range_tags(days)},
        )
        for days in plan.ranges[:-1]
    ]
    tags = {**mark, STEP_TAG: "nightly", **range_tags(last_range(plan, night))}
    return [*earlier, dg.RunRequest(f"night-{night}-{plan.state}", job_name=NIGHTLY, tags=tags)]
