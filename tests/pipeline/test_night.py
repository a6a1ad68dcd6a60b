import errno
import io
import os
from datetime import timedelta

import dagster as dg
import pytest
from rich.console import Console

from assets.study import Home, Study
from pipeline.instance import instance
from pipeline.lock import BusyError, lock
from pipeline.night import NightFailedError, run_night
from pipeline.requests import TYPED_TAG
from tests.pipeline.toy import MONDAY, P1, Toy


@pytest.fixture
def toy() -> Toy:
    return Toy()


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=120)


def said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def runs(home: Home) -> list[tuple[str, dg.DagsterRunStatus]]:
    with instance(home) as storage:
        return [(run.job_name, run.status) for run in reversed(storage.get_runs())]


def test_a_night_with_nothing_to_do_does_not_touch_dagster(
    home: Home, study: Study, toy: Toy, console: Console
) -> None:
    assert run_night(home, study, console, toy.stages, toy.look).nothing
    assert not home.dagster.exists()


def test_a_night_catalogues_computes_and_learns(home: Home, study: Study, toy: Toy, console: Console) -> None:
    toy.new = ["2026-03-02.zip", "2026-03-03.zip", "2026-03-06.zip"]
    outcome = run_night(home, study, console, toy.stages, toy.look)
    assert toy.computed == [("2026-03-02", "2026-03-03"), ("2026-03-06", "2026-03-06")]
    assert outcome.computed == {"recordings": 3}
    assert [job for job, _ in runs(home)] == ["ingest", "days", "nightly"]
    assert toy.learnt is not None
    assert run_night(home, study, console, toy.stages, toy.look).nothing


def test_every_day_of_a_range_gets_its_materialization(home: Home, study: Study, toy: Toy, console: Console) -> None:
    toy.new = ["2026-03-02.zip", "2026-03-03.zip"]
    run_night(home, study, console, toy.stages, toy.look)
    with instance(home) as storage:
        assert storage.get_materialized_partitions(dg.AssetKey("hrv")) == {"2026-03-02", "2026-03-03"}


def test_a_month_of_days_is_one_run_and_a_night_that_failed_later_computes_none_of_them_again(
    home: Home, study: Study, toy: Toy, console: Console
) -> None:
    month = [MONDAY + timedelta(days=n) for n in range(31)]
    toy.new, toy.fail = [f"{day}.zip" for day in month], True
    with pytest.raises(NightFailedError):
        run_night(home, study, console, toy.stages, toy.look)
    with instance(home) as storage:
        assert storage.get_materialized_partitions(dg.AssetKey("hrv")) == {str(day) for day in month}
    toy.fail = False
    run_night(home, study, console, toy.stages, toy.look)
    assert toy.computed == [(str(month[0]), str(month[-1]))]
    ended = [(job, status.value) for job, status in runs(home)]
    assert ended == [("ingest", "SUCCESS"), ("nightly", "FAILURE"), ("learning", "SUCCESS")]


def test_only_learning_runs_where_only_learning_is_due(home: Home, study: Study, toy: Toy, console: Console) -> None:
    toy.new = ["2026-03-02.zip"]
    run_night(home, study, console, toy.stages, toy.look)
    toy.learnt = "something older"
    run_night(home, study, console, toy.stages, toy.look)
    assert runs(home)[-1][0] == "learning"
    assert len(toy.computed) == 1


def test_a_step_that_fails_ends_the_night_with_its_first_line_and_the_log(
    home: Home, study: Study, toy: Toy, console: Console
) -> None:
    toy.new, toy.fail = ["2026-03-02.zip"], True
    with pytest.raises(NightFailedError, match="^moments: ValueError: P1 has no answers\n") as failed:
        run_night(home, study, console, toy.stages, toy.look)
    log = next((home.root / "logs").iterdir())
    assert str(log) in str(failed.value)
    assert "Traceback" not in str(failed.value)
    assert "and more" in log.read_text()
    assert P1[MONDAY] in toy.stamps


def test_the_terminal_shows_steps_and_no_log_lines(home: Home, study: Study, toy: Toy, console: Console) -> None:
    toy.new = ["2026-03-02.zip"]
    run_night(home, study, console, toy.stages, toy.look)
    lines = said(console).splitlines()
    assert [line.split()[1] for line in lines if "✓" in line] == [
        "dumps", "dumps", "recordings", "hrv", "moments", "champion",
    ]  # fmt: skip
    assert not any("DEBUG" in line or "INFO" in line for line in lines)


def test_a_second_night_at_the_same_time_is_refused(home: Home, study: Study, toy: Toy, console: Console) -> None:
    with lock(home, "macromicro run"), pytest.raises(BusyError, match="macromicro run"):
        run_night(home, study, console, toy.stages, toy.look)


def test_a_disk_without_a_byte_for_the_lock_is_told_plainly(
    home: Home, study: Study, toy: Toy, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pipeline.lock.json.dump", full)
    with pytest.raises(NightFailedError, match=r"(?s)No space left on device.*`macromicro doctor`"):
        run_night(home, study, console, toy.stages, toy.look)


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_the_run_of_a_command_that_was_killed_is_ended_by_the_next(
    home: Home, study: Study, toy: Toy, console: Console, status: dg.DagsterRunStatus
) -> None:
    @dg.job
    def nothing() -> None:
        pass

    with instance(home) as storage:
        storage.create_run_for_job(nothing, status=status, tags={TYPED_TAG: "true"})
    toy.new = ["2026-03-02.zip"]
    run_night(home, study, console, toy.stages, toy.look)
    assert runs(home)[0] == ("nothing", dg.DagsterRunStatus.FAILURE)


def test_a_blocking_check_that_fails_ends_the_night_with_what_it_guards(
    home: Home, study: Study, toy: Toy, console: Console
) -> None:
    @dg.asset_check(asset="hrv", blocking=True, description="heart rates of living people")
    def plausible() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, description="3 windows above 220 bpm")

    toy.new = ["2026-03-02.zip"]
    with pytest.raises(NightFailedError, match="^hrv: 3 windows above 220 bpm"):
        run_night(home, study, console, (*toy.stages, lambda _home, _study: [plausible]), toy.look)
    assert toy.learnt is None
