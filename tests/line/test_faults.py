"""Faults that are injected for real; after each, the next night repairs the study without a hand.

The study is the smallest that has everything but sensors: three people who answered for a week, a first night, and
one new file of answers. What a disturbed home must end as is the lake of one that nothing disturbed.
"""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import dagster as dg
import psutil
import pytest
from typer.testing import CliRunner

from assets.lake import Lake
from assets.study import Home
from assets.tables import SELF_REPORTS
from models.registry import CHAMPION, Registry
from pipeline.cli import app
from pipeline.instance import instance
from pipeline.servers import port
from tests.line.studies import differing, macromicro, tree_hash

pytestmark = pytest.mark.timeout(900)
RUNNER = CliRunner()
HEADER = "participant,time,happy,sad\n"


def night(home: Path, *, expect: int = 0) -> str:
    """A night in this process; what it said, on one line."""
    done = RUNNER.invoke(app, ["--home", str(home), "run"])
    assert done.exit_code == expect, done.output + done.stderr
    return " ".join((done.stdout if expect == 0 else done.stderr).split())


@pytest.fixture(autouse=True)
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after its first night, with a new file in its inbox."""
    home = tmp_path_factory.mktemp("before") / "home"
    assert RUNNER.invoke(app, ["--home", str(home), "init", "--timezone", "Europe/Berlin"]).exit_code == 0
    scales = "".join(f"[items.{item}]\nlow = 0\nhigh = 10\n" for item in ("happy", "sad"))
    (home / "study.toml").write_text(f'[study]\ntimezone = "Europe/Berlin"\n{scales}')
    rows = [
        f"P{person},2026-03-{2 + n // 4:02d}T{10 + n % 4 * 3}:00:00+01:00,{(person * 2 + n) % 10},{(7 * n) % 10}\n"
        for person in range(1, 4)
        for n in range(20)
    ]
    folder = home / "inbox" / "self_reports"
    folder.mkdir()
    (folder / "answers.csv").write_text(HEADER + "".join(rows))
    night(home)
    more = [f"P{person},2026-03-07T10:00:00+01:00,{person},{9 - person}\n" for person in range(1, 4)]
    (folder / "more.csv").write_text(HEADER + "".join(more))
    return home


@pytest.fixture(scope="module")
def undisturbed(before: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The lake after a second night that nothing disturbed."""
    home = tmp_path_factory.mktemp("undisturbed") / "home"
    copy(before, home)
    night(home)
    return tree_hash(home / "lake")


@pytest.fixture
def home(before: Path, tmp_path: Path) -> Path:
    copy(before, tmp_path / "home")
    return tmp_path / "home"


def copy(before: Path, home: Path) -> None:
    """Copy a home; MLflow's database names its folders by their whole paths, so these are rewritten."""
    shutil.copytree(before, home, dirs_exist_ok=True)
    with closing(sqlite3.connect(home / "mlflow" / "mlflow.db")) as database, database:
        for table, column in (
            ("experiments", "artifact_location"),
            ("runs", "artifact_uri"),
            ("logged_models", "artifact_location"),
            ("model_versions", "source"),
            ("model_versions", "storage_location"),
        ):
            database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (str(before), str(home)))  # noqa: S608


def assert_repaired(home: Path, undisturbed: dict[str, str], but: str = "nothing") -> None:
    """The lake is that of a home nothing disturbed; nothing is left open; the champion has its files."""
    assert [path for path in differing(tree_hash(home / "lake"), undisturbed) if not path.startswith(but)] == []
    with instance(Home(home)) as storage:
        assert {run.status for run in storage.get_runs()} <= {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}
        assert storage.get_runs(limit=1)[0].status is dg.DagsterRunStatus.SUCCESS
    registry = Registry(Home(home).mlflow, "study")
    open_runs = registry.client().search_runs([registry.experiment()], "attributes.status = 'RUNNING'")
    assert open_runs == []
    champion = registry.aliased(CHAMPION)
    assert champion.tags["gate"] == "promoted"
    assert (registry.folder_of(champion) / "MLmodel").is_file()
    assert "Nothing new" in night(home)


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[None]:
    """A mount of this test's own, for as long as the block runs; skips where this user may not mount."""
    place.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *options, str(place)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting needs root: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.faults
@pytest.mark.parametrize("left_kb", [0, 1000])
def test_a_full_disk_ends_the_night_and_room_alone_repairs_it(
    before: Path, undisturbed: dict[str, str], tmp_path: Path, left_kb: int
) -> None:
    home = tmp_path / "home"
    with mounted(home, "-t", "tmpfs", "-o", "size=64m", "tmpfs"):
        copy(before, home)
        ballast = home / "ballast"
        ballast.write_bytes(bytes(shutil.disk_usage(home).free - left_kb * 1000))
        said = night(home, expect=1)
        assert "macromicro doctor" in said
        assert "Traceback" not in said
        ballast.unlink()
        night(home)
        assert_repaired(home, undisturbed)


def test_a_read_only_lake_is_named_and_left_as_it_was(home: Path, undisturbed: dict[str, str]) -> None:
    lake, was = home / "lake", tree_hash(home / "lake")
    with mounted(lake, "--bind", str(lake)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(lake)], check=True)
        said = night(home, expect=1)
        assert "dumps: the lake cannot write dumps/part.parquet" in said
        assert "Nothing there was changed" in said
        assert "macromicro doctor" in said
    assert tree_hash(lake) == was
    night(home)
    assert_repaired(home, undisturbed)


@pytest.mark.faults
def test_of_two_nights_at_once_one_works_and_the_other_says_who_does(home: Path, undisturbed: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(home), "run"]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in "ab"]
    said = sorted((one.communicate()[1], one.returncode) for one in both)
    codes = sorted(code for _, code in said)
    assert codes == [0, 1]
    refused = next(text for text, code in said if code)
    assert "is busy: macromicro run (process" in " ".join(refused.split())
    assert_repaired(home, undisturbed)


def test_a_locked_database_is_named_and_waited_out_by_the_next_night(home: Path, undisturbed: dict[str, str]) -> None:
    with closing(sqlite3.connect(home / "dagster" / "history" / "runs.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        said = night(home, expect=1)
        assert "OperationalError: (sqlite3.OperationalError) database is locked" in said
        assert "`macromicro doctor` says which and who holds it" in said
        assert "INSERT" not in said
    night(home)
    assert_repaired(home, undisturbed)


def start_until(home: Path, stage: str) -> subprocess.Popen[str]:
    """A night in a process of its own, handed over the moment a file of this stage appears anew."""
    there = set(home.glob(stage))
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(home), "run"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while process.poll() is None and not set(home.glob(stage)) - there:
        time.sleep(0.01)
    assert process.poll() is None
    return process


TRAINING = "scratch/learning/*/challenger"


@pytest.mark.faults
def test_mlflows_database_gone_in_the_middle_of_training_is_made_anew(home: Path, undisturbed: dict[str, str]) -> None:
    process = start_until(home, TRAINING)
    for file in (home / "mlflow").glob("mlflow.db*"):
        file.unlink()
    said = process.communicate()[1]
    assert process.returncode == 1
    assert "macromicro: challenger: OperationalError: no such table" in said
    assert "Traceback" not in said
    assert "`macromicro doctor`" in said
    macromicro(home, "run")
    # A new registry's first version is its champion: it knows the newest answers, and so estimates otherwise.
    assert_repaired(home, undisturbed, but="predictions/")


@pytest.mark.faults
def test_mlflows_database_locked_in_the_middle_of_training_is_named(home: Path, undisturbed: dict[str, str]) -> None:
    process = start_until(home, TRAINING)
    with closing(sqlite3.connect(home / "mlflow" / "mlflow.db", isolation_level=None, timeout=20)) as other:
        other.execute("BEGIN EXCLUSIVE")
        said = process.communicate()[1]
    assert process.returncode == 1
    assert "macromicro: challenger: OperationalError: database is locked" in said
    macromicro(home, "run")
    assert_repaired(home, undisturbed)


@pytest.mark.faults
def test_a_clock_set_back_by_a_week_changes_nothing(
    home: Path, undisturbed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first night wrote, and the dump itself, lie a week in the future."""
    now, real = time.time, datetime

    class SetBack(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return real.now(tz) - timedelta(days=7)

    with monkeypatch.context() as clock:
        clock.setattr(time, "time", lambda: now() - 7 * 86_400)
        for module in ("pipeline.night", "pipeline.lock", "assets.monitoring.report_assets"):
            clock.setattr(f"{module}.datetime", SetBack)
        night(home)
    assert_repaired(home, undisturbed)


@pytest.mark.faults
def test_a_day_that_always_fails_is_named_and_takes_no_other_down(home: Path, undisturbed: dict[str, str]) -> None:
    in_the_way = home / "lake" / "self_reports" / "date=2026-03-07" / "participant=P2" / "part.parquet"
    (in_the_way / "stone").mkdir(parents=True)
    for _ in range(2):
        assert "Not computed: recordings of P2 on 2026-03-07. Everything else went on without" in night(home)
    days = {key.participant for key in Lake(home / "lake").keys(SELF_REPORTS) if str(key.date) == "2026-03-07"}
    assert days == {"P1", "P3"}
    shutil.rmtree(in_the_way)
    night(home)
    # The estimate that P2 was given without that day stays as it was given.
    assert_repaired(home, undisturbed, but="predictions/date=2026-03-08/participant=P2/")


@pytest.mark.faults
@pytest.mark.parametrize("stage", ["dagster/history/runs/*.db", TRAINING])
def test_runs_orphaned_by_a_kill_are_ended_by_the_next_night(
    home: Path, undisturbed: dict[str, str], stage: str
) -> None:
    process = start_until(home, stage)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    night(home)
    with instance(Home(home)) as storage:
        assert dg.DagsterRunStatus.FAILURE in {run.status for run in storage.get_runs()}
    assert_repaired(home, undisturbed)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("module", "name"), [("dagster._daemon", "Dagster's daemon"), ("dagster_webserver", "web server")]
)
def test_a_killed_server_ends_the_pages_with_its_name_and_they_start_again(home: Path, module: str, name: str) -> None:
    for _ in range(2):
        pages, family = start_pages(home)
        victim = next(p for p in family if module in p.cmdline())
        victim.kill()
        said = pages.communicate(timeout=120)[1]
        assert pages.returncode == 1
        assert f"{name} ended by itself (code -9)" in " ".join(said.split())
        _, alive = psutil.wait_procs(family, timeout=30)
        assert alive == []


def start_pages(home: Path) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """`macromicro ui`, once its pages answer, and all that it started."""
    ports = ["--port", str(port(None, 24000)), "--mlflow-port", str(port(None, 26000))]
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(home), "ui", *ports]
    pages = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert pages.stdout is not None
    while "Ctrl-C" not in (line := pages.stdout.readline()):
        assert line, pages.communicate()[1]
    return pages, psutil.Process(pages.pid).children(recursive=True)
