"""Metrics from sums agree with their plain definitions; the bootstrap with resampled rows."""

import numpy as np
import pytest

from models.bootstrap import bounds, draws, pooled
from models.metrics import (
    ccc,
    held,
    icc,
    implied_q,
    mae,
    mean_of_people,
    person_ccc,
    person_mae,
    pooled_ccc,
    sums,
    sums_over_all,
    within_r,
    worst_decile,
    worst_deciles,
)


def _case() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    person = np.repeat(np.arange(6), 20)
    answers = random.normal(size=(120, 2)) + random.normal(size=(6, 2))[person]
    predicted = 0.5 * answers + random.normal(size=(120, 2))
    answers[random.random((120, 2)) < 0.2] = np.nan
    return predicted, answers, person


def _plain_ccc(p: np.ndarray, y: np.ndarray) -> float:
    return float(2 * np.cov(p, y, bias=True)[0, 1] / (p.var() + y.var() + (p.mean() - y.mean()) ** 2))


def test_pooled_ccc_and_mae_are_their_definitions() -> None:
    predicted, answers, _ = _case()
    total = sums(predicted, answers, np.zeros(120, dtype=int), 1)[0]
    for item in range(2):
        known = ~np.isnan(answers[:, item])
        p, y = predicted[known, item], answers[known, item]
        assert ccc(total)[item] == pytest.approx(_plain_ccc(p, y))
        assert mae(total)[item] == pytest.approx(np.abs(p - y).mean())


def test_person_ccc_and_within_r_are_their_definitions() -> None:
    predicted, answers, person = _case()
    each = sums(predicted, answers, person, 6)
    own, gone_p, gone_y = [], [], []
    for who in range(6):
        known = (person == who) & ~np.isnan(answers[:, 0])
        p, y = predicted[known, 0], answers[known, 0]
        own.append(_plain_ccc(p, y))
        gone_p.append(p - p.mean())
        gone_y.append(y - y.mean())
    assert person_ccc(each)[0] == pytest.approx(np.mean(own))
    assert within_r(each)[0] == pytest.approx(np.corrcoef(np.concatenate(gone_p), np.concatenate(gone_y))[0, 1])


def test_a_constant_prediction_and_a_constant_answer_are_no_division_by_zero() -> None:
    assert pooled_ccc(np.ones((9, 1)), np.arange(9.0)[:, None])[0] == pytest.approx(0.0)
    assert np.isnan(pooled_ccc(np.ones((9, 1)), np.ones((9, 1)))[0])


def test_implied_q_is_zero_for_a_personal_mean_and_one_for_the_truth() -> None:
    share = np.array([0.34])
    assert implied_q(2 * share / (1 + share), share)[0] == pytest.approx(0.0)
    assert implied_q(np.array([1.0]), share)[0] == pytest.approx(1.0)
    explained = share + 0.25 * (1 - share)
    assert implied_q(2 * explained / (1 + explained), share)[0] == pytest.approx(0.25)


def test_icc_recovers_the_share_between_people() -> None:
    random = np.random.default_rng(0)
    person = np.repeat(np.arange(300), 30)
    answers = (random.normal(size=300) * np.sqrt(0.4))[person] + random.normal(size=9000) * np.sqrt(0.6)
    each = sums(np.zeros((9000, 1)), answers[:, None], person, 300)
    assert icc(each)[0] == pytest.approx(0.4, abs=0.04)


def test_icc_of_groups_of_unequal_size_is_the_anova_of_a_textbook() -> None:
    groups = [[4.0, 6.0, 5.0, 9.0], [1.0, 2.0], [8.0, 7.0, 9.0]]
    answers, person = np.concatenate(groups), np.repeat([0, 1, 2], [4, 2, 3])
    grand = answers.mean()
    between = sum(len(g) * (np.mean(g) - grand) ** 2 for g in groups) / 2
    within = sum(((np.array(g) - np.mean(g)) ** 2).sum() for g in groups) / 6
    size = (9 - (16 + 4 + 9) / 9) / 2
    expected = (between - within) / (between + (size - 1) * within)
    assert icc(sums(np.zeros((9, 1)), answers[:, None], person, 3))[0] == pytest.approx(expected)


def test_what_cannot_be_told_is_no_number() -> None:
    once = sums(np.zeros((3, 1)), np.array([[1.0], [2.0], [3.0]]), np.arange(3), 3)
    steady = sums(np.zeros((4, 1)), np.array([[1.0], [1.0], [3.0], [3.0]]), np.array([0, 0, 1, 1]), 2)
    alone = sums(np.zeros((3, 1)), np.array([[1.0], [2.0], [3.0]]), np.zeros(3, int), 1)
    assert np.isnan(icc(once)[0])
    assert np.isnan(icc(alone)[0])
    assert icc(steady)[0] == 1.0
    assert np.isnan(implied_q(np.array([0.5]), icc(steady))[0])
    assert np.isnan(bounds(mean_of_people(np.array([0.01]), draws(1, 50)), 1)).all()


def test_a_bootstrap_draw_is_the_metric_of_the_people_drawn() -> None:
    predicted, answers, person = _case()
    each = sums(predicted, answers, person, 6)
    drawn = np.array([[2.0, 0, 1, 0, 3, 0]])
    rows = np.concatenate([np.tile(np.flatnonzero(person == who), int(k)) for who, k in enumerate(drawn[0])])
    come = np.repeat(np.arange(6), drawn[0].astype(int))  # whoever comes up twice counts as two
    again = sums(predicted[rows], answers[rows], np.repeat(np.arange(6), 20), 6)
    np.testing.assert_allclose(again, each[come])
    for metric in (person_ccc, within_r, icc):
        np.testing.assert_allclose(metric(each, drawn)[0], metric(again), rtol=1e-9)
    own = person_mae(each)
    assert mean_of_people(own, drawn)[0] == pytest.approx(person_mae(again).mean())
    agreement, error = pooled(each, drawn)
    assert agreement[0] == pytest.approx(pooled_ccc(predicted[rows], answers[rows]).mean())
    expected = np.nanmean(np.abs(predicted[rows] - answers[rows]), axis=0).mean()
    assert error[0] == pytest.approx(expected)


def test_bootstrap_bounds_of_a_mean_agree_with_its_standard_error() -> None:
    lift = np.random.default_rng(0).normal(size=100)
    low, high = bounds(mean_of_people(lift, draws(100)), 100)
    assert low == pytest.approx(lift.mean() - 1.96 * lift.std() / 10, abs=0.03)
    assert high == pytest.approx(lift.mean() + 1.96 * lift.std() / 10, abs=0.03)


def test_worst_decile_coverage_and_person_errors() -> None:
    assert worst_decile(np.array([*range(20), np.nan])) == pytest.approx(0.5)
    lift, often = np.array([5.0, np.nan, 1.0, *range(10, 27)]), np.array([[0.0, 9, 1, 12, *np.full(16, 1)]])
    assert worst_deciles(lift, often)[0] == pytest.approx((1 + 10) / 2)  # of 29 whose lift is known
    inside = np.array([[True], [False], [True]])
    answers = np.array([[1.0], [1.0], [np.nan]])
    np.testing.assert_array_equal(held(inside, answers, np.array([0, 0, 1]), 2), [[1.0, 0.0], [2.0, 0.0]])
    errors = person_mae(sums(np.zeros((2, 2)), np.array([[1.0, 3.0], [np.nan, 5.0]]), np.array([0, 1]), 2))
    np.testing.assert_array_equal(errors, [2.0, 5.0])


def test_sums_over_all_rows_are_those_of_one_person() -> None:
    random = np.random.default_rng(3)
    predicted, answers = random.random((50, 4)), random.random((50, 4))
    answers[random.random(answers.shape) < 0.3] = np.nan
    one = sums(predicted, answers, np.zeros(50, dtype=np.int64), 1)[0]
    np.testing.assert_allclose(sums_over_all(predicted, answers), one)


@pytest.mark.parametrize("level", [0.3, 7.0, 73.3, 100.0])
def test_of_answers_that_do_not_vary_nothing_is_told_whatever_is_said(level: float) -> None:
    person, answers = np.repeat(np.arange(10), 40), np.full((400, 1), level)
    noise = np.random.default_rng(0).random((400, 1))
    for said in (answers, answers - 1e-9 * noise, answers - 1e-6 * noise, answers - 0.01, 0.9 * answers + noise):
        each = sums(said, answers, person, 10)
        for figure in (ccc(each.sum(0)), person_ccc(each), within_r(each), icc(each)):
            assert np.isnan(figure[0])


def test_saying_the_same_of_an_item_costs_its_agreement_instead_of_leaving_the_item_out() -> None:
    random = np.random.default_rng(0)
    person, answers = np.repeat(np.arange(20), 30), random.normal(size=(600, 1))
    weak = sums(0.1 * answers + random.normal(size=(600, 1)), answers, person, 20)
    flat = sums(np.full((600, 1), 73.3), answers, person, 20)
    means = sums((np.arange(20) * 4.7)[person][:, None], answers, person, 20)
    assert weak.sum() != 0
    assert ccc(weak.sum(0))[0] > ccc(flat.sum(0))[0] == pytest.approx(0.0, abs=1e-12)
    assert within_r(weak)[0] > 0
    assert within_r(flat)[0] == within_r(means)[0] == 0.0
    assert (within_r(means, draws(20, 50)) == 0.0).all()


def test_a_draw_without_an_item_is_no_draw_of_the_mean_over_items() -> None:
    """One item of two people on a scale of its own: without them the mean would be of the other item alone."""
    person, answers = np.repeat(np.arange(8), 10), np.random.default_rng(0).normal(50, 10, (80, 2))
    answers[:, 1] = np.where(person < 2, answers[:, 1] / 1000, np.nan)
    each, drawn = sums(np.full((80, 2), 0.05), answers, person, 8), draws(8, 500)
    _, errors = pooled(each, drawn)
    lacking = (drawn[:, :2] == 0).all(axis=1)
    assert 0 < lacking.sum() < 500
    np.testing.assert_array_equal(np.isnan(errors), lacking)
    low, high = bounds(errors, 8)
    assert low < mae(each.sum(0)).mean() < high < 0.8 * mae(each.sum(0))[0]
