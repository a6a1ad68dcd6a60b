"""Trees kept as arrays say what scikit-learn says; the mix of network and trees is chosen by its smaller gain."""

import numpy as np
import pytest

from models.forest import LOSSES, MEANS, MEDIANS, Forest, grow, table
from models.habits import related
from models.history import seen_online
from models.inputs import Inputs, Past, build
from models.mix import Mix, choose, divided
from models.standardise import learn
from models.state_space import fit_population
from tests.models.people import made_up


@pytest.fixture(scope="module")
def seen() -> tuple[Inputs, np.ndarray]:
    cohort = made_up(people=12, days=12, items=2, coupling=1.0)
    standards = {name: learn(m, cohort.labelled, cohort.person) for name, m in cohort.modalities.items()}
    past = Past.of(cohort, fit_population(cohort, cohort.labelled), related(cohort, cohort.labelled))
    inputs = build(past, seen_online(cohort), standards, cohort.person)
    return inputs, (cohort.answers - cohort.low) / cohort.span


def test_a_forest_says_what_scikit_learn_says(seen: tuple[Inputs, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    import sklearn.ensemble

    inputs, unit = seen
    grown = []
    real = sklearn.ensemble.HistGradientBoostingRegressor

    def kept(**settings: object) -> object:
        grown.append(real(**settings))
        return grown[-1]

    monkeypatch.setattr(sklearn.ensemble, "HistGradientBoostingRegressor", kept)
    forest = grow([inputs], unit, np.ones(len(unit), dtype=bool), rounds=20, seed=0)
    assert [trees.loss for trees in grown] == list(LOSSES)
    theirs = np.stack([trees.predict(table(inputs)).reshape(unit.shape) for trees in grown], -1)
    assert theirs.std() > 0.01
    np.testing.assert_allclose(forest.correction(inputs), theirs, atol=1e-12)


def test_what_the_body_says_moves_the_trees_and_nothing_of_it_is_what_is_usual(
    seen: tuple[Inputs, np.ndarray],
) -> None:
    inputs, unit = seen
    forest = grow([inputs, inputs.without("hrv")], unit, np.ones(len(unit), dtype=bool), rounds=20, seed=0)
    whole, without = (
        np.nanmean(np.abs(unit - i.baseline.double().numpy() - forest.correction(i)[..., 0]))
        for i in (inputs, inputs.without("hrv"))
    )
    assert whole < without
    assert not table(inputs.without("hrv"))[:, -4:].any()


def test_rows_are_independent_of_each_other(seen: tuple[Inputs, np.ndarray]) -> None:
    import torch

    inputs, unit = seen
    forest = grow([inputs], unit, np.ones(len(unit), dtype=bool), rounds=10, seed=0)
    some = torch.tensor([5, 3, 200])
    np.testing.assert_array_equal(forest.correction(inputs.take(some)), forest.correction(inputs)[some.numpy()])


def test_medians_stay_where_most_answers_lie_and_means_between(seen: tuple[Inputs, np.ndarray]) -> None:
    inputs, unit = seen
    often_zero = np.where(np.random.default_rng(0).random(unit.shape) < 0.7, 0.0, 0.9)
    forest = grow([inputs], often_zero, np.ones(len(unit), dtype=bool), rounds=60, seed=0)
    said = inputs.baseline.double().numpy()[..., None] + forest.correction(inputs)
    medians, means = (said[..., LOSSES.index(loss)].mean() for loss in (MEDIANS, MEANS))
    assert medians < 0.1 < 0.2 < means < 0.35


def test_an_item_never_answered_is_said_like_the_others(seen: tuple[Inputs, np.ndarray]) -> None:
    inputs, unit = seen
    few = np.where(np.array([True, False]), unit, np.nan)
    forest = grow([inputs], few, np.ones(len(unit), dtype=bool), rounds=5, seed=0)
    assert np.isfinite(forest.correction(inputs)).all()


def test_a_forest_without_a_tree_corrects_nothing(seen: tuple[Inputs, np.ndarray]) -> None:
    inputs, unit = seen
    none: Forest = grow([inputs], np.full_like(unit, np.nan), np.ones(len(unit), dtype=bool), rounds=5, seed=0)
    assert none.correction(inputs).tolist() == np.zeros((*unit.shape, len(LOSSES))).tolist()


def test_a_mix_of_one_part_leaves_it_as_it_is() -> None:
    network, trees = np.array([[0.2, 0.9]]), np.array([[[0.6, 0.4], [0.5, 0.1]]])
    assert Mix((1.0, 0.0, 0.0), 1.0, np.zeros(2)).of(network, trees).tolist() == [[0.2, 0.9]]
    assert Mix((0.0, 0.0, 1.0), 1.0, np.zeros(2)).of(network, trees).tolist() == [[0.4, 0.1]]
    assert Mix((0.5, 0.5, 0.0), 1.0, np.zeros(2)).of(network, trees).tolist() == [[0.4, 0.7]]
    np.testing.assert_allclose(Mix((0.5, 0.5, 0.0), 2.0, np.full(2, 0.5)).of(network, trees), [[0.3, 0.9]])


def test_shares_divide_the_whole_the_network_first() -> None:
    shares = divided()
    assert shares[0] == (1.0, 0.0, 0.0)
    assert len(shares) == len(set(shares)) == 66
    np.testing.assert_allclose(np.sum(shares, axis=1), 1.0)


def both(trees: np.ndarray) -> np.ndarray:
    return np.stack([trees, trees], -1)


def test_timid_estimates_are_spread_further_than_bold_ones() -> None:
    random = np.random.default_rng(0)
    level = random.uniform(0.2, 0.8, (4000, 1))
    answers = np.clip(level + random.normal(0, 0.1, (4000, 1)), 0, 1)
    usual = level + random.normal(0, 0.1, (4000, 1))
    timid = 0.5 + 0.8 * (level - 0.5)
    bold = 0.5 + 1.15 * (level - 0.5)
    assert choose(timid, both(timid), usual, answers).factor > 1.2
    assert choose(bold, both(bold), usual, answers).factor < 1.05


def test_the_part_that_knows_nothing_gets_no_share() -> None:
    random = np.random.default_rng(1)
    level = random.uniform(0.2, 0.8, (4000, 1))
    answers = np.clip(level + random.normal(0, 0.1, (4000, 1)), 0, 1)
    usual, nothing = level + random.normal(0, 0.1, (4000, 1)), np.full((4000, 1), 0.5)
    assert choose(level, both(nothing), usual, answers).shares == (1.0, 0.0, 0.0)
    assert choose(nothing, both(level), usual, answers).shares[0] <= 0.2
    assert choose(nothing, np.stack([nothing, level], -1), usual, answers).shares[2] >= 0.8
