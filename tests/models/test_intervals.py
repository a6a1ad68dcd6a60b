"""Intervals hold what they promise for errors of the kind they were calibrated on."""

from dataclasses import replace

import numpy as np
import pytest

from models.cohort import Cohort
from models.history import seen_before, seen_online
from models.inputs import Past
from models.intervals import calibrate, own_width
from models.macro_micro import error_scale
from models.population import fit_population
from models.state_space import Population
from tests.models.people import made_up


def test_ninety_per_cent_intervals_hold_ninety_per_cent() -> None:
    random = np.random.default_rng(0)
    scale = 10 * np.exp(0.3 * random.normal(size=(20_000, 2)))
    error = (random.gamma(1.0, size=(20_000, 2)) - 0.7) * scale
    answers = 500 + error
    half = slice(0, 10_000)
    kept = calibrate(np.full((10_000, 2), 500.0), scale[half], answers[half], 0.9)
    low, high = kept.around(np.full((10_000, 2), 500.0), scale[10_000:], np.full(2, 300.0), np.full(2, 400.0))
    inside = (low <= answers[10_000:]) & (answers[10_000:] <= high)
    assert inside.mean(0) == pytest.approx([0.9, 0.9], abs=0.015)
    assert 3 * (500 - low).mean() < (high - 500).mean()  # most errors lie to one side


@pytest.mark.parametrize("count", [40, 67, 100, 300])
def test_the_ends_are_the_order_statistics_that_a_new_answer_falls_between_nine_times_in_ten(count: int) -> None:
    errors = np.random.default_rng(1).permutation(np.arange(1.0, count + 1))[:, None]
    kept = calibrate(np.zeros((count, 1)), np.ones((count, 1)), errors, 0.9)
    inside = (kept.above[0] - kept.below[0]) / (count + 1)  # of count + 1 equally likely places for a new one
    assert 0.9 <= inside < 0.9 + 2 / (count + 1)


def test_intervals_end_at_the_scale() -> None:
    kept = calibrate(np.zeros((0, 1)), np.ones((0, 1)), np.zeros((0, 1)), 0.9)
    low, high = kept.around(np.array([[1.0], [99.0]]), np.full((2, 1), 30.0), np.zeros(1), np.full(1, 100.0))
    assert low[0, 0] == 0.0
    assert high[1, 0] == 100.0


def test_an_item_with_few_answers_borrows_from_all() -> None:
    random = np.random.default_rng(0)
    answers = random.normal(size=(200, 2))
    answers[5:, 1] = np.nan
    kept = calibrate(np.zeros((200, 2)), np.ones((200, 2)), answers, 0.9)
    assert kept.above[1] == pytest.approx(1.64, abs=0.35)


def test_an_item_that_everybody_always_answers_alike_is_held_though_estimates_are_off_by_other_hairs() -> None:
    answers = np.zeros((100, 1))
    kept = calibrate(answers + 1e-9, np.ones((100, 1)), answers, 0.9)
    low, high = kept.around(answers + 0.3, np.ones((100, 1)), np.zeros(1), np.full(1, 100.0))
    assert ((low <= answers) & (answers <= high)).all()


@pytest.mark.parametrize(("coverage", "end"), [(0.5, 0.845), (0.9, 2.06), (0.99, 3.23)])
def test_with_too_few_answers_the_ends_are_those_of_normal_errors_at_the_coverage_asked(
    coverage: float, end: float
) -> None:
    kept = calibrate(np.zeros((5, 1)), np.ones((5, 1)), np.ones((5, 1)), coverage)
    assert (kept.below[0], kept.above[0]) == pytest.approx((-end, end), abs=0.01)


def test_a_person_whose_errors_are_three_times_the_usual_gets_wider_and_a_steady_one_narrower() -> None:
    cohort = made_up(people=3, days=30, items=4, missed=0.3)
    random = np.random.default_rng(0)
    off = np.abs(random.normal(size=cohort.answers.shape)) * 1.25 * np.array([1.0, 3.0, 0.4])[cohort.person][:, None]
    off[np.isnan(cohort.answers)] = np.nan
    width = own_width(cohort, off)
    last = [width[cohort.person == p][-1] for p in range(3)]
    assert last[0] == pytest.approx(1.0, rel=0.3)
    assert last[1] == pytest.approx(3.0, rel=0.3)
    assert last[2] == pytest.approx(0.4, rel=0.3)


def test_a_person_known_for_years_who_becomes_twice_as_variable_is_followed_within_weeks() -> None:
    cohort = made_up(people=1, days=1200, missed=0.0)
    off = 1.2533 * np.abs(np.random.default_rng(0).normal(size=cohort.answers.shape))  # of mean size 1
    off[5000:] *= 2
    width = own_width(cohort, off)
    usual = width[4000:5000]
    assert usual.mean() == pytest.approx(1, abs=0.05)
    assert usual.std() < 0.15
    assert 1.7 < width[5070:5140].mean() / usual.mean() < 2.4  # after two to four weeks of five prompts a day


def test_a_width_knows_nothing_of_later_errors_and_moves_for_nobody_else() -> None:
    cohort = made_up(people=3, days=10)
    off = np.where(np.isnan(cohort.answers), np.nan, 1.0)
    later = np.where((cohort.person == 1) & (cohort.rank()[0] >= 20), 9.0, 1.0)[:, None] * off
    changed = own_width(cohort, off) != own_width(cohort, later)
    assert changed.any()
    assert not changed[(cohort.person != 1) | (cohort.rank()[0] < 20)].any()


def test_errors_are_expected_to_grow_with_the_time_ahead_as_the_baseline_expects_however_many_answers_are_known() -> (
    None
):
    cohort = made_up(people=2, days=40, missed=0.0)
    items = np.ones(3)
    population = Population(
        50 * items, 100 * items, np.array([[100.0, 150.0, 50.0]] * 3), np.array([[0, 0.005, 0.1]] * 3)
    )
    past, rank = Past.of(cohort, population, np.zeros((3, 3))), cohort.rank()[0]
    early = seen_before(cohort, rank < 100, seen_online(cohort))
    soon, later = ((cohort.person == 0) & (rank == at) for at in (100, 199))
    scale, expected = error_scale(past, early), past.forecast(early).sd
    assert (expected[later] > 1.1 * expected[soon]).all()
    assert scale[later] / scale[soon] == pytest.approx(
        expected[later] / expected[soon], rel=0.03
    )  # a hair of the scale is added to both


def test_the_scale_of_errors_follows_how_much_a_person_changes_in_every_unit() -> None:
    cohort = made_up(people=40, days=30, missed=0.0)
    calm = (cohort.person % 2 == 0)[:, None]
    cohort = replace(cohort, answers=np.where(calm, 50 + (cohort.answers - 50) / 3, cohort.answers))
    last = cohort.rank()[0] == 149

    def scale(of: Cohort) -> np.ndarray:
        return error_scale(Past.of(of, fit_population(of, of.labelled), np.zeros((3, 3))), seen_online(of))[last]

    usual = scale(cohort)
    assert 2.0 < usual[1::2].mean() / usual[::2].mean() < 4.0
    tenth = replace(cohort, items=tuple(replace(i, high=10.0) for i in cohort.items), answers=cohort.answers / 10)
    assert scale(tenth) == pytest.approx(usual / 10, rel=0.05)
