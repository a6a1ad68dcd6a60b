"""The inbox sensor: what arrives during the day is catalogued and computed at once, so that nights stay short.

A thin shell over the planner. It asks for nothing while a run is in flight, and never twice for the same state. It
also ends nights that the schedule could only open, and clears runs whose process died: a run that says it is running
while nobody holds the home's lock, at two ticks in a row, is no more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date as Date
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from assets.study import Home, Study
from pipeline.facts import Look, look_settled
from pipeline.jobs import JOBS
from pipeline.lock import holder
from pipeline.plan import plan
from pipeline.requests import NIGHT_TAG, STEP_TAG, TYPED_TAG, day_requests, ingest_request, night_requests

INTERVAL_S = 60
RUNNING = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


@dataclass(frozen=True)
class Memory:
    """The sensor's cursor: runs that looked dead at the last tick, and the last night known to be over."""

    suspects: tuple[str, ...] = ()
    closed: Date | None = None

    @classmethod
    def parse(cls, cursor: str | None) -> Memory:
        """From the cursor's text; empty at the first tick."""
        raw = json.loads(cursor) if cursor else {}
        closed = raw.get("closed")
        return cls(tuple(raw.get("suspects", ())), Date.fromisoformat(closed) if closed else None)

    def text(self) -> str:
        """As the cursor's text."""
        return json.dumps({"suspects": self.suspects, "closed": self.closed and self.closed.isoformat()})


def inbox(home: Home, study: Study, daily: list[dg.AssetKey], look: Look = look_settled) -> dg.SensorDefinition:
    """The sensor of a study's inbox; `daily` are the assets of the days."""

    @dg.sensor(
        name="inbox",
        jobs=JOBS,
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Watches the inbox: catalogues what is new and computes exactly the days it touches.",
    )
    def watch(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """Ask for the next run that the inbox needs, or say why none is due."""
        memory = Memory.parse(context.cursor)
        busy, memory = in_flight(context.instance, home, memory)
        if busy:
            context.update_cursor(memory.text())
            yield dg.SkipReason(busy)
            return
        todo = plan(look(home, study))
        night = open_night(context.instance, datetime.now(ZoneInfo(study.timezone)).date(), memory)
        over = night is not None and not todo.ingest
        context.update_cursor((replace(memory, closed=night) if over else memory).text())
        if todo.ingest:
            yield ingest_request(todo)
        elif night and not todo.nothing:
            yield from night_requests(todo, night, daily)
        elif todo.ranges:
            yield from day_requests(todo)
        else:
            yield dg.SkipReason("Nothing new in the inbox, and every day is up to date.")

    return watch


def in_flight(instance: dg.DagsterInstance, home: Home, memory: Memory) -> tuple[str, Memory]:
    """Whose work to wait for ('' where nobody's), after failing the runs whose process is gone."""
    runs = instance.get_runs(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES))
    held = holder(home)
    # A command's run is never in a queue: whatever it says of itself, without its process it is dead.
    silent = [run for run in runs if held is None and (run.status in RUNNING or TYPED_TAG in run.tags)]
    for run in silent:
        if run.run_id in memory.suspects:
            instance.report_run_failed(run, "Its process ended without a word (killed, or the machine restarted).")
    memory = replace(memory, suspects=tuple(run.run_id for run in silent if run.run_id not in memory.suspects))
    alive = [run for run in runs if run not in silent or run.run_id in memory.suspects]
    if alive:
        return f"Run {alive[0].run_id[:8]} ({alive[0].job_name}) is not over yet.", memory
    return (f"The home is busy: {held}." if held else ""), memory


def open_night(instance: dg.DagsterInstance, today: Date, memory: Memory) -> Date | None:
    """The night that was opened and has not been ended, if there is one; yesterday's at the earliest."""
    for night in (today, today - timedelta(days=1)):
        tag = {NIGHT_TAG: night.isoformat()}
        steps = {run.tags.get(STEP_TAG) for run in instance.get_runs(dg.RunsFilter(tags=tag))}
        if "opening" in steps and "nightly" not in steps and night != memory.closed:
            return night
    return None
