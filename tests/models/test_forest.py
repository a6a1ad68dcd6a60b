"""Trees kept as arrays say what scikit-learn says, medians and means."""

from dataclasses import replace

import numpy as np
import pytest

from models.forest import LOSSES, MEANS, MEDIANS, Forest, grow, of_body, of_history
from models.habits import related
from models.history import seen_online
from models.inputs import Inputs, Past, build, stacked
from models.population import fit_population
from models.standardise import learn
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
    told, measured = of_history(inputs), of_body(inputs)
    assert [trees.loss for trees in grown] == [MEDIANS, MEANS, MEDIANS, MEDIANS]
    theirs = np.stack([trees.predict(told).reshape(unit.shape) for trees in grown[:2]], -1)
    for item, trees in enumerate(grown[2:]):
        theirs[:, item, 0] += trees.predict(np.c_[told[item::2], measured])
    assert theirs.std() > 0.01
    np.testing.assert_allclose(forest.correction(inputs), theirs, atol=1e-12)


def test_what_the_body_says_moves_the_trees_and_nothing_of_it_is_what_is_usual(
    seen: tuple[Inputs, np.ndarray],
) -> None:
    inputs, unit = seen
    forest = grow([inputs, inputs.without("hrv")], unit, np.ones(len(unit), dtype=bool), rounds=20, seed=0)
    whole, without = (
        np.nanmean(np.abs(unit - i.baseline.astype(float) - forest.correction(i)[..., 0]))
        for i in (inputs, inputs.without("hrv"))
    )
    assert whole < without
    assert of_body(inputs).any()
    assert not of_body(inputs.without("hrv")).any()


def test_rows_are_independent_of_each_other(seen: tuple[Inputs, np.ndarray]) -> None:
    inputs, unit = seen
    forest = grow([inputs], unit, np.ones(len(unit), dtype=bool), rounds=10, seed=0)
    some = np.array([5, 3, 200])
    np.testing.assert_array_equal(forest.correction(inputs.take(some)), forest.correction(inputs)[some])


def test_threads_change_nothing(seen: tuple[Inputs, np.ndarray]) -> None:
    inputs, unit = seen
    one, two = (
        grow([inputs], unit, np.ones(len(unit), dtype=bool), rounds=10, seed=0, threads=threads) for threads in (1, 2)
    )
    for name in ("feature", "threshold", "left", "right", "value", "root", "kind", "item", "start"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_rows_that_share_a_past_but_no_body_or_a_body_but_no_past_are_told_apart(
    seen: tuple[Inputs, np.ndarray],
) -> None:
    inputs, unit = seen
    forest = grow([inputs], unit, np.ones(len(unit), dtype=bool), rounds=10, seed=0)
    bare, other = inputs.without("hrv"), replace(inputs, context=np.roll(inputs.context, 1, axis=0))
    apart = [forest.correction(each) for each in (inputs, bare, other)]
    assert (apart[0] != apart[1]).any()
    assert (apart[0] != apart[2]).any()
    np.testing.assert_array_equal(forest.correction(stacked([inputs, bare, other])), np.concatenate(apart))


def test_medians_stay_where_most_answers_lie_and_means_between(seen: tuple[Inputs, np.ndarray]) -> None:
    inputs, unit = seen
    often_zero = np.where(np.random.default_rng(0).random(unit.shape) < 0.7, 0.0, 0.9)
    forest = grow([inputs], often_zero, np.ones(len(unit), dtype=bool), rounds=60, seed=0)
    said = inputs.baseline.astype(float)[..., None] + forest.correction(inputs)
    medians, means = (said[..., LOSSES.index(loss)].mean() for loss in (MEDIANS, MEANS))
    assert medians < 0.15
    assert 0.2 < means < 0.35


def test_an_item_never_answered_is_said_like_the_others(seen: tuple[Inputs, np.ndarray]) -> None:
    inputs, unit = seen
    few = np.where(np.array([True, False]), unit, np.nan)
    forest = grow([inputs], few, np.ones(len(unit), dtype=bool), rounds=5, seed=0)
    assert np.isfinite(forest.correction(inputs)).all()


def test_a_forest_without_a_tree_corrects_nothing(seen: tuple[Inputs, np.ndarray]) -> None:
    inputs, unit = seen
    none: Forest = grow([inputs], np.full_like(unit, np.nan), np.ones(len(unit), dtype=bool), rounds=5, seed=0)
    assert none.correction(inputs).tolist() == np.zeros((*unit.shape, len(LOSSES))).tolist()
