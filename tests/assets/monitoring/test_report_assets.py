import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import numpy as np
import pytest
from dagster._core.definitions.freshness_evaluator import CronFreshnessPolicyEvaluator
from dagster._core.loader import LoadingContextForTest
from dagster._core.test_utils import freeze_time

from assets.lake import Key, Lake
from assets.monitoring.report_assets import DATA, assets
from assets.monitoring.tables import DRIFT
from assets.study import Home, Study
from assets.tables import SELF_REPORTS, TEMPERATURE_TABLE
from tests.assets.monitoring.rows import put, windows
from tests.builders import answer, answers

DAYS, CHANGE = 24, 20
SPECS = [dg.AssetSpec(name) for name in (*DATA, "predictions")]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def study(study: Study) -> Study:
    """Pages of single days have tests of their own."""
    return study.model_copy(update={"report": study.report.model_copy(update={"day_pages": 0})})


@pytest.fixture
def filled(home: Home, study: Study) -> Home:
    """Six people up to yesterday, whose thermometers read 2 °C more since some days ago; P5 stopped long before."""
    rng, today = np.random.default_rng(1), datetime.now(UTC).astimezone(ZoneInfo(study.timezone)).date()
    for person in range(6):
        for n in range(12 if person == 5 else DAYS):
            warm = 33 + 0.2 * rng.standard_normal() + (2.0 if n >= CHANGE else 0.0)
            rows = [{"coverage": 1.0, "temp_c": warm}] * 24
            frames = {TEMPERATURE_TABLE: windows(TEMPERATURE_TABLE, *rows)}
            on = today - timedelta(days=DAYS - n)
            put(home, "physiology", f"P{person}", on, frames)
            put(home, "recordings", f"P{person}", on, {SELF_REPORTS: answers(answer(n))})
    return home


def night(home: Home, study: Study, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return dg.materialize([*assets(home, study), *SPECS], instance=instance)


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {e.check_name: e.passed for e in result.get_asset_check_evaluations()}


def test_an_empty_home_is_watched_without_a_red_check(home: Home, study: Study, instance: dg.DagsterInstance) -> None:
    result = night(home, study, instance)
    assert result.success
    assert set(checks(result)) == {"somebody_gives", "dumps_are_read", "nothing_drifted", "nothing_waits"}
    assert all(checks(result).values())
    assert (home.root / "reports" / "latest.html").exists()


def test_a_night_shows_yield_and_silences_and_turns_red_for_drift(
    filled: Home, study: Study, instance: dg.DagsterInstance
) -> None:
    result = night(filled, study, instance)
    shown = _made(result)
    assert shown["data_yield"]["participants"].value == 6
    stopped = shown["data_yield"]["who stopped"].value
    last = datetime.now(UTC).astimezone(ZoneInfo(study.timezone)).date() - timedelta(days=DAYS - 11)
    assert f"[{last}](/assets/beats?view=partitions&partition={last})" in stopped
    assert "| P5" in stopped
    pictures = [v.value for v in shown["data_yield"].values() if "data:image/png" in str(v.value)]
    assert len(pictures) >= 2
    assert max(map(len, pictures)) < 100_000
    assert checks(result)["nothing_drifted"] is False
    assert shown["drift"]["new tonight"].value == 1
    assert "temperature.temp_c" in shown["drift"]["drift"].value
    assert "Drift in temperature.temp_c" in (filled.root / "reports" / "latest.html").read_text()


def test_a_second_night_writes_the_same_lake_and_finds_nothing_new_to_tell(
    filled: Home, study: Study, instance: dg.DagsterInstance
) -> None:
    night(filled, study, instance)
    before = {p: p.read_bytes() for p in filled.lake.rglob("*.parquet")}
    result = night(filled, study, instance)
    assert {p: p.read_bytes() for p in filled.lake.rglob("*.parquet")} == before
    made = _made(result)
    assert made["data_yield"]["participant-days computed"].value == 0
    [key] = Lake(filled.lake).keys(DRIFT)
    assert isinstance(key, Key)


def test_the_report_is_due_every_morning_in_the_studys_zone(home: Home, study: Study) -> None:
    [report] = [a for a in assets(home, study) if dg.AssetKey("report") in a.keys]
    policy = next(iter(report.specs)).freshness_policy
    assert (policy.deadline_cron, policy.timezone) == (study.report.deadline, "Europe/Berlin")


def test_a_morning_without_a_report_turns_its_freshness_red_at_the_deadline_and_a_report_green_again(
    home: Home, study: Study, instance: dg.DagsterInstance
) -> None:
    """Judged by the evaluator of Dagster's own daemon, on the study's clock; the deadline is 08:00."""
    node = dg.Definitions(assets=[*assets(home, study), *SPECS]).resolve_asset_graph().get(dg.AssetKey("report"))

    def fresh(day: int, hour: int, minute: int = 0) -> str:
        with freeze_time(datetime(2026, 3, day, hour, minute, tzinfo=ZoneInfo(study.timezone))):
            found = CronFreshnessPolicyEvaluator().evaluate_freshness(LoadingContextForTest(instance), node)
            return asyncio.run(found).value

    def written(day: int, hour: int) -> None:
        with freeze_time(datetime(2026, 3, day, hour, tzinfo=ZoneInfo(study.timezone))):
            instance.report_runless_asset_event(dg.AssetMaterialization("report"))

    assert fresh(2, 9) == "UNKNOWN"
    written(2, 7)
    assert [fresh(2, 9), fresh(3, 7, 59), fresh(3, 8, 1)] == ["PASS", "PASS", "FAIL"]
    written(3, 10)
    assert [fresh(3, 10, 1), fresh(4, 8, 1)] == ["PASS", "FAIL"]
    written(29, 4)  # the night of the clock change: three in the morning was left out
    assert [fresh(29, 8, 1), fresh(30, 8, 1)] == ["PASS", "FAIL"]


def _made(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, dg.MetadataValue]]:
    made = [e.step_materialization_data.materialization for e in result.get_asset_materialization_events()]
    return {m.asset_key.to_user_string(): dict(m.metadata) for m in made}
