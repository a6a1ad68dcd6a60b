"""Trivial predictors: what they are by definition, and the figures known from real studies."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.baselines import BASELINES, Ewma, PersonalMean
from models.metrics import icc, pooled_ccc, sums
from models.protocols import online
from tests.models.people import made_up, rowland


@pytest.mark.parametrize("name", BASELINES)
def test_no_baseline_sees_the_answer_it_predicts(name: str) -> None:
    cohort = made_up(people=4, days=6)
    split = online(cohort)
    baseline = BASELINES[name]().fit(cohort, split.train, split.seen)
    last = np.flatnonzero(split.test)[-1]
    changed = cohort.answers.copy()
    changed[last] = 99.0
    before = baseline.predict(cohort, split.seen)
    after = baseline.predict(replace(cohort, answers=changed), split.seen)
    np.testing.assert_array_equal(before[last], after[last])
    assert not np.isnan(before).any()


def test_the_personal_mean_reaches_the_closed_form_of_icc() -> None:
    cohort = made_up(people=400, days=40, items=2, icc=0.34, missed=0.0)
    split = online(cohort)
    predicted = PersonalMean().fit(cohort, split.train).predict(cohort)
    truth = np.where(split.test[:, None], cohort.answers, np.nan)
    share = icc(sums(predicted, truth, cohort.person, 400))
    np.testing.assert_allclose(pooled_ccc(predicted, truth), 2 * share / (1 + share), atol=0.015)


def test_an_unseen_person_gets_the_population() -> None:
    cohort = made_up(people=4, days=5)
    train = cohort.person < 3
    predicted = PersonalMean().fit(cohort, train & cohort.labelled).predict(cohort)
    np.testing.assert_allclose(predicted[-1], np.nanmean(cohort.answers[train], axis=0))


@pytest.mark.real
def test_rowland_gives_the_known_figures_of_personal_mean_and_ewma(real_data: Path) -> None:
    cohort = rowland(real_data)
    split = online(cohort)
    truth = np.where(split.test[:, None], cohort.answers, np.nan)

    def score(baseline: PersonalMean | Ewma) -> float:
        return float(pooled_ccc(baseline.fit(cohort, split.train).predict(cohort), truth).mean())

    assert score(PersonalMean()) == pytest.approx(0.56, abs=0.02)
    assert score(Ewma(0.2)) == pytest.approx(0.68, abs=0.02)
