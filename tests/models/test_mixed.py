"""The linear mixed model against a dense second implementation, known variances, and what it may see."""

from dataclasses import replace

import numpy as np
import pytest

from models.covariates import Covariates
from models.mixed import INTERCEPT, SLOPES, MixedModel, fit_line
from models.protocols import frozen, online
from tests.models.people import made_up


def _world(people: int, each: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), each)
    x = random.normal(size=(len(person), 3))
    level = random.normal(size=people) * 2.0
    return x, 10 + x @ [1.0, -0.5, 0.0] + level[person] + random.normal(size=len(person)), person


def test_it_recovers_known_coefficients_and_variances() -> None:
    line = fit_line(*_world(298, 20))
    assert line.mean == pytest.approx(10, abs=0.4)
    np.testing.assert_allclose(line.slopes, [1.0, -0.5, 0.0], atol=0.05)
    assert line.intercept == pytest.approx(4.0, rel=0.3)
    assert line.noise == pytest.approx(1.0, abs=0.05)


def test_it_is_the_dense_restricted_likelihoods_best_point_of_the_grid() -> None:
    x, y, person = _world(12, 6)
    n, ones = len(y), np.ones((len(y), 1))
    together = person[:, None] == person
    best, chosen = -np.inf, (0.0, 0.0)
    for ratio in INTERCEPT:
        for slope in SLOPES:
            v = np.eye(n) + ratio * together + slope * x @ x.T
            inverse = np.linalg.inv(v)
            level = float((ones.T @ inverse @ ones).item())
            mean = float((ones.T @ inverse @ y).item()) / level
            noise = float((y - mean) @ inverse @ (y - mean)) / (n - 1)
            value = -0.5 * ((n - 1) * np.log(noise) + np.linalg.slogdet(v)[1] + np.log(level))
            if value > best:
                best, chosen = value, (float(ratio), mean)
                slopes = slope * x.T @ inverse @ (y - mean)
    line = fit_line(x, y, person)
    assert line.intercept == pytest.approx(chosen[0])
    assert line.mean == pytest.approx(chosen[1])
    np.testing.assert_allclose(line.slopes, slopes, rtol=1e-6)


def test_more_features_than_answers_are_no_trouble_and_noise_gets_no_weight() -> None:
    random = np.random.default_rng(0)
    line = fit_line(random.normal(size=(40, 120)), random.normal(size=40), np.repeat(np.arange(4), 10))
    assert np.abs(line.slopes).max() < 0.15


def test_a_persons_intercept_is_the_shrunken_mean_of_what_is_left_of_the_answers_seen() -> None:
    cohort = made_up(people=6, days=8, items=1)
    split = online(cohort)
    model = MixedModel().fit(cohort, split.train)
    said = model.predict(cohort)
    line = model.lines[0]
    assert model.covariates is not None
    fixed = line.mean + model.covariates.table(cohort) @ line.slopes
    row = int(np.flatnonzero(cohort.person == 2)[25])
    before = (cohort.person == 2) & (np.arange(len(cohort)) < row) & cohort.labelled
    left = cohort.answers[before, 0] - fixed[before]
    own = line.intercept * left.sum() / (1 + line.intercept * len(left))
    assert said[row, 0] == pytest.approx(fixed[row] + own)


def test_under_p1_no_answer_of_the_test_stretch_moves_anything() -> None:
    cohort = made_up(people=6, days=8, coupling=1.0)
    split = frozen(cohort)
    changed = replace(cohort, answers=np.where(split.train[:, None] | np.isnan(cohort.answers), cohort.answers, 1.0))
    before = MixedModel().fit(cohort, split.train, split.seen).predict(cohort, split.seen)
    after = MixedModel().fit(changed, split.train, split.seen).predict(changed, split.seen)
    np.testing.assert_array_equal(before, after)


def test_covariates_leave_out_what_is_hardly_ever_there_and_learn_from_training_rows_alone() -> None:
    cohort = made_up(people=6, days=8, coupling=1.0)
    split = online(cohort)
    rare = cohort.modalities["hrv"].masked(np.arange(len(cohort)) > 20)
    both = replace(cohort, modalities={**cohort.modalities, "voice": rare})
    covariates = Covariates.learned(both, split.train)
    assert set(covariates.standards) == {"hrv"}
    assert covariates.table(both).shape == (len(cohort), 7 + 4 + 1)
    assert np.isfinite(covariates.table(both)).all()
    beyond = ~split.train
    wild = replace(both.modalities["hrv"], values=np.where(beyond[:, None], 1e6, both.modalities["hrv"].values))
    again = Covariates.learned(replace(both, modalities={"hrv": wild}), split.train)
    np.testing.assert_array_equal(again.standards["hrv"].mean, covariates.standards["hrv"].mean)
