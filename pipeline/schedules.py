"""The night: when it begins, and what it asks for.

The schedule decides nothing by itself: the planner says what is to do. Where files lie in the inbox that nobody has
catalogued, the days they touch are not known yet; the night then opens with the catalogue alone and the inbox sensor
asks for the rest once that has ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import dagster as dg

from assets.study import Home, Study
from pipeline.facts import Look, look_settled
from pipeline.jobs import NIGHTLY
from pipeline.plan import plan
from pipeline.requests import night_requests, opening_request


def nightly(home: Home, study: Study, daily: list[dg.AssetKey], look: Look = look_settled) -> dg.ScheduleDefinition:
    """The nightly schedule of a study; `daily` are the assets of the days."""
    running = dg.DefaultScheduleStatus.RUNNING if study.schedule.enabled else dg.DefaultScheduleStatus.STOPPED

    @dg.schedule(
        job_name=NIGHTLY,
        name=NIGHTLY,
        cron_schedule=study.schedule.nightly,
        execution_timezone=study.timezone,
        default_status=running,
        description=f"The night of {study.study.name}, at '{study.schedule.nightly}' in {study.timezone}.",
    )
    def night(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """Ask for the runs that bring the study up to date, or say that nothing is new."""
        date = context.scheduled_execution_time.astimezone(ZoneInfo(study.timezone)).date()
        todo = plan(look(home, study))
        if todo.nothing:
            yield dg.SkipReason("Nothing new since the last night: nothing to compute, nothing to learn.")
        elif todo.ingest:
            yield opening_request(date)
        else:
            yield from night_requests(todo, date, daily)

    return night
