"""What a study has come to, as plain values: for `status`, `dumps` and the end of a night, and for their `--json`.

Reads the lake, Dagster's runs and the registry; decides nothing and prints nothing (`summary.py` does).
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from assets.lake import Key, Lake
from assets.ledger import Stamp
from assets.monitoring.sizes import home_sizes, lake_sizes
from assets.study import Home, Study
from assets.tables import DUMPS, SELF_REPORTS
from assets.units import stamped
from models.registry import CHALLENGER, CHAMPION, Registry, Version
from pipeline.lock import holder

if TYPE_CHECKING:
    import dagster as dg


def overview(home: Home, study: Study) -> dict[str, Any]:
    """The study at a glance."""
    days = dict(stamped(home, "recordings"))
    busy = holder(home)
    return {
        "study": study.study.name,
        "home": str(home.root),
        "participants": len({key.participant for key in days}),
        "dumps": dump_states(home),
        "days": _days(days),
        "answers": sum(stamp.rows.get(SELF_REPORTS.name, 0) for stamp in days.values()),
        "schedule": f"{study.schedule.nightly} {study.timezone}" if study.schedule.enabled else None,
        "running_now": str(busy) if busy else None,
        "last_night": last_night(home),
        "sizes": home_sizes(home),
        "lake_sizes": lake_sizes(home),
        **models(home, study),
    }


def dump_states(home: Home) -> dict[str, int]:
    """How many dumps are in each state."""
    return dict(sorted(Counter(Lake(home.lake).read(DUMPS)["state"].to_list()).items()))


def catalogue_rows(home: Home, state: str | None = None, participant: str | None = None) -> list[dict[str, Any]]:
    """The catalogue's dumps as plain values, those of one state or participant where asked; times as ISO text."""
    frame = Lake(home.lake).read(DUMPS)
    if state is not None:
        frame = frame.filter(pl.col("state") == state)
    touched = pl.col("touches").list.eval(pl.element().struct.field("participant")).list.unique().list.sort()
    frame = frame.with_columns(people=pl.coalesce(pl.concat_list("participant").list.drop_nulls(), touched))
    if participant is not None:
        frame = frame.filter((pl.col("participant") == participant) | touched.list.contains(participant))
    days = pl.col("touches").list.eval(pl.element().struct.field("date").cast(pl.String)).list.unique().list.sort()
    hours = pl.col("touches").list.eval(pl.element().struct.field("hours")).list.sum()
    return frame.select(
        "dump",
        "path",
        "participant",
        "reader",
        "state",
        "reason",
        "size_bytes",
        *(_iso(name) for name in ("received_us", "first_us", "last_us")),
        days.alias("days"),
        hours.alias("hours"),
        pl.col("facts").str.json_path_match("$.holds").alias("holds"),
    ).to_dicts()


def last_night(home: Home) -> dict[str, Any] | None:
    """The last run that learnt or tried to: when it ended, how, and how long it took."""
    if not (home.dagster / "history").exists():
        return None
    import dagster as dg

    from pipeline.instance import instance

    with instance(home) as storage:
        records = [_latest(storage, job) for job in ("nightly", "learning")]
    found = [record for record in records if record is not None]
    if not found:
        return None
    last = max(found, key=lambda record: record.create_timestamp)
    ended = last.end_time
    return {
        "state": "worked" if last.dagster_run.status is dg.DagsterRunStatus.SUCCESS else last.dagster_run.status.value,
        "began": _when(last.start_time),
        "ended": _when(ended),
        "seconds": round(ended - last.start_time, 1) if ended and last.start_time else None,
        "run": last.dagster_run.run_id,
    }


def models(home: Home, study: Study) -> dict[str, Any]:
    """Champion and challenger with what their versions say of themselves; None where there is none."""
    registry = Registry(home.mlflow, study.study.name)
    versions = registry.versions()
    found: dict[str, Any] = {"versions": len(versions)}
    for alias in (CHAMPION, CHALLENGER):
        version = next((v for v in versions if alias in v.aliases), None)
        found[alias] = _said(version) if version else None
    return found


def _said(version: Version) -> dict[str, Any]:
    """A version's number and tags; figures as figures again."""
    tags: dict[str, Any] = {key: text for key, text in version.tags.items() if not key.startswith("mlflow.")}
    for key in ("gate_figures",):
        if key in tags:
            tags[key] = json.loads(tags[key])
    return {"version": version.number, "run": version.run_id, **tags}


def _latest(storage: dg.DagsterInstance, job: str) -> dg.RunRecord | None:
    import dagster as dg

    return next(iter(storage.get_run_records(dg.RunsFilter(job_name=job), limit=1)), None)


def _days(days: dict[Key, Stamp]) -> dict[str, Any]:
    dates = [key.date for key in days if key.date is not None]
    first, last = (min(dates), max(dates)) if dates else (None, None)
    return {"participant_days": len(dates), "first": first and str(first), "last": last and str(last)}


def _when(seconds: float | None) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else None


def _iso(column: str) -> pl.Expr:
    name = column.removesuffix("_us")
    return pl.from_epoch(column, time_unit="us").dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias(name)
