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
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import psutil
import pytest
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from typer.testing import CliRunner

from assets.features.physiology import PHYSIOLOGY
from assets.features.summary import SUMMARY_UNIT
from assets.lake import Lake
from assets.ledger import Stamp
from assets.study import Home
from assets.tables import SELF_REPORTS
from assets.units import stamped
from models.registry import CHAMPION, Registry
from pipeline.cli import app
from pipeline.instance import instance
from pipeline.requests import range_tags
from tests.assets.ingest.makers import START, e4_files, zipped
from tests.assets.ingest.makers import put as deliver
from tests.line.studies import differing, macromicro, settle, tree_hash
from tests.pipeline.pages import opened, until

pytestmark = pytest.mark.timeout(1800)
RUNNER = CliRunner()
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
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


def assert_repaired(home: Path, undisturbed: dict[str, str], but: tuple[str, ...] = ()) -> None:
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


def start(home: Path) -> subprocess.Popen[str]:
    """A night in a process, and a process group, of its own."""
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(home), "run"]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def start_until(home: Path, stage: str) -> subprocess.Popen[str]:
    """A night in a process of its own, handed over the moment a file of this stage appears anew."""
    there, process = set(home.glob(stage)), start(home)
    while process.poll() is None and not set(home.glob(stage)) - there:
        time.sleep(0.01)
    assert process.poll() is None
    return process


TRAINING = "scratch/learning/*/challenger"


@pytest.mark.faults
def test_a_night_that_overruns_into_the_next_is_waited_for_and_not_done_twice(
    home: Path, undisturbed: dict[str, str]
) -> None:
    """A night stands still while it trains, until the daemon's schedule has asked for the next one."""
    process = start_until(home, TRAINING)
    next_night(home)
    with standing_still(process), opened(home) as pages:
        [later] = until(lambda: runs_of(home, "nightly", dg.DagsterRunStatus.QUEUED), 600)
        time.sleep(5)
        assert runs_of(home, "nightly", dg.DagsterRunStatus.QUEUED) == [later]
        process.send_signal(signal.SIGCONT)
        process.communicate()
        assert process.returncode == 0
        pages.wait_for(later, lambda run: run["status"] == "SUCCESS")
        pages.end()
    made = materialized(home, later)
    assert made["self_reports"]["participant-days computed"].value == 0
    assert made["challenger"]["registered now"].value is False
    assert made["predictions"]["participants"].value == 0
    assert_repaired(home, undisturbed)


@pytest.mark.faults
def test_a_machine_rebooted_with_a_run_in_flight_goes_on_once_its_daemon_is_up(
    home: Path, undisturbed: dict[str, str]
) -> None:
    """Every process is killed while a run of the daemon trains; then only `macromicro ui` is started again."""
    for file in (home / "inbox").rglob("*.csv"):
        settle(file)
    there = set(home.glob(TRAINING))
    with opened(home) as pages:
        lost = pages.launch("nightly", range_tags((date(2026, 3, 7), date(2026, 3, 7))))
        until(lambda: set(home.glob(TRAINING)) - there)
        pages.kill()
    [first] = runs_of(home, "nightly", dg.DagsterRunStatus.SUCCESS)
    assert runs_of(home, "nightly", dg.DagsterRunStatus.STARTED) == [lost]
    next_night(home)
    with opened(home) as pages:
        [following] = until(lambda: runs_of(home, "nightly", dg.DagsterRunStatus.SUCCESS)[:-1], 900)
        until(lambda: not unfinished(home))
        pages.end()
    assert runs_of(home, "nightly", dg.DagsterRunStatus.SUCCESS) == [following, first]
    assert runs_of(home, "nightly", dg.DagsterRunStatus.FAILURE) == [lost]
    with instance(Home(home)) as storage:
        ended = [e.message for e in storage.all_logs(lost, of_type=dg.DagsterEventType.RUN_FAILURE)]
    assert "Its process ended without a word (killed, or the machine restarted)." in " ".join(ended)
    assert materialized(home, following)["challenger"]["registered now"].value is True
    assert_repaired(home, undisturbed, but=("dumps/",))  # the files were given another time of arrival


@contextmanager
def standing_still(process: subprocess.Popen[str]) -> Iterator[None]:
    """A process that does nothing until it is told to go on, at the latest at the end of the block."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def next_night(home: Path, minutes: int = 4) -> None:
    """Let the next night begin in some minutes: time enough for the pages to come up."""
    when = datetime.now(ZoneInfo("Europe/Berlin")) + timedelta(minutes=minutes)
    settings = (home / "study.toml").read_text()
    (home / "study.toml").write_text(f'{settings}\n[schedule]\nnightly = "{when.minute} {when.hour} * * *"\n')


def runs_of(home: Path, job: str, status: dg.DagsterRunStatus) -> list[str]:
    """The runs of a job that are in a state, the newest first."""
    with instance(Home(home)) as storage:
        return [run.run_id for run in storage.get_runs(dg.RunsFilter(job_name=job, statuses=[status]))]


def unfinished(home: Path) -> list[str]:
    """Runs of any job that are not over."""
    with instance(Home(home)) as storage:
        return [run.run_id for run in storage.get_runs(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES))]


def materialized(home: Path, run: str) -> dict[str, Mapping[str, dg.MetadataValue]]:
    """What a run said of each asset that it made."""
    with instance(Home(home)) as storage:
        made = [
            e.asset_materialization for e in storage.all_logs(run, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        ]
    return {m.asset_key.to_user_string(): m.metadata for m in made if m is not None}


@pytest.mark.faults
def test_a_month_killed_in_the_middle_goes_on_where_it_stopped_as_one_run_of_the_pages(tmp_path: Path) -> None:
    home, days = tmp_path / "home", [str(date(2022, 2, 7) + timedelta(days=n)) for n in range(31)]
    macromicro(home, "init", "--timezone", "Europe/Berlin")
    for n in range(31):
        deliver(home / "inbox" / "P01" / f"{n}.zip", zipped(e4_files(START + n * 86_400, seconds=60)))
    process = start(home)
    until(lambda: len(computed(home)) >= 10 or process.poll() is not None)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before, parts = computed(home), written(home)
    assert 10 <= len(before) < 31
    with opened(home) as pages:
        assets = [table.name for table in (*PHYSIOLOGY.tables, *SUMMARY_UNIT.tables)]
        how, runs = pages.backfill(assets, days, seconds=900)
        until(lambda: not unfinished(home))
        pages.end()
    assert (how, len(runs)) == ("COMPLETED_SUCCESS", 1)
    assert computed(home).keys() == set(days)
    assert before.items() <= computed(home).items()
    kept = {path: when for path, when in parts.items() if path.parts[-3].removeprefix("date=") in before}
    assert kept
    assert kept.items() <= written(home).items()
    with instance(Home(home)) as storage:
        tags = storage.get_run_by_id(runs[0]).tags
        assert [run.job_name for run in storage.get_runs(dg.RunsFilter(job_name="days"))] == []
    assert [tags[tag] for tag in RANGE] == [days[0], days[-1]]
    said = materialized(home, runs[0])["hrv"]
    assert said["participant-days unchanged"].value == len(before)
    assert said["participant-days computed"].value == 31 - len(before)


def computed(home: Path) -> dict[str, Stamp]:
    """The days of the only participant whose features are in the lake, with their stamps."""
    return {str(key.date): stamp for key, stamp in stamped(Home(home), "physiology")}


def written(home: Path) -> dict[Path, int]:
    """When each part of beats and the tables beside them was written."""
    found = [p for table in ("beats", "hrv", "eda", "motion") for p in (home / "lake" / table).glob("*/*/part.parquet")]
    return {p.relative_to(home): p.stat().st_mtime_ns for p in found}


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
    # The estimate that P2 was given without that day stays as it was given, and a night had learned without it.
    assert_repaired(home, undisturbed, but=("predictions/date=2026-03-08/participant=P2/", "learning/night.json"))


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
        with opened(home) as pages:
            victim = next(p for p in pages.family if module in p.cmdline())
            victim.kill()
            said = pages.process.communicate(timeout=120)[1]
        assert pages.process.returncode == 1
        assert f"{name} ended by itself (code -9)" in " ".join(said.split())
        _, alive = psutil.wait_procs(pages.family, timeout=30)
        assert alive == []
