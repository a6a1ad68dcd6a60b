from datetime import timedelta

from assets.monitoring.findings import dumps_are_read, new_drifts, nothing_drifted, nothing_waits, somebody_gives
from assets.monitoring.tables import DRIFT
from assets.study import Report
from assets.tables import DUMPS
from tests.assets.monitoring.material import drift_row
from tests.assets.monitoring.rows import FIRST, day, days

SETTINGS = Report()
NOW_US = 1_775_000_000_000_000
DAY_US = 86_400_000_000


def dumps(read: int, refused: int, age_days: int = 1) -> object:
    states = ["read"] * read + ["quarantined"] * refused
    rows = [
        {"dump": str(n), "path": str(n), "state": s, "received_us": NOW_US - age_days * DAY_US}
        for n, s in enumerate(states)
    ]
    return dumps_are_read(DUMPS.frame(rows), NOW_US, SETTINGS)


def test_yesterdays_data_is_fresh_and_a_quiet_half_week_is_red() -> None:
    frame = days(day("P1", 0))
    assert somebody_gives(frame, FIRST + timedelta(days=1), SETTINGS).passed
    assert somebody_gives(frame, FIRST + timedelta(days=3), SETTINGS).passed
    assert not somebody_gives(frame, FIRST + timedelta(days=4), SETTINGS).passed


def test_a_study_that_is_over_or_has_not_begun_is_not_red() -> None:
    assert somebody_gives(days(day("P1", 0)), FIRST + timedelta(days=60), SETTINGS).passed
    assert somebody_gives(days(), FIRST, SETTINGS).passed


def test_many_refused_dumps_are_red_and_two_bad_files_are_not() -> None:
    assert not dumps(read=9, refused=3).passed
    assert dumps(read=1, refused=2).passed
    assert dumps(read=97, refused=3).passed
    assert dumps(read=0, refused=9, age_days=8).passed


def test_a_drift_is_red_and_names_feature_since_and_group() -> None:
    found = nothing_drifted(DRIFT.frame([drift_row()]))
    assert not found.passed
    assert "temperature.temp_c (everyone) since 2026-04-01" in found.said
    assert nothing_drifted(DRIFT.frame([drift_row() | {"drifted": False}])).passed


def test_a_drift_found_again_is_not_new_though_its_day_moved_a_little() -> None:
    before = DRIFT.frame([drift_row()])
    again = DRIFT.frame([drift_row() | {"since": FIRST + timedelta(days=32)}])
    later = DRIFT.frame([drift_row() | {"since": FIRST + timedelta(days=40)}])
    assert [new_drifts(now, before).height for now in (again, later, before.clear())] == [0, 1, 0]
    assert new_drifts(before, DRIFT.empty()).height == 1


def test_days_that_could_not_be_computed_are_red() -> None:
    assert nothing_waits({"recordings": 0, "physiology": 0}).passed
    found = nothing_waits({"recordings": 0, "physiology": 2})
    assert (found.passed, found.figures) == (False, {"physiology": 2})
