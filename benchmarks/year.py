"""A year of nights: whether listing, pages and nights slow down, and whether the home grows in line with its data.

Run: `OMP_NUM_THREADS=1 python -m benchmarks.year [nights …] [--people N] [--folder F]` (30 100 200 365 by default).
What science costs is left out: people answer and wear nothing, and nothing is trained. Everything else is the
product's own: a real night (`macromicro run`) at each checkpoint, and between them, for every night, a run in the real
Dagster storage with the events that weigh (each asset planned and made, with pictures of the usual size) and a version
in the real registry. Runs and versions are dated back to their
night by SQL, the one thing that the product would not do, and house-keeping runs every four weeks on that clock.
Seconds are the processor's, those of commands with all their processes. Measured at each checkpoint: what each part of
the home weighs, `status`, loading the definitions, a tick of the schedule, what Dagster's pages ask for, an
empty night.
"""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
from dagster._core.events import (
    AssetMaterializationPlannedData,
    DagsterEvent,
    EventSpecificData,
    StepMaterializationData,
)
from dagster._core.utils import make_new_run_id

from assets.monitoring.sizes import home_sizes
from assets.study import HOME_VARIABLE, Home, Study
from benchmarks._arguments import asking
from models.registry import CHALLENGER, Registry
from pipeline.facts import look
from pipeline.housekeeping import clean
from pipeline.instance import instance
from pipeline.location import definitions
from pipeline.plan import plan
from pipeline.requests import NIGHT_TAG, range_tags

CHECKPOINTS = (30, 100, 200, 365)
FIRST = date(2026, 1, 1)
CLEAN_EVERY, PICTURE, WEIGHTS = 28, 30_000, 200_000
PICTURED = (
    "signals",
    "beats",
    "hrv",
    "eda",
    "motion",
    "temperature",
    "minutes",
    "acoustic",
    "data_yield",
    "evaluation",
)
STUDY = """[study]
timezone = "Europe/Berlin"
[items.happy]
[items.sad]
[training]
max_epochs = 0
min_answers = 100000
"""


def main() -> None:
    """Live through the year and print a line at each checkpoint."""
    parser = asking(__doc__)
    parser.add_argument("nights", nargs="*", type=int, default=list(CHECKPOINTS))
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        home = make_home(Path(folder) / "home")
        os.environ[HOME_VARIABLE] = str(home.root)
        study, lived, began = home.study(), 0, time.monotonic()
        for checkpoint in sorted(asked.nights):
            answer(home, lived, checkpoint, asked.people)
            _told(f"  real night: {_command(home, 'run'):.1f} s")
            seconds = live(home, study, lived, checkpoint)
            lived = checkpoint
            _told(f"night {lived} after {time.monotonic() - began:.0f} s; leaving a night's events {seconds:.3f} s")
            for name, value in measured(home, study, lived):
                _told(f"  {name}: {value}")
            shutil.rmtree(home.scratch, ignore_errors=True)


def make_home(folder: Path) -> Home:
    """A study of two items in which nothing is trained."""
    home = Home(folder)
    (home.inbox / "self_reports").mkdir(parents=True)
    home.study_file.write_text(STUDY)
    return home


def answer(home: Home, first: int, last: int, people: int) -> None:
    """Five answers a day of everybody, from one night to another, as one file of the inbox."""
    rng = np.random.default_rng(first)
    rows = [
        f"P{person:03d},{FIRST + timedelta(days=night)}T{9 + 2 * n:02d}:00:00+01:00,{rng.integers(101)},{night % 101}"
        for night in range(first, last)
        for person in range(people)
        for n in range(5)
    ]
    text = "\n".join(["participant,time,happy,sad", *rows]) + "\n"
    (home.inbox / "self_reports" / f"until-{last}.csv").write_text(text)


def live(home: Home, study: Study, first: int, last: int) -> float:
    """Leave what nights leave in Dagster's storage and in the registry; processor seconds of one night in Dagster."""
    spent = []
    job = definitions(home, study).resolve_job_def("nightly")
    registry = Registry(home.mlflow, study.study.name)
    with instance(home) as storage:
        for night in range(first, last):
            start = time.process_time()
            run_id = leave_events(storage, job, FIRST + timedelta(days=night))
            spent.append(time.process_time() - start)
            leave_version(registry, night)
            _date_back(home, run_id, _evening(night))
            if night % CLEAN_EVERY == CLEAN_EVERY - 1:
                clean(home, study, storage, _evening(night))
    return float(np.median(spent[-20:]))


def _evening(night: int) -> datetime:
    return datetime.combine(FIRST + timedelta(days=night + 1), datetime.min.time(), UTC)


def leave_events(storage: dg.DagsterInstance, job: dg.JobDefinition, day: date) -> str:
    """A run of the nightly job over a day with what its assets leave: planned, then made; the run's id."""
    tags = {NIGHT_TAG: day.isoformat(), **range_tags((day, day))}
    run = dg.DagsterRun(job_name=job.name, run_id=make_new_run_id(), tags=tags, status=dg.DagsterRunStatus.SUCCESS)
    storage.add_run(run)
    picture = dg.MetadataValue.md(f"![a picture](data:image/png;base64,{'A' * PICTURE})")
    for key in sorted(job.asset_layer.selected_asset_keys):
        partition = day.isoformat() if job.asset_layer.get(key).is_partitioned else None
        facts: dict[str, object] = {"rows": 100, "content": "0" * 64}
        facts |= {"data yield": picture} if key.to_user_string() in PICTURED else {}
        made = dg.AssetMaterialization(key, metadata=facts, partition=partition)
        planned = AssetMaterializationPlannedData(key, partition)
        _store(storage, run, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, planned)
        _store(storage, run, dg.DagsterEventType.ASSET_MATERIALIZATION, StepMaterializationData(made, []))
    return run.run_id


def _store(storage: dg.DagsterInstance, run: dg.DagsterRun, kind: dg.DagsterEventType, data: EventSpecificData) -> None:
    """Put one event of a run where Dagster's own engine puts it."""
    event = DagsterEvent(kind.value, run.job_name, step_key="night", event_specific_data=data)
    storage.report_dagster_event(event, run.run_id)


def leave_version(registry: Registry, night: int) -> None:
    """A version with weights, metrics and tags of the usual size."""
    from mlflow.entities import Metric

    client, now = registry.client(), int(time.time() * 1000)
    with registry.run("night", f"night {night}", {"epochs": 0}) as run_id:
        figures = [
            Metric(f"P2N.model_{n}.{f}", 0.4, now, 0) for n in range(12) for f in ("pooled_ccc", "mae", "coverage")
        ]
        client.log_batch(run_id, metrics=figures)
        client.log_text(run_id, "0" * WEIGHTS, "weights.txt")
        model = client.create_logged_model(registry.experiment(), source_run_id=run_id)
        version = registry.register(
            str(model.model_id), run_id, f"night {night}", {"answers": night, "gate": "declined"}
        )
    registry.point(CHALLENGER, version)


def _date_back(home: Home, run_id: str, when: datetime) -> None:
    """Let a run and the newest version have come about at a time."""
    seconds = when.timestamp()
    with closing(sqlite3.connect(home.dagster / "history" / "runs.db")) as runs, runs:
        said = when.strftime("%Y-%m-%d %H:%M:%S.%f")
        runs.execute(
            "UPDATE runs SET create_timestamp = ?, start_time = ?, end_time = ? WHERE run_id = ?",
            (said, seconds, seconds + 60, run_id),
        )
    with closing(sqlite3.connect(home.mlflow / "mlflow.db")) as registry, registry:
        registry.execute(
            "UPDATE model_versions SET creation_time = ? WHERE version = (SELECT max(version) FROM model_versions)",
            (int(seconds * 1000),),
        )


def measured(home: Home, study: Study, night: int) -> Iterator[tuple[str, str]]:
    """What a home of so many nights weighs, and what looking at it takes."""
    sizes = home_sizes(home)
    yield "MB", ", ".join(f"{name} {size / 1e6:.1f}" for name, size in sizes.items())
    yield "kB a night", ", ".join(f"{name} {size / 1e3 / night:.0f}" for name, size in sizes.items())
    yield "versions", str(len(Registry(home.mlflow, study.study.name).versions()))
    yield "an empty night", f"{_command(home, 'run'):.2f} s"
    yield "status", f"{_command(home, 'status'):.2f} s"
    yield "loading the definitions", f"{_program('import pipeline.definitions'):.2f} s"
    yield "a tick of the schedule", f"{_spent(lambda: plan(look(home, study))):.3f} s"
    with instance(home) as storage:
        pages = {
            "the list of runs": lambda: storage.get_run_records(limit=30),
            "every asset's latest": lambda: storage.get_latest_materialization_events(storage.get_asset_keys()),
            "the days of an asset": lambda: storage.get_materialized_partitions(dg.AssetKey("signals")),
            "its last 100 materializations": lambda: storage.fetch_materializations(dg.AssetKey("signals"), limit=100),
        }
        for name, look_up in pages.items():
            yield f"pages: {name}", f"{_spent(look_up):.3f} s"


def _spent(work: Callable[[], object], times: int = 5) -> float:
    """The least processor seconds of some times."""
    spent = []
    for _ in range(times):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def _command(home: Home, *words: str) -> float:
    return _processor([sys.executable, "-m", "pipeline.cli", "--home", str(home.root), *words])


def _program(text: str) -> float:
    return _processor([sys.executable, "-c", text])


def _processor(command: list[str]) -> float:
    """Processor seconds of a command and all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _told(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
