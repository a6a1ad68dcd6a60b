"""Modalities that do not help on held-back answers are not read, and the model says so; those that help stay."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.baselines import OrnsteinUhlenbeck, ShrunkenMean
from models.cohort import Cohort
from models.controls import permuted
from models.evaluation import fitted_baselines
from models.fitting import fit
from models.history import history
from models.macro_micro import MacroMicro
from models.packaging import load, save
from models.protocols import online
from models.settings import Settings
from models.worth import more_than_means, of_no_use
from tests.models.people import made_up

QUICK = Settings(max_epochs=12, patience=12, width=16, layers=1, batch=128, threads=1, trees=30)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    """A body that follows the answers, and a voice that follows nothing."""
    body = made_up(people=8, days=12, coupling=1.5, seed=2)
    voice = made_up(people=8, days=12, coupling=1e-9, seed=11).modalities["hrv"]
    return replace(body, modalities={**body.modalities, "voice": voice})


@pytest.fixture(scope="module")
def model(cohort: Cohort) -> MacroMicro:
    return fit(cohort, QUICK)


def test_what_helps_is_read_and_what_does_not_is_left_out(cohort: Cohort, model: MacroMicro) -> None:
    assert model.network is not None
    assert model.unused == ("voice",)
    assert "voice" in model.note
    parts = model.predict(cohort, why=True).moved
    assert not parts["voice"].any()
    assert np.abs(parts["hrv"]).max() > 1.0


def test_what_is_left_out_moves_no_estimate(cohort: Cohort, model: MacroMicro) -> None:
    silent = cohort.modalities["voice"].masked(np.ones(len(cohort), dtype=bool))
    quiet = replace(cohort, modalities={**cohort.modalities, "voice": silent})
    np.testing.assert_array_equal(model.predict(quiet).value, model.predict(cohort).value)


def test_a_stored_model_still_leaves_it_out(cohort: Cohort, model: MacroMicro, tmp_path: Path) -> None:
    save(model, tmp_path)
    again = load(tmp_path)
    assert again.unused == ("voice",)
    np.testing.assert_array_equal(again.predict(cohort).value, model.predict(cohort).value)


def test_all_is_read_where_that_is_asked_for(cohort: Cohort) -> None:
    model = fit(cohort, replace(QUICK, read_all=True))
    assert model.unused == ()
    assert np.abs(model.predict(cohort, why=True).moved["voice"]).max() > 0


def test_with_few_people_nothing_is_told() -> None:
    few = made_up(people=4, days=12, coupling=1e-9, seed=2)
    model = fit(few, QUICK)
    assert model.unused == ()
    assert of_no_use(model, {}, few.answers, few.person) == ()


def test_what_only_spreads_estimates_tells_no_more_than_a_mean() -> None:
    cohort = made_up(people=20, days=8)
    means = history(cohort).mean
    told = cohort.labelled & ~np.isnan(means).any(1)
    spread, answers, whose = 50 + 1.5 * (means[told] - 50), cohort.answers[told], cohort.person[told]
    told_of = 0.8 * spread + 0.2 * answers
    hair = 0.999 * spread + 0.001 * answers
    for nothing in (spread, hair):
        assert not more_than_means(nothing / 100, means[told] / 100, answers / 100, whose)
    assert more_than_means(told_of / 100, means[told] / 100, answers / 100, whose)


def test_answers_in_random_order_leave_the_baseline() -> None:
    model = fit(permuted(made_up(people=20, days=8, coupling=1.5)), QUICK)
    assert model.network is None
    assert model.forest is None
    assert "who gives them" in model.note or "no correction" in model.note


def test_where_nothing_drifts_the_baseline_is_a_level_and_the_table_keeps_its_own() -> None:
    """Answers in random order over days: the state-space baseline follows swings that are none."""
    cohort = permuted(made_up(people=20, days=8, coupling=1.5, seed=1), 1)
    model, split = fit(cohort, QUICK), online(cohort)
    assert model.note.endswith("as a level alone")
    usual = ShrunkenMean().fit(cohort, cohort.labelled).predict(cohort, split.seen)
    np.testing.assert_allclose(model.predict(cohort).value, usual)
    baselines = fitted_baselines(split, model, {"ar1_ou": OrnsteinUhlenbeck})
    np.testing.assert_array_equal(
        baselines["ar1_ou"].predict(cohort), OrnsteinUhlenbeck().fit(cohort, split.train).predict(cohort)
    )
