"""What moved an estimate: ablation to the mask, exact, whoever else is asked about."""

from dataclasses import replace

import numpy as np
import pytest

from models.cohort import Cohort
from models.fitting import fit
from models.history import NONE
from models.macro_micro import MacroMicro
from tests.models.people import made_up
from tests.models.test_fitting import QUICK


@pytest.fixture(scope="module")
def fitted() -> tuple[MacroMicro, Cohort]:
    cohort = made_up(people=6, days=10, coupling=1.0)
    return fit(cohort, replace(QUICK, trees=20)), cohort


def test_a_modality_contributes_what_its_absence_would_change(fitted: tuple[MacroMicro, Cohort]) -> None:
    model, cohort = fitted
    masked = {"hrv": cohort.modalities["hrv"].masked(np.ones(len(cohort), dtype=bool))}
    change = model.predict(cohort).value - model.predict(replace(cohort, modalities=masked)).value
    said = model.predict(cohort, why=True).moved
    assert set(said) == {"hrv", "history", "person"}
    np.testing.assert_allclose(said["hrv"], change, atol=1e-4)
    assert np.abs(change).max() > 0.5


def test_somebody_new_of_whom_nothing_is_known_has_neither_history_nor_own_parameters(
    fitted: tuple[MacroMicro, Cohort],
) -> None:
    model, cohort = fitted
    new = replace(cohort, participants=tuple(f"N{n}" for n in range(len(cohort.participants))))
    first, _ = cohort.rank()
    said = model.predict(new, first == 0, why=True).moved
    np.testing.assert_allclose(said["history"], 0.0, atol=1e-5)
    np.testing.assert_allclose(said["person"], 0.0, atol=1e-5)


def test_history_contributes_to_those_who_answered(fitted: tuple[MacroMicro, Cohort]) -> None:
    model, cohort = fitted
    assert np.abs(model.predict(cohort, nightly=True, why=True).moved["history"]).mean() > 1.0


def test_history_contributes_what_hiding_every_answer_would_change(fitted: tuple[MacroMicro, Cohort]) -> None:
    model, cohort = fitted
    said = model.predict(cohort, why=True)
    hidden = model.predict(cohort, seen=np.full(len(cohort), NONE))
    inside = (said.value > 0) & (said.value < 100)
    np.testing.assert_allclose(said.moved["history"][inside], (said.value - hidden.value)[inside], atol=1e-4)
    assert np.abs(said.moved["history"]).max() > 1


def test_by_night_the_body_of_the_moment_moves_nothing(fitted: tuple[MacroMicro, Cohort]) -> None:
    model, cohort = fitted
    np.testing.assert_array_equal(model.predict(cohort, nightly=True, why=True).moved["hrv"], 0.0)


def test_one_row_alone_says_what_it_says_among_others(fitted: tuple[MacroMicro, Cohort]) -> None:
    model, cohort = fitted
    some = np.array([7, 40])
    alone, among = model.predict(cohort, some, why=True).moved, model.predict(cohort, why=True).moved
    for part, values in alone.items():
        np.testing.assert_allclose(values, among[part][some], atol=1e-4)
