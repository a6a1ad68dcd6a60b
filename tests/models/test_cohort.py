"""What a cohort says of the clock: waves that close over a day and a week, at known times."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from models.cohort import Cohort
from tests.models.people import made_up


def at(day: date, hour: float) -> np.ndarray:
    cohort: Cohort = made_up(people=1, days=1).take(np.array([0]))
    since = (day - date(1970, 1, 1)).days
    return replace(cohort, day=np.array([since]), local_hour=np.array([hour])).clock[0]


def test_hours_are_waves_of_a_day_and_of_half_a_day() -> None:
    monday = date(2026, 11, 23)
    for hour, day, half in (
        (0, (0, 1), (0, 1)),
        (6, (1, 0), (0, -1)),
        (12, (0, -1), (0, 1)),
        (15, (-(0.5**0.5),) * 2, (1, 0)),
    ):
        np.testing.assert_allclose(at(monday, hour)[:4], [*day, *half], atol=1e-12)


def test_midnight_is_no_border_and_an_hour_is_the_same_step_everywhere() -> None:
    monday = date(2026, 11, 23)
    np.testing.assert_allclose(at(monday, 24 - 1e-9)[:4], at(monday, 0.0)[:4], atol=1e-8)
    steps = [np.linalg.norm(at(monday, h + 1.0)[:4] - at(monday, h)[:4]) for h in (0.0, 5.5, 11.0, 22.9)]
    assert steps == pytest.approx([steps[0]] * 4)


def test_the_week_starts_on_monday_and_closes_on_sunday() -> None:
    days = [at(date(2026, 11, 23 + n), 12.0)[4:] for n in range(7)]  # a Monday, and the six after it
    np.testing.assert_allclose(days[0], [0, 1], atol=1e-12)
    np.testing.assert_allclose(at(date(2026, 11, 30), 12.0)[4:], days[0], atol=1e-12)
    apart = [np.linalg.norm(days[(n + 1) % 7] - days[n]) for n in range(7)]
    assert apart == pytest.approx([apart[0]] * 7)
    assert len({tuple(np.round(d, 6)) for d in days}) == 7
