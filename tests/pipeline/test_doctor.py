import os
import socket
import sqlite3
import time
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData
from dagster._core.utils import make_new_run_id

from assets.lake import Key, Lake
from assets.monitoring.days import FAILED, write_page
from assets.study import Home
from assets.tables import HRV_TABLE
from models.registry import CHAMPION, Registry
from pipeline import doctor
from pipeline.doctor import Finding, Level, examine
from pipeline.instance import instance
from pipeline.instance import prepare as prepare_dagster
from pipeline.lock import lock
from pipeline.template import study_text
from tests.assets.monitoring.rows import put, windows
from tests.models.registries import prepare

DAY = date(2026, 3, 2)


@pytest.fixture
def well(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with nothing wrong: settings, folders, one computed day, an empty registry."""
    monkeypatch.setattr(doctor, "PORTS", {})
    monkeypatch.setattr(doctor, "LEAST_FREE", 0)
    monkeypatch.setattr(doctor, "LEAST_SHARE", 0.0)
    home.inbox.mkdir(parents=True)
    home.root.chmod(0o700)
    home.study_file.write_text(study_text("study", "Europe/Berlin"))
    prepare_dagster(home)
    prepare(home.mlflow)
    put(home, "physiology", "P1", DAY, {HRV_TABLE: windows(HRV_TABLE, {"coverage": 1.0})})
    return home


def only(home: Home) -> Finding:
    [found] = examine(home)
    return found


def test_nothing_is_wrong_with_a_home_that_is_well(well: Home) -> None:
    assert examine(well) == []


def test_a_wrong_setting_is_named_and_nothing_else_is_looked_at(well: Home) -> None:
    well.study_file.write_text('[study]\ntimezone = "Europe/Atlantis"\n[items.happy]\n')
    assert "Europe/Atlantis" in only(well).what


def test_a_home_without_settings_is_told_how_to_make_one(home: Home) -> None:
    assert "macromicro" in only(home).what


def test_a_missing_inbox_is_wrong(well: Home) -> None:
    well.inbox.rmdir()
    assert only(well) == Finding(Level.WRONG, f"{well.inbox} is missing.", f"mkdir {well.inbox}")


def test_health_data_open_to_everybody_is_worth_a_look(well: Home) -> None:
    well.root.chmod(0o755)
    assert (only(well).level, only(well).mend) == (Level.LOOK, f"chmod o-rwx {well.root}")


def test_a_full_disk_is_wrong(well: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_FREE", 10**18)
    assert "GB left" in only(well).what


def test_a_disk_that_is_nearly_full_is_worth_a_look(well: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_SHARE", 1.1)
    assert (only(well).level, "GB left" in only(well).what) == (Level.LOOK, True)


def deny(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """As if these folders belonged to somebody else; whoever is root may do everything, and tests run as root too."""
    real = os.access
    monkeypatch.setattr("pipeline.doctor.os.access", lambda path, mode: path not in folders and real(path, mode))


def test_a_folder_that_belongs_to_somebody_else_is_wrong(well: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    deny(monkeypatch, well.lake)
    found = only(well)
    assert (found.level, found.what) == (
        Level.WRONG,
        f"{well.lake} cannot be written by this user; it belongs to {well.lake.owner()}.",
    )
    assert f"chown -R $(id -u) {well.lake}" in found.mend


def test_an_inbox_that_cannot_be_read_is_wrong(well: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    deny(monkeypatch, well.inbox)
    wrong = Finding(Level.WRONG, f"{well.inbox} cannot be read by this user.", f"chmod -R u+rX {well.inbox}")
    assert only(well) == wrong


def test_reports_that_cannot_be_written_are_wrong(well: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = well.root / "reports"
    folder.mkdir()
    deny(monkeypatch, folder)
    assert (only(well).level, "no report is written" in only(well).mend) == (Level.WRONG, True)


def test_a_zone_that_the_machine_does_not_know_is_wrong(well: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "available_timezones", lambda: {"Europe/London"})
    found = only(well)
    assert "data of time zone Europe/Berlin is missing" in found.what
    assert found.mend == "pip install tzdata"


def test_a_stamp_without_its_part_is_wrong_and_names_the_day(well: Home) -> None:
    Lake(well.lake).remove(HRV_TABLE, Key("P1", DAY))
    found = only(well)
    assert found.level is Level.WRONG
    assert "1 parts of hrv are stamped but not there (P1 2026-03-02)" in found.what
    assert "lake/ledger/physiology/" in found.mend


def test_a_part_without_its_stamp_is_only_worth_a_look(well: Home) -> None:
    Lake(well.lake).write(HRV_TABLE, windows(HRV_TABLE), Key("P2", DAY))
    assert (only(well).level, "have no stamp (P2 2026-03-02)" in only(well).what) == (Level.LOOK, True)


def test_what_the_doctor_advises_for_a_lost_part_mends_it(well: Home) -> None:
    Lake(well.lake).remove(HRV_TABLE, Key("P1", DAY))
    (well.lake / "ledger" / "physiology" / "P1.json").unlink()
    assert examine(well) == []


def test_half_written_files_of_today_are_a_running_night_and_older_ones_are_left_over(well: Home) -> None:
    path = well.lake / "hrv" / ".tmp-99-part.parquet"
    path.write_bytes(b"half")
    assert examine(well) == []
    then = time.time() - timedelta(days=2).total_seconds()
    os.utime(path, (then, then))
    assert ".tmp-99-part.parquet" in only(well).what


def test_a_database_that_somebody_holds_is_wrong(well: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PATIENCE_S", 0.05)
    monkeypatch.setattr(doctor, "EXAMINATIONS", (doctor._databases,))
    held = sqlite3.connect(well.mlflow / "mlflow.db")
    held.execute("BEGIN EXCLUSIVE")
    found = only(well)
    held.rollback()
    held.close()
    assert "mlflow.db cannot be written: database is locked" in found.what
    assert examine(well) == []


def test_a_damaged_database_is_wrong(well: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "EXAMINATIONS", (doctor._databases,))
    (well.mlflow / "mlflow.db").write_bytes(b"this is no database" * 100)
    assert "is damaged" in only(well).what


def test_a_database_with_a_torn_page_is_wrong(well: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "EXAMINATIONS", (doctor._databases,))
    path = well.mlflow / "mlflow.db"
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096 * 8)
    found = only(well)
    assert "mlflow.db is damaged" in found.what
    assert "put back a copy" in found.mend


@pytest.fixture
def registry(well: Home) -> Registry:
    made = Registry(well.mlflow, "study")
    with made.run("night", "a", {}) as run_id:
        model = made.client().create_logged_model(made.experiment(), source_run_id=run_id)
        made.point(CHAMPION, made.register(str(model.model_id), run_id, "a", {}))
    return made


def test_a_champion_without_files_is_wrong(well: Home, registry: Registry) -> None:
    assert "files of the champion, version 1, are missing" in only(well).what


def test_an_alias_that_points_nowhere_is_wrong(well: Home, registry: Registry) -> None:
    with sqlite3.connect(well.mlflow / "mlflow.db") as database:
        database.execute("UPDATE registered_model_aliases SET version = 7")
    assert "points at version 7, which is not registered" in only(well).what


def test_a_taken_port_is_told(well: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(doctor, "PORTS", {"Dagster": taken.getsockname()[1]})
        assert "Something answers on port" in only(well).what


def test_a_clock_that_was_set_back_is_wrong(well: Home) -> None:
    then = time.time() + timedelta(days=3).total_seconds()
    os.utime(well.lake / "ledger" / "physiology" / "P1.json", (then, then))
    assert "clock is more than a day behind" in only(well).what


def test_an_examination_that_fails_is_a_finding_and_the_others_go_on(well: Home) -> None:
    (well.lake / "ledger" / "physiology" / "P1.json").write_text("{not json")
    assert "parts could not be looked at" in only(well).what


def test_the_doctor_changes_nothing(well: Home) -> None:
    before = {p: p.stat().st_mtime_ns for p in well.root.rglob("*") if p.is_file() and p.suffix != ".db"}
    examine(well)
    assert {p: p.stat().st_mtime_ns for p in well.root.rglob("*") if p.is_file() and p.suffix != ".db"} == before


def test_a_schedule_switched_off_in_the_pages_is_worth_a_look(well: Home) -> None:
    with instance(well) as storage:
        origin = RemoteRepositoryOrigin(
            GrpcServerCodeLocationOrigin("127.0.0.1", 4000, location_name="macromicro"), "__repository__"
        )
        state = InstigatorState(
            origin.get_instigator_origin("nightly"),
            InstigatorType.SCHEDULE,
            InstigatorStatus.STOPPED,
            ScheduleInstigatorData("0 3 * * *"),
        )
        storage.add_instigator_state(state)
    assert only(well).what == "Switched off in Dagster's pages: nightly."


def test_a_run_that_nobody_works_on_is_worth_a_look(well: Home) -> None:
    with instance(well) as storage:
        run = dg.DagsterRun(job_name="nightly", run_id=make_new_run_id(), status=dg.DagsterRunStatus.STARTED)
        storage.add_run(run)
    assert run.run_id[:8] in only(well).what
    with lock(well, f"Dagster run {run.run_id}"):
        assert examine(well) == []


def test_days_that_could_not_be_drawn_are_worth_a_look(well: Home) -> None:
    write_page(well.root / "reports" / "days", ("P1", DAY), "abc", FAILED.format(kind="X", participant="P1", day=DAY))
    assert only(well).what == "1 day could not be drawn (P1_2026-03-02)."


def test_a_damaged_part_is_wrong_and_what_the_doctor_advises_names_its_unit(well: Home) -> None:
    (part,) = well.lake.glob("hrv/*/*/part.parquet")
    part.write_bytes(part.read_bytes()[:-4])
    found = only(well)
    assert "1 parts of hrv are damaged (hrv/date=2026-03-02/participant=P1/part.parquet)" in found.what
    assert "lake/ledger/physiology/" in found.mend


def test_what_nobody_foresaw_is_a_finding_of_one_line_and_the_others_go_on(
    well: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def _parts(home: Home, study: object) -> list[Finding]:
        message = "file is not a database\n[SQL: SELECT answers FROM somebody]"
        raise sqlite3.DatabaseError(message)

    monkeypatch.setattr(doctor, "EXAMINATIONS", (_parts, *doctor.EXAMINATIONS))
    assert only(well).what == "parts could not be looked at: DatabaseError: file is not a database"


def test_a_home_with_a_number_sign_is_looked_at_and_nothing_is_made_beside_it(tmp_path: Path, well: Home) -> None:
    other = Home(tmp_path / "a#b")
    well.root.rename(other.root)
    assert examine(other) == []
    assert not (tmp_path / "a").exists()
