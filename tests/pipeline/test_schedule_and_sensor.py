from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from assets.ledger import Stamp
from assets.study import Home, Schedule, Study
from pipeline.lock import lock
from pipeline.requests import NIGHT_TAG, STEP_TAG, TYPED_TAG
from pipeline.schedules import nightly
from pipeline.sensors import Memory, inbox
from tests.pipeline.toy import FRIDAY, MONDAY, P1, TUESDAY, Toy

DAILY = [dg.AssetKey("hrv")]
THREE_AT_NIGHT = datetime(2026, 3, 7, 2, tzinfo=UTC)  # 03:00 in Berlin
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


@pytest.fixture
def toy() -> Toy:
    return Toy()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def tick(toy: Toy, home: Home, study: Study) -> list[dg.RunRequest] | str:
    schedule = nightly(home, study, DAILY, toy.look)
    context = dg.build_schedule_context(scheduled_execution_time=THREE_AT_NIGHT)
    data = schedule.evaluate_tick(context)
    return list(data.run_requests or ()) or str(data.skip_message)


def sense(
    toy: Toy, home: Home, study: Study, instance: dg.DagsterInstance, cursor: str | None = None
) -> tuple[list[dg.RunRequest] | str, str | None]:
    sensor = inbox(home, study, DAILY, toy.look)
    data = sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=cursor, definitions=_no_code()))
    return list(data.run_requests or ()) or str(data.skip_message), data.cursor


def _no_code() -> dg.Definitions:
    return dg.Definitions()


def ranges(requests: list[dg.RunRequest] | str) -> list[tuple[str, str]]:
    assert not isinstance(requests, str), requests
    return [(r.tags[RANGE[0]], r.tags[RANGE[1]]) for r in requests]


def test_the_schedule_runs_by_default_in_the_studys_time_zone(home: Home, study: Study, toy: Toy) -> None:
    schedule = nightly(home, study, DAILY, toy.look)
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 3 * * *", "Europe/Berlin")


def test_a_schedule_that_the_study_switches_off_is_off(home: Home, study: Study, toy: Toy) -> None:
    off = study.model_copy(update={"schedule": Schedule(enabled=False)})
    assert nightly(home, off, DAILY, toy.look).default_status is dg.DefaultScheduleStatus.STOPPED


def test_a_night_with_nothing_new_is_skipped_and_says_so(home: Home, study: Study, toy: Toy) -> None:
    assert "Nothing new" in str(tick(toy, home, study))


def test_a_night_asks_for_the_pending_days_and_for_everything_after_them(home: Home, study: Study, toy: Toy) -> None:
    toy.wanted = {P1[MONDAY]: "x", P1[TUESDAY]: "x"}
    (request,) = tick(toy, home, study)
    assert isinstance(request, dg.RunRequest)
    assert ranges([request]) == [("2026-03-02", "2026-03-03")]
    assert request.asset_selection is None


def test_a_night_takes_earlier_days_apart_and_learns_once(home: Home, study: Study, toy: Toy) -> None:
    toy.wanted = {P1[MONDAY]: "x", P1[FRIDAY]: "x"}
    early, last = tick(toy, home, study)
    assert isinstance(early, dg.RunRequest)
    assert isinstance(last, dg.RunRequest)
    assert ranges([early, last]) == [("2026-03-02", "2026-03-02"), ("2026-03-06", "2026-03-06")]
    assert (early.asset_selection, last.asset_selection) == (DAILY, None)


def test_a_night_that_has_only_to_learn_asks_for_the_last_two_days(home: Home, study: Study, toy: Toy) -> None:
    toy.wanted, toy.stamps = {P1[MONDAY]: "x"}, {P1[MONDAY]: Stamp("x", "1")}
    assert ranges(tick(toy, home, study)) == [("2026-03-06", "2026-03-07")]


def test_a_night_that_finds_files_opens_with_the_catalogue_alone(home: Home, study: Study, toy: Toy) -> None:
    toy.new = ["2026-03-02.zip"]
    (request,) = tick(toy, home, study)
    assert isinstance(request, dg.RunRequest)
    assert request.asset_selection == [dg.AssetKey("dumps")]
    assert request.tags[STEP_TAG] == "opening"


def test_new_files_are_catalogued(home: Home, study: Study, toy: Toy, instance: dg.DagsterInstance) -> None:
    toy.new = ["2026-03-02.zip"]
    (request,), _ = sense(toy, home, study, instance)
    assert isinstance(request, dg.RunRequest)
    assert request.job_name == "ingest"


def test_pending_days_are_computed_in_exactly_their_ranges(
    home: Home, study: Study, toy: Toy, instance: dg.DagsterInstance
) -> None:
    toy.wanted = {P1[MONDAY]: "x", P1[TUESDAY]: "x", P1[FRIDAY]: "x"}
    requests, _ = sense(toy, home, study, instance)
    assert {r.job_name for r in requests if isinstance(r, dg.RunRequest)} == {"days"}
    assert ranges(requests) == [("2026-03-02", "2026-03-03"), ("2026-03-06", "2026-03-06")]


def test_the_same_state_has_the_same_run_key(home: Home, study: Study, toy: Toy, instance: dg.DagsterInstance) -> None:
    toy.wanted = {P1[MONDAY]: "x"}
    keys = [[r.run_key for r in sense(toy, home, study, instance)[0] if isinstance(r, dg.RunRequest)] for _ in "ab"]
    assert keys[0] == keys[1]
    toy.wanted = {P1[MONDAY]: "y"}
    assert [r.run_key for r in sense(toy, home, study, instance)[0] if isinstance(r, dg.RunRequest)] != keys[0]


def test_an_idle_inbox_is_skipped(home: Home, study: Study, toy: Toy, instance: dg.DagsterInstance) -> None:
    assert "Nothing new" in str(sense(toy, home, study, instance)[0])


def test_nothing_is_asked_for_while_a_run_is_starting(
    home: Home, study: Study, toy: Toy, instance: dg.DagsterInstance
) -> None:
    toy.wanted = {P1[MONDAY]: "x"}
    _run(instance, dg.DagsterRunStatus.STARTING)
    assert "not over yet" in str(sense(toy, home, study, instance)[0])


def test_nothing_is_asked_for_while_a_command_works_on_the_home(
    home: Home, study: Study, toy: Toy, instance: dg.DagsterInstance
) -> None:
    toy.wanted = {P1[MONDAY]: "x"}
    with lock(home, "macromicro run"):
        assert "busy: macromicro run" in str(sense(toy, home, study, instance)[0])


def test_a_run_whose_process_is_gone_is_ended_at_the_second_look(
    home: Home, study: Study, toy: Toy, instance: dg.DagsterInstance
) -> None:
    toy.wanted = {P1[MONDAY]: "x"}
    dead = _run(instance, dg.DagsterRunStatus.STARTED)
    said, cursor = sense(toy, home, study, instance)
    assert "not over yet" in str(said)
    requests, _ = sense(toy, home, study, instance, cursor)
    assert ranges(requests) == [("2026-03-02", "2026-03-02")]
    after = instance.get_run_by_id(dead)
    assert after is not None
    assert after.status is dg.DagsterRunStatus.FAILURE


def test_the_run_of_a_command_killed_before_it_began_does_not_hold_the_inbox_up(
    home: Home, study: Study, toy: Toy, instance: dg.DagsterInstance
) -> None:
    toy.wanted = {P1[MONDAY]: "x"}
    _run(instance, dg.DagsterRunStatus.NOT_STARTED, {TYPED_TAG: "true"})
    _, cursor = sense(toy, home, study, instance)
    requests, _ = sense(toy, home, study, instance, cursor)
    assert ranges(requests) == [("2026-03-02", "2026-03-02")]


def test_a_run_that_holds_the_home_is_alive_however_often_one_looks(
    home: Home, study: Study, toy: Toy, instance: dg.DagsterInstance
) -> None:
    alive = _run(instance, dg.DagsterRunStatus.STARTED)
    cursor = None
    with lock(home, f"Dagster run {alive}"):
        for _ in range(3):
            said, cursor = sense(toy, home, study, instance, cursor)
            assert "not over yet" in str(said)


def test_a_night_that_was_opened_is_ended_by_the_sensor(
    home: Home, study: Study, toy: Toy, instance: dg.DagsterInstance
) -> None:
    today = datetime.now(ZoneInfo("Europe/Berlin")).date().isoformat()
    _run(instance, dg.DagsterRunStatus.SUCCESS, {NIGHT_TAG: today, STEP_TAG: "opening"})
    toy.wanted = {P1[MONDAY]: "x"}
    (request,), cursor = sense(toy, home, study, instance)
    assert isinstance(request, dg.RunRequest)
    assert (request.job_name, request.tags[STEP_TAG]) == ("nightly", "nightly")
    (later,), _ = sense(toy, home, study, instance, cursor)
    assert isinstance(later, dg.RunRequest)
    assert later.job_name == "days"


def test_the_cursor_survives_being_written() -> None:
    memory = Memory(("a", "b"), MONDAY)
    assert Memory.parse(memory.text()) == memory


def _run(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, tags: dict[str, str] | None = None) -> str:
    @dg.job
    def nothing() -> None:
        pass

    run = instance.create_run_for_job(nothing, status=status, tags=tags or {})
    return run.run_id
