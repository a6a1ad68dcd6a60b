"""Boosted trees: they find what history and body say, and nothing after a row moves it."""

from dataclasses import replace

import numpy as np
import pytest

from models.baselines import Ewma
from models.metrics import pooled_ccc
from models.protocols import frozen, online
from models.trees import Trees
from tests.models.people import made_up


def test_they_add_to_a_weighted_mean_what_the_body_says() -> None:
    cohort = made_up(people=8, days=12, items=1, coupling=2.0)
    hrv = cohort.modalities["hrv"]
    cohort = replace(cohort, answers=50 + 12 * hrv.values[:, :1])
    split = online(cohort)
    rows = np.flatnonzero(split.test)
    found = pooled_ccc(Trees().fit(cohort, split.train).predict(cohort)[rows], cohort.answers[rows])[0]
    assert found > pooled_ccc(Ewma(0.2).fit(cohort, split.train).predict(cohort)[rows], cohort.answers[rows])[0] + 0.4


def test_with_too_few_answers_they_are_the_weighted_mean_itself() -> None:
    cohort = made_up(people=3, days=5)
    split = online(cohort)
    expected = Ewma(0.2).fit(cohort, split.train).predict(cohort)
    np.testing.assert_allclose(Trees().fit(cohort, split.train).predict(cohort), expected)


def test_the_same_rows_grow_the_same_trees_and_hidden_answers_none() -> None:
    cohort = made_up(people=6, days=14, items=1, coupling=1.0)
    split = frozen(cohort)
    changed = replace(cohort, answers=np.where(split.train[:, None] | np.isnan(cohort.answers), cohort.answers, 1.0))
    before = Trees(rounds=20).fit(cohort, split.train, split.seen).predict(cohort, split.seen)
    after = Trees(rounds=20).fit(changed, split.train, split.seen).predict(changed, split.seen)
    np.testing.assert_array_equal(before, after)


def test_trees_that_were_never_grown_are_refused() -> None:
    with pytest.raises(ValueError, match="fit the trees"):
        Trees().predict(made_up(people=2, days=2))


def test_many_people_with_a_few_answers_each_grow_trees_although_nobody_has_a_fifth_answer() -> None:
    cohort = made_up(people=40, days=1, missed=0.0)
    told = Trees(rounds=3).fit(cohort, np.ones(len(cohort), dtype=bool)).predict(cohort)
    assert np.isfinite(told).all()
    assert np.abs(told - Ewma(0.2).fit(cohort, cohort.labelled).predict(cohort)).max() > 0
