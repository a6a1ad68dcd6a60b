import dagster as dg
import polars as pl
import pytest

from assets.lake import Key, Lake
from assets.moments.assets import assets
from assets.moments.checks import blind_to_the_future, inside_scale, unique
from assets.moments.cohort import load_moments
from assets.moments.table import moments_table
from assets.moments.unit import refresh_moments
from assets.study import Home, Study
from tests.assets.moments.rows import START_US, live_in, lived, reports, sources


@pytest.fixture(autouse=True)
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")


def test_the_asset_writes_the_lake_and_tells_counts_and_a_picture(home: Home, study: Study) -> None:
    live_in(home, study, "P1", lived(0))
    result = dg.materialize(assets(home, study))
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations())
    metadata = result.asset_materializations_for_node("moments")[0].metadata
    assert metadata["dagster/row_count"].value == 20
    assert metadata["moments with hrv"].value == 20
    assert "data:image/png" in str(metadata["answers"].value)
    assert load_moments(home, study).height == 20


def test_a_study_without_answers_has_no_moments_and_no_failure(home: Home, study: Study) -> None:
    assert dg.materialize(assets(home, study)).success


def test_an_answer_off_its_scale_stops_the_line(home: Home, study: Study) -> None:
    live_in(home, study, "P1", sources(reports([START_US], value=101.0)))
    result = dg.materialize(assets(home, study), raise_on_error=False)
    assert {c.check_name for c in result.get_asset_check_evaluations() if not c.passed} == {"answers_on_their_scale"}


def test_a_moment_that_stands_twice_is_seen() -> None:
    assert not unique(pl.DataFrame({"participant": ["P1", "P1"], "time_us": [1, 1]})).passed
    assert unique(pl.DataFrame({"participant": ["P1", "P2"], "time_us": [1, 1]})).passed


def test_unanswered_items_are_on_no_scale(home: Home, study: Study) -> None:
    live_in(home, study, "P1", sources(reports([START_US], value=100.0)))
    refresh_moments(home, study, quiet=True)
    assert inside_scale(load_moments(home, study), study).passed


def test_moments_that_know_their_future_are_seen(home: Home, study: Study) -> None:
    live_in(home, study, "P1", lived(0))
    refresh_moments(home, study, quiet=True)
    assert blind_to_the_future(home, study, ["P1"]).passed
    table, lake = moments_table(study), Lake(home.lake)
    frame = lake.read(table, Key("P1"))
    lake.write(table, frame.with_columns(pl.col("hrv.hr_bpm") - pl.col("hrv.hr_bpm").mean()), Key("P1"))
    assert not blind_to_the_future(home, study, ["P1"]).passed
