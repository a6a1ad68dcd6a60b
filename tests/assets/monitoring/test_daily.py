import json
from datetime import timedelta

import pytest

from assets.lake import Key, Lake
from assets.ledger import Ledger
from assets.monitoring.daily import day_row, device_facts, hours, refresh_daily
from assets.monitoring.tables import DAILY
from assets.study import Home, Study
from assets.tables import DUMPS, EDA_TABLE, HRV_TABLE, MOTION_TABLE, SELF_REPORTS, TEMPERATURE_TABLE
from tests.assets.monitoring.rows import FIRST, put, windows
from tests.builders import answer, answers

HALF, FULL, NONE = {"coverage": 0.5}, {"coverage": 1.0}, {"coverage": 0.0}


def test_a_band_that_lies_on_a_table_is_recorded_but_not_worn() -> None:
    found = hours(
        {
            "motion": windows(MOTION_TABLE, *[FULL] * 12),
            "temperature": windows(TEMPERATURE_TABLE, *[FULL] * 6, *[NONE | {"reason": "not_worn"}] * 6),
        }
    )
    assert (found["recorded_h"], found["worn_h"]) == (1.0, 0.5)


def test_without_a_thermometer_skin_conductance_says_whether_it_was_worn() -> None:
    found = hours(
        {
            "hrv": windows(HRV_TABLE, *[HALF] * 12),
            "eda": windows(EDA_TABLE, *[FULL] * 3, *[NONE | {"reason": "not_worn"}] * 9),
        }
    )
    assert found == {"recorded_h": 0.625, "worn_h": 0.25, "pulse_h": 0.5, "skin_h": 0.25}


def test_windows_that_overlap_count_by_their_step() -> None:
    overlapping = windows(HRV_TABLE, *[FULL] * 12)
    overlapping = overlapping.with_columns(end_us=overlapping["time_us"] + 10 * 60_000_000)
    assert hours({"hrv": overlapping})["pulse_h"] == 1.0


def test_a_day_without_anything_has_zero_hours_and_no_features() -> None:
    row = day_row({})
    assert row["worn_h"] == row["self_reports"] == 0
    assert row["hrv.hr_bpm"] is None


def test_a_feature_of_the_day_is_the_median_of_its_windows() -> None:
    beats = windows(HRV_TABLE, *({"coverage": 1.0, "hr_bpm": v} for v in (60.0, 62.0, 180.0)))
    assert day_row({"hrv": beats})["hrv.hr_bpm"] == 62.0


def test_a_days_device_comes_from_the_dumps_that_are_read() -> None:
    touches = [{"participant": "P1", "date": FIRST}]
    dumps = DUMPS.frame(
        [
            {"state": "read", "touches": touches, "facts": json.dumps({"device": "E4", "serial": "A1"})},
            {"state": "read", "touches": touches, "facts": json.dumps({"device": "voice", "rate_hz": 8000})},
            {"state": "quarantined", "touches": touches, "facts": json.dumps({"device": "Other"})},
        ]
    )
    assert device_facts(dumps) == {"P1": {FIRST: ("E4", None, "A1")}}


@pytest.fixture
def two_days(home: Home) -> Home:
    for n in range(2):
        frames = {SELF_REPORTS: answers(answer(10), answer(10, "sad"), answer(20 + n))}
        put(home, "recordings", "P1", FIRST + timedelta(days=n), frames)
        put(home, "physiology", "P1", FIRST + timedelta(days=n), {HRV_TABLE: windows(HRV_TABLE, *[FULL] * 24)})
    return home


def test_self_reports_are_counted_by_time_and_answers_by_item(two_days: Home, study: Study) -> None:
    assert refresh_daily(two_days, study).made == 2
    rows = Lake(two_days.lake).read(DAILY, Key("P1"))
    assert rows.select("date", "self_reports", "answers", "pulse_h").rows() == [
        (FIRST, 2, 3, 2.0),
        (FIRST + timedelta(days=1), 2, 3, 2.0),
    ]


def test_only_days_whose_inputs_changed_are_summarised_again(two_days: Home, study: Study) -> None:
    first = refresh_daily(two_days, study)
    again = refresh_daily(two_days, study)
    assert (again.made, again.kept, again.content) == (0, 2, first.content)
    put(two_days, "recordings", "P1", FIRST, {SELF_REPORTS: answers(answer(10))})
    changed = refresh_daily(two_days, study)
    assert (changed.made, changed.kept) == (1, 1)
    assert changed.content != first.content


def test_summaries_made_night_by_night_equal_those_made_at_once(two_days: Home, study: Study, tmp_path: object) -> None:
    refresh_daily(two_days, study)
    path = next((two_days.lake / "daily").rglob("part.parquet"))
    at_once = path.read_bytes()
    put(two_days, "recordings", "P1", FIRST, {SELF_REPORTS: answers(answer(1))})
    refresh_daily(two_days, study)
    put(two_days, "recordings", "P1", FIRST, {SELF_REPORTS: answers(answer(10), answer(10, "sad"), answer(20))})
    refresh_daily(two_days, study)
    assert path.read_bytes() == at_once


def test_people_whose_data_is_gone_have_no_summaries(two_days: Home, study: Study) -> None:
    refresh_daily(two_days, study)
    for unit in ("recordings", "physiology"):
        Ledger(Lake(two_days.lake), unit).forget("P1", [FIRST, FIRST + timedelta(days=1)])
    refresh_daily(two_days, study)
    assert list(Lake(two_days.lake).keys(DAILY)) == []
