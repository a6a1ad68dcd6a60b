"""The state-space baseline against dense Gaussian conditioning, its own second implementation."""

from dataclasses import replace

import numpy as np
import pytest

from models.history import HOUR_US
from models.population import fit_population, moments
from models.state_space import Population, forecast
from tests.models.people import made_up


def test_the_filter_equals_conditioning_on_all_earlier_answers_at_once() -> None:
    cohort = made_up(people=2, days=2, items=1)
    p = Population(np.array([48.0]), np.array([60.0]), np.array([[80.0, 50.0, 40.0]]), np.array([[0.0, 0.01, 0.2]]))
    ahead = forecast(p, cohort)
    hours = cohort.time_us / HOUR_US

    def covariance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        gap = np.abs(a[:, None] - b[None, :])
        return sum(v * np.exp(-r * gap) for v, r in zip(p.var[0], p.rate_h[0], strict=True))

    for row in range(len(cohort)):
        mine = (cohort.person == cohort.person[row]) & (np.arange(len(cohort)) < row)
        mine &= ~np.isnan(cohort.answers[:, 0])
        here, there = hours[[row]], hours[mine]
        inner = covariance(there, there) + 60.0 * np.eye(mine.sum())
        reach = covariance(here, there)
        expected = 48.0 + reach @ np.linalg.solve(inner, cohort.answers[mine, 0] - 48.0)
        variance = covariance(here, here) + 60.0 - reach @ np.linalg.solve(inner, reach.T)
        assert ahead.value[row, 0] == pytest.approx(expected[0])
        assert ahead.sd[row, 0] == pytest.approx(np.sqrt(variance[0, 0]))


def test_fitting_finds_the_level_variance_that_made_the_answers() -> None:
    cohort = made_up(people=60, days=8, items=2, icc=0.5)
    p = fit_population(cohort, cohort.labelled)
    share = p.var[:, 0] / (p.var.sum(1) + p.noise_var)
    assert share == pytest.approx([0.5, 0.5], abs=0.12)
    assert p.mean == pytest.approx([50.0, 50.0], abs=4.0)


@pytest.mark.parametrize("what", ["one item", "every item", "each person"])
def test_answers_that_never_change_are_ordinary_answers(what: str) -> None:
    cohort = made_up(people=6, days=10)
    same = {
        "one item": np.where(np.arange(3) == 0, 0.0, cohort.answers),
        "every item": np.zeros_like(cohort.answers),
        "each person": np.broadcast_to(10.0 * cohort.person[:, None], cohort.answers.shape),
    }[what]
    steady = replace(cohort, answers=np.where(np.isnan(cohort.answers), np.nan, same))
    p = fit_population(steady, steady.labelled)
    ahead = forecast(p, steady)
    assert np.isfinite(ahead.sd).all()
    last = np.flatnonzero(steady.rank()[0] + 1 == steady.rank()[1])
    assert np.abs(ahead.value[last, 0] - same[last, 0]) == pytest.approx(np.zeros(len(last)), abs=1.0)


def test_too_few_answers_keep_their_moments() -> None:
    cohort = made_up(people=2, days=1)
    fitted, start = fit_population(cohort, cohort.labelled), moments(cohort, cohort.labelled)
    np.testing.assert_array_equal(fitted.mean, start.mean)
    np.testing.assert_array_equal(fitted.var, start.var)


def test_a_new_person_starts_at_the_population() -> None:
    cohort = made_up(people=5, days=3)
    p = fit_population(cohort, cohort.labelled)
    rank, _ = cohort.rank()
    first = forecast(p, cohort).value[rank == 0]
    np.testing.assert_allclose(first, np.tile(p.mean, (5, 1)))
