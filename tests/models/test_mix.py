"""The mix of network, trees and habits is chosen by the product of its gains."""

import numpy as np
import pytest

from models.mix import EQUAL, FOLLOWED, PARTS, Mix, choose, choose_for_newcomers, divided, steps_of


def parts(network: np.ndarray, trees: np.ndarray | None = None, habit: np.ndarray | None = None) -> np.ndarray:
    """Parts of which trees and recent answers say the same, the network's by default, and habits nothing by default."""
    trees = network if trees is None else trees
    return np.stack([network, trees, trees, trees, np.zeros_like(network) if habit is None else habit], -1)


@pytest.fixture(scope="module")
def told() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is true of 4,000 moments, what was answered, what a reference says."""
    random = np.random.default_rng(1)
    level = random.uniform(0.2, 0.8, (4000, 1))
    answers, usual = (level + random.normal(0, 0.1, (4000, 1)) for _ in range(2))
    return level, np.clip(answers, 0, 1), usual


def test_a_mix_of_one_part_leaves_it_as_it_is_and_a_habit_is_added() -> None:
    said = np.array([[[0.2, 0.6, 0.4, 0.8, 0.1], [0.9, 0.5, 0.1, 0.3, -0.2]]])
    none = np.zeros(2)
    assert Mix((1.0, 0.0, 0.0, 0.0, 0.0), 1.0, none, none).of(said).tolist() == [[0.2, 0.9]]
    assert Mix((0.0, 0.0, 1.0, 0.0, 0.0), 1.0, none, none).of(said).tolist() == [[0.4, 0.1]]
    np.testing.assert_allclose(Mix((0.5, 0.5, 0.0, 0.0, 0.0), 1.0, none, none).of(said), [[0.4, 0.7]])
    np.testing.assert_allclose(Mix((0.5, 0.5, 0.0, 0.0, 0.5), 1.0, none, none).of(said), [[0.45, 0.6]])
    np.testing.assert_allclose(Mix(EQUAL, 1.0, none, none).of(said), [[0.5, 0.45]])
    np.testing.assert_allclose(Mix((0.5, 0.5, 0.0, 0.0, 0.0), 2.0, np.full(2, 0.5), none).of(said), [[0.3, 0.9]])


def test_weights_divide_the_whole_the_network_first() -> None:
    shares = divided()
    assert shares[0] == (1.0, 0.0, 0.0)
    assert len(shares[0]) == len(PARTS) - 2
    assert len(shares) == len(set(shares)) == 66
    np.testing.assert_allclose(np.sum(shares, axis=1), 1.0)


def test_timid_estimates_are_spread_further_than_bold_ones(told: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    level, answers, usual = told
    assert choose(parts(0.5 + 0.8 * (level - 0.5)), usual, answers).factor > 1.2
    assert choose(parts(0.5 + 1.15 * (level - 0.5)), usual, answers).factor < 1.05


def test_very_timid_estimates_of_newcomers_may_be_spread_very_far(
    told: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    level, answers, usual = told
    mix = choose_for_newcomers(parts(0.5 + 0.6 * (level - 0.5)), usual, answers)
    assert mix.weights == EQUAL
    assert mix.factor > 1.5


def test_newcomers_agree_as_much_as_error_allows_and_are_not_spread_without_a_gain(
    told: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    level, answers, usual = told
    timid = parts(0.5 + 0.6 * (level - 0.5))
    dull = np.full_like(level, 0.5) + np.sign(answers - 0.5) * 0.06  # little error, little agreement
    free, held = (choose_for_newcomers(timid, reference, answers) for reference in (usual, dull))
    for mix, reference in ((free, usual), (held, dull)):
        assert np.abs(mix.of(timid) - answers).mean() <= np.abs(reference - answers).mean()
        assert mix.factor > 1.5
    assert choose_for_newcomers(timid, answers, answers).factor == 1.0


def test_the_part_that_knows_nothing_gets_next_to_no_share(told: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    level, answers, usual = told
    nothing = np.full_like(level, 0.5)
    assert choose(parts(level, nothing), usual, answers).weights[0] >= 0.9
    assert choose(parts(nothing, level), usual, answers).weights[0] <= 0.2
    means_only = parts(nothing)
    means_only[..., 2] = level
    assert choose(means_only, usual, answers).weights[2] >= 0.8


def test_habits_are_followed_where_estimates_lack_them_and_not_where_they_mislead(
    told: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    level, answers, usual = told
    swing = np.random.default_rng(2).normal(0, 0.1, level.shape)
    lacks = parts(level - 0.3 * swing, habit=swing)
    assert choose(lacks, usual, answers).weights[-1] == pytest.approx(0.3, abs=0.11)
    assert choose(parts(level, habit=swing), usual, answers).weights[-1] <= FOLLOWED[1]


def test_where_nothing_gains_in_both_the_network_is_left_as_it_is(
    told: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    level, answers, _ = told
    mix = choose(parts(np.full_like(level, 0.5)), answers, answers)
    assert (mix.weights, mix.factor) == ((1.0, 0.0, 0.0, 0.0, 0.0), 1.0)


def test_a_scale_has_steps_where_answers_lie_on_few_levels() -> None:
    random = np.random.default_rng(4)
    seven, five = random.integers(0, 7, 400) / 6, random.choice([0.0, 0.25, 1.0], 400)
    slider, yes = random.integers(0, 101, 400) / 100, random.integers(0, 2, 400).astype(float)
    seldom = np.where(np.arange(400) < 20, seven, np.nan)
    answers = np.stack([seven, five, slider, yes, seldom], -1)
    answers[::3, 0] = np.nan
    assert steps_of(answers).tolist() == [6, 4, 0, 0, 0]


def test_estimates_are_drawn_to_the_levels_of_a_rating_scale_and_never_on_a_slider(
    told: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    level, answers, usual = told
    rated = np.round(answers * 4) / 4
    slider = np.where(np.arange(len(rated))[:, None] == 0, 0.123, rated)
    drawn, free = (choose(parts(level), usual, some) for some in (rated, slider))
    assert (drawn.steps.tolist(), free.steps.tolist(), free.drawn) == ([4], [0], 0.0)
    assert drawn.drawn > 0
    error = [np.abs(mix.of(parts(level)) - rated).mean() for mix in (drawn, free)]
    assert error[0] < 0.97 * error[1]


def test_estimates_are_drawn_as_far_as_asked_and_only_on_rating_scales() -> None:
    said, steps = np.tile(np.array([[[0.3], [0.3]]]), len(PARTS)), np.array([4.0, 0.0])
    for far, expected in ((1.0, 0.25), (0.5, 0.275)):
        mix = Mix((1.0, 0.0, 0.0, 0.0, 0.0), 1.0, np.zeros(2), steps, far)
        np.testing.assert_allclose(mix.of(said), [[expected, 0.3]])
