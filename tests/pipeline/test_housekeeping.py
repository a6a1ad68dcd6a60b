import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from assets.lake import Lake
from assets.monitoring.tables import DECISIONS, RETIRED
from assets.study import Home, Retention, Study
from models.registry import CHALLENGER, CHAMPION, Registry, Version
from pipeline.housekeeping import CLEARED_TAG, clean, clean_runs
from pipeline.instance import instance as instance_of
from pipeline.retire import Aged, retire_versions, superfluous
from tests.models.registries import prepare

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LATER = datetime.now(UTC) + timedelta(days=400)
DAYS = dg.StaticPartitionsDefinition(["2026-03-02", "2026-03-03"])


@pytest.fixture
def instance(home: Home) -> Iterator[dg.DagsterInstance]:
    with instance_of(home) as made:
        yield made


@dg.asset(partitions_def=DAYS)
def signals(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    context.log.info("a line of the step's log")
    return dg.MaterializeResult(metadata={"rows": 7})


def run(instance: dg.DagsterInstance, day: str) -> str:
    return dg.materialize([signals], instance=instance, partition_key=day).run_id


def lines(instance: dg.DagsterInstance, run_id: str) -> int:
    return len(instance.all_logs(run_id))


def test_a_run_whose_day_was_made_anew_goes_and_the_latest_of_each_day_stays(instance: dg.DagsterInstance) -> None:
    first, other, again = run(instance, "2026-03-02"), run(instance, "2026-03-03"), run(instance, "2026-03-02")
    assert clean_runs(instance, LATER) == (1, 2)
    assert instance.get_run_by_id(first) is None
    assert instance.get_materialized_partitions(dg.AssetKey("signals")) == {"2026-03-02", "2026-03-03"}
    event = instance.get_latest_materialization_event(dg.AssetKey("signals"))
    assert event is not None
    assert event.asset_materialization.metadata["rows"].value == 7
    assert [lines(instance, r) for r in (other, again)] == [0, 0]
    assert instance.get_run_by_id(again).tags[CLEARED_TAG] == "cleared"


def test_what_old_steps_printed_goes_with_their_run(instance: dg.DagsterInstance) -> None:
    gone, kept = run(instance, "2026-03-02"), run(instance, "2026-03-02")
    printed = [Path(instance.storage_directory()) / run_id / "compute_logs" / "signals.out" for run_id in (gone, kept)]
    for path in printed:
        path.parent.mkdir(parents=True)
        path.write_text("working …")
    clean_runs(instance, datetime.now(UTC) - timedelta(days=7))
    assert [path.exists() for path in printed] == [True, True]
    clean_runs(instance, LATER)
    assert [path.parent.parent.exists() for path in printed] == [False, False]


def test_a_second_cleaning_finds_nothing_more(instance: dg.DagsterInstance) -> None:
    run(instance, "2026-03-02")
    clean_runs(instance, LATER)
    assert clean_runs(instance, LATER) == (0, 0)


def test_young_runs_keep_their_logs(instance: dg.DagsterInstance) -> None:
    kept = run(instance, "2026-03-02")
    assert clean_runs(instance, datetime.now(UTC) - timedelta(days=7)) == (0, 0)
    assert lines(instance, kept) > 5


def test_cleared_runs_take_a_small_file(instance: dg.DagsterInstance, home: Home) -> None:
    shard = home.dagster / "history" / "runs" / f"{run(instance, '2026-03-02')}.db"
    with_lines = shard.stat().st_size
    clean_runs(instance, LATER)
    assert shard.stat().st_size < with_lines


def aged(number: int, days: int, *aliases: str, **tags: str) -> Aged:
    return Aged(Version(number, f"run{number}", tags, aliases), NOW - timedelta(days=days))


def test_what_an_alias_names_and_what_a_rollback_needs_and_the_newest_stay() -> None:
    settings = Retention(versions=2, versions_days=30)
    versions = [
        aged(1, 200),
        aged(2, 190, gate="promoted"),
        aged(3, 180),
        aged(4, 170, CHAMPION, gate="promoted"),
        aged(5, 100),
        aged(6, 20),
        aged(7, 90),
        aged(8, 80, CHALLENGER),
    ]
    gone = [v.number for v in superfluous(versions, DECISIONS.empty(), settings, NOW)]
    assert gone == [1, 3, 5]


def test_the_macro_version_that_micro_nights_build_on_stays() -> None:
    versions = [
        aged(1, 300, training="macro"),
        aged(2, 200, training="macro"),
        aged(3, 190, training="micro", macro_version="2"),
        aged(4, 180, CHAMPION, training="micro", macro_version="2"),
        aged(5, 170, CHALLENGER, training="micro", macro_version="2"),
    ]
    short = Retention(versions=2, versions_days=30)
    assert [v.number for v in superfluous(versions, DECISIONS.empty(), short, NOW)] == [1, 3]


@pytest.fixture
def registry(home: Home, study: Study) -> Registry:
    home.root.mkdir(parents=True)
    made = Registry(prepare(home.mlflow), study.study.name)
    for number in range(1, 5):
        with made.run("night", str(number), {}) as run_id:
            made.client().log_metric(run_id, "P2N.macro_micro.mae", 10.0 + number)
            made.client().log_text(run_id, "weights", "model.txt")
            model = made.client().create_logged_model(made.experiment(), source_run_id=run_id)
            version = made.register(str(model.model_id), run_id, str(number), {"answers": 10 * number})
    made.point(CHAMPION, made.version(2))
    made.point(CHALLENGER, version)
    return made


def files(folder: Path) -> int:
    return len(list(folder.rglob("model.txt")))


def test_retired_versions_leave_their_figures_and_nothing_else(home: Home, study: Study, registry: Registry) -> None:
    short = study.model_copy(update={"retention": Retention(versions=2, versions_days=7)})
    assert files(registry.artifacts) == 4
    assert retire_versions(home, short, LATER) == 1
    assert [v.number for v in registry.versions()] == [4, 3, 2]
    assert files(registry.artifacts) == 3
    [row] = Lake(home.lake).read(RETIRED).to_dicts()
    assert (row["version"], row["answers"]) == (1, 10)
    assert '"P2N.macro_micro.mae": 11.0' in row["metrics"]
    assert registry.aliased(CHAMPION).number == 2
    assert retire_versions(home, short, LATER) == 0


def test_a_home_without_a_registry_has_nothing_to_retire(home: Home, study: Study) -> None:
    assert retire_versions(home, study, LATER) == 0
    assert not home.mlflow.exists()


def old(path: Path, days: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 10)
    then = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (then, then))
    return path


def test_old_files_go_and_data_stays(home: Home, study: Study, instance: dg.DagsterInstance) -> None:
    gone = [
        old(home.lake / "hrv" / "date=2026-03-02" / ".tmp-123-part.parquet", 2),
        old(home.root / "reports" / "2025-01-01.html", 400),
        old(home.root / "logs" / "2026-01-01.log", 100),
        old(home.scratch / "learning" / "abc" / "checkpoint.safetensors", 20),
        old(home.root / "reports" / "days" / "P1_2026-03-02.html", 61),
        old(home.root / "reports" / ".tmp-9-latest.html", 2),
        old(home.mlflow / "mlflow.db.new", 2),
    ]
    kept = [
        old(home.lake / "hrv" / "date=2026-03-02" / "part.parquet", 900),
        old(home.lake / "hrv" / "date=2026-03-03" / ".tmp-124-part.parquet", 0.1),
        old(home.inbox / "P1" / ".tmp-dump.zip", 900),
        old(home.root / "reports" / "2026-05-01.html", 31),
        old(home.scratch / "learning" / "def" / "checkpoint.safetensors", 1),
        old(home.root / "reports" / "days" / "P1_2026-05-02.html", 30),
        old(home.mlflow / "artifacts" / "model.safetensors", 900),
    ]
    done = clean(home, study, instance, NOW)
    assert (done.files, done.bytes) == (7, 70)
    assert [p.exists() for p in gone] == [False] * 7
    assert [p.exists() for p in kept] == [True] * 7
    assert not (home.scratch / "learning" / "abc").exists()
