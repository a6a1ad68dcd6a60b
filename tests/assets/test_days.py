from datetime import UTC, date, datetime

import pytest

from assets.days import SECOND_US, Calendar, ranges
from assets.study import Study

HOUR_US = 3600 * SECOND_US


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_US


@pytest.fixture
def berlin(study: Study) -> Calendar:
    return Calendar.of(study, "P1")


def test_a_day_is_the_participants_local_day(berlin: Calendar) -> None:
    assert berlin.day(us("2026-03-01 23:30")) == date(2026, 3, 2)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-03-02", 24)])
def test_days_of_a_clock_change_are_shorter_and_longer(berlin: Calendar, day: str, hours: int) -> None:
    start, end = berlin.span_us(date.fromisoformat(day))
    assert end - start == hours * HOUR_US


def test_both_half_past_twos_of_the_repeated_hour_are_the_same_day_an_hour_apart(berlin: Calendar) -> None:
    first, second = us("2026-10-25 00:30"), us("2026-10-25 01:30")
    assert (berlin.local(first).hour, berlin.local(second).hour) == (2, 2)
    assert berlin.day(first) == berlin.day(second) == date(2026, 10, 25)


def test_a_traveller_changes_zone_at_the_interval_s_local_midnight(study: Study) -> None:
    zones = {"P1": {"zones": [{"start": "2026-03-10", "timezone": "America/New_York"}]}}
    travelling = Study.model_validate({**study.model_dump(), "participants": zones})
    calendar = Calendar.of(travelling, "P1")
    assert calendar.local(us("2026-03-09 12:00")).hour == 13
    assert calendar.local(us("2026-03-10 12:00")).hour == 8
    assert Calendar.of(travelling, "P2").local(us("2026-03-10 12:00")).hour == 13


def test_every_moment_lies_inside_the_span_of_its_day(study: Study) -> None:
    zones = {"P1": {"zones": [{"start": "2026-03-10", "timezone": "Pacific/Auckland"}]}}
    calendar = Calendar.of(Study.model_validate({**study.model_dump(), "participants": zones}), "P1")
    for hour in range(24 * 20):
        time_us = us("2026-03-01 00:00") + hour * HOUR_US
        start, end = calendar.span_us(calendar.day(time_us))
        assert start <= time_us < end


def test_a_session_across_midnight_touches_two_days(berlin: Calendar) -> None:
    assert berlin.days(us("2026-03-02 22:00"), us("2026-03-02 23:30")) == [date(2026, 3, 2), date(2026, 3, 3)]


def test_ranges_cover_neighbouring_days_together_and_bridge_the_smallest_holes_first() -> None:
    days = {date(2026, 1, d) for d in (1, 2, 4, 20)}
    assert ranges(days) == [
        (date(2026, 1, 1), date(2026, 1, 2)),
        (date(2026, 1, 4), date(2026, 1, 4)),
        (date(2026, 1, 20), date(2026, 1, 20)),
    ]
    assert ranges(days, most=2) == [(date(2026, 1, 1), date(2026, 1, 4)), (date(2026, 1, 20), date(2026, 1, 20))]
