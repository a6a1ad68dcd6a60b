import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import typer
from dagster._utils.schedules import cron_string_iterator
from typer.testing import CliRunner

from assets.study import HOME_VARIABLE, Home, Study
from pipeline import doctor
from pipeline.commands import care
from pipeline.template import study_text
from pipeline.watching import failed_runs, red_checks, watching
from tests.pipeline.servers import Inbox, webhooks


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    with webhooks() as inbox:
        monkeypatch.setenv("MACROMICRO_WEBHOOK", f"http://127.0.0.1:{inbox.port}/")
        yield inbox


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def ran(instance: dg.DagsterInstance, job: str, *, fail: bool = False) -> dg.ExecuteInProcessResult:
    @dg.op
    def work() -> None:
        if fail:
            message = "P007 answered 12"
            raise ValueError(message)

    @dg.graph
    def whole() -> None:
        work()

    return whole.to_job(name=job).execute_in_process(instance=instance, raise_on_error=False)


def requests(study: Study, instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> list[str | None]:
    context = dg.build_run_status_sensor_context(
        "failed_runs", result.get_run_failure_event(), instance, result.dagster_run
    ).for_run_failure()
    found = failed_runs(study)(context)
    return [r.run_key for r in found if isinstance(r, dg.RunRequest)]


def test_morning_and_house_keeping_keep_the_studys_hours(home: Home, study: Study) -> None:
    hours = {s.name: (s.cron_schedule, s.execution_timezone) for s in watching(home, study).schedules}
    assert hours == {
        "morning": (study.report.morning, "Europe/Berlin"),
        "housekeeping": (study.retention.weekly, "Europe/Berlin"),
    }


def test_house_keeping_comes_round_once_a_week_if_nobody_says_otherwise(home: Home, study: Study) -> None:
    [_, tidy] = watching(home, study).schedules
    start = datetime(2026, 3, 2, tzinfo=ZoneInfo("Europe/Berlin"))  # the clocks change on the 29th
    ticks = cron_string_iterator(start.timestamp(), tidy.cron_schedule, tidy.execution_timezone)
    assert [f"{next(ticks):%a %d %H:%M}" for _ in range(5)] == [
        "Sun 08 12:00", "Sun 15 12:00", "Sun 22 12:00", "Sun 29 12:00", "Sun 05 12:00",
    ]  # fmt: skip


def test_a_study_that_is_switched_off_has_no_mornings(home: Home, study: Study) -> None:
    off = study.model_copy(update={"schedule": study.schedule.model_copy(update={"enabled": False})})
    assert {s.default_status for s in watching(home, off).schedules} == {dg.DefaultScheduleStatus.STOPPED}


def test_a_failed_night_is_told_and_has_its_report_written(
    study: Study, instance: dg.DagsterInstance, hook: Inbox
) -> None:
    result = ran(instance, "nightly", fail=True)
    assert requests(study, instance, result) == [f"report-after-{result.run_id}"]
    [post] = hook.posts
    assert "study: nightly failed" in post["text"]
    assert "P007" not in post["text"]


def test_a_report_that_fails_is_told_and_not_asked_for_again(
    study: Study, instance: dg.DagsterInstance, hook: Inbox
) -> None:
    assert requests(study, instance, ran(instance, "report", fail=True)) == []
    assert len(hook.posts) == 1


def test_a_night_that_worked_is_not_told(study: Study, instance: dg.DagsterInstance, hook: Inbox) -> None:
    result = ran(instance, "nightly")
    event = result.get_run_success_event()
    red_checks(study)(dg.build_run_status_sensor_context("red_checks", event, instance, result.dagster_run))
    assert hook.posts == []


def test_a_check_that_turned_red_in_a_night_that_worked_is_posted(
    study: Study, instance: dg.DagsterInstance, hook: Inbox
) -> None:
    @dg.asset(check_specs=[dg.AssetCheckSpec("nothing_drifted", asset="drift")])
    def drift() -> dg.MaterializeResult:
        found = dg.AssetCheckResult(check_name="nothing_drifted", passed=False, description="P007 sleeps 3 h")
        return dg.MaterializeResult(check_results=[found])

    whole = dg.Definitions(assets=[drift], jobs=[dg.define_asset_job("nightly", "*")])
    result = whole.resolve_job_def("nightly").execute_in_process(instance=instance)
    event = result.get_run_success_event()
    red_checks(study)(dg.build_run_status_sensor_context("red_checks", event, instance, result.dagster_run))
    [post] = hook.posts
    assert post["text"].startswith("*study: a check turned red in nightly*\n• drift: nothing drifted – no\n")
    assert "P007" not in post["text"]


def test_house_keeping_runs_as_a_job_and_says_what_went(home: Home, study: Study, instance: dg.DagsterInstance) -> None:
    left = home.scratch / "learning" / "abc" / "checkpoint.safetensors"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x" * 10)
    os.utime(left, (0, 0))
    [_, tidy] = watching(home, study).jobs
    done = tidy.execute_in_process(instance=instance)
    assert done.success
    assert not left.exists()
    assert any("files 1, bytes 10" in (entry.user_message or "") for entry in instance.all_logs(done.run_id))


@pytest.fixture
def at_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    home.inbox.mkdir(parents=True)
    home.root.chmod(0o700)
    home.study_file.write_text(study_text("study", "Europe/Berlin"))
    monkeypatch.setenv(HOME_VARIABLE, str(home.root))
    monkeypatch.setattr(doctor, "PORTS", {})
    monkeypatch.setattr(doctor, "LEAST_FREE", 0)
    monkeypatch.setattr(doctor, "LEAST_SHARE", 0.0)
    return home


def typed(*words: str) -> tuple[int, str]:
    app = typer.Typer()
    for command in (care.promote, care.rollback, care.report, care.doctor, care.clean):
        app.command()(command)
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, " ".join(done.output.split())


def test_the_doctors_exit_code_says_whether_something_is_wrong(at_home: Home) -> None:
    assert typed("doctor")[0] == 0
    at_home.inbox.rmdir()
    code, said = typed("doctor")
    assert code == 1
    assert f"→ mkdir {at_home.inbox}" in said


def test_a_report_can_be_asked_for(at_home: Home) -> None:
    code, said = typed("report")
    assert code == 0
    assert Path(said.removeprefix("Wrote ")).read_text().startswith("<!doctype html>")


def test_house_keeping_can_be_asked_for(at_home: Home) -> None:
    assert typed("clean") == (0, "Removed: runs 0, logs cleared 0, versions 0, files 0, bytes 0")
