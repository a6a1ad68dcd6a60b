"""Fitting: same seed same model, a killed fit goes on, and the baseline is kept where that is right."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.baselines import Ewma
from models.cohort import Cohort
from models.errors import CohortError
from models.fitting import fit, hold_back
from models.history import seen_online
from models.inputs import Past
from models.macro_micro import MacroMicro
from models.mix import EQUAL, PARTS
from models.settings import Settings
from models.state_space import forecast
from tests.models.people import made_up, with_past

QUICK = Settings(max_epochs=12, patience=12, width=16, layers=1, batch=128, threads=1)


class Killed(Exception):  # noqa: N818
    pass


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return made_up(people=6, days=10, coupling=1.5)


@pytest.fixture(scope="module")
def model(cohort: Cohort) -> MacroMicro:
    return fit(cohort, QUICK)


def test_it_learns_from_the_body(cohort: Cohort, model: MacroMicro) -> None:
    assert model.network is not None
    assert model.curve[-1]["loss"] < model.curve[0]["loss"]
    blind = replace(cohort, modalities={"hrv": cohort.modalities["hrv"].masked(np.ones(len(cohort), dtype=bool))})
    answered = ~np.isnan(cohort.answers)

    def error(of: Cohort) -> float:
        return float(np.abs(model.predict(of).value - cohort.answers)[answered].mean())

    assert error(cohort) < 0.97 * error(blind)


def test_the_same_seed_gives_the_same_bits(cohort: Cohort, model: MacroMicro) -> None:
    torch.rand(3)  # whatever else drew numbers before
    again = fit(cohort, QUICK)
    np.testing.assert_array_equal(again.predict(cohort).value, model.predict(cohort).value)


def test_a_killed_fit_goes_on_and_ends_with_the_same_bits(cohort: Cohort, model: MacroMicro, tmp_path: Path) -> None:
    def die(epoch: int, _: dict[str, float]) -> None:
        if epoch == 8:
            raise Killed

    with pytest.raises(Killed):
        fit(cohort, QUICK, checkpoint=tmp_path, progress=die)
    assert (tmp_path / "choose" / "state.json").exists()
    epochs = []
    resumed = fit(cohort, QUICK, checkpoint=tmp_path, progress=lambda epoch, _: epochs.append(epoch))
    assert epochs[0] == 6  # the first epoch after the last checkpoint
    np.testing.assert_array_equal(resumed.predict(cohort).value, model.predict(cohort).value)
    assert not tmp_path.exists()


def test_too_few_answers_keep_the_baseline_and_say_so() -> None:
    few = made_up(people=3, days=2)
    model = fit(few, QUICK)
    assert model.network is None
    assert "too few" in model.note
    expected = forecast(model.population, few, seen_online(few)).value.clip(0, 100)
    np.testing.assert_array_equal(model.predict(few).value, expected)


def test_no_epochs_keep_the_baseline(cohort: Cohort) -> None:
    model = fit(cohort, replace(QUICK, max_epochs=0))
    assert model.network is None
    assert "no epochs" in model.note


def test_where_no_correction_helps_estimates_are_exactly_the_baseline_s() -> None:
    cohort = made_up(people=20, days=8, icc=0.9, seed=3)
    model = fit(cohort, replace(QUICK, members=1, trees=20))
    assert "no correction beat the personal baseline on held-back answers" in model.note
    baseline = forecast(model.population, cohort, seen_online(cohort)).value
    np.testing.assert_array_equal(model.predict(cohort).value, np.clip(baseline, 0, 100))


def test_labels_only_and_items_partly_answered_are_enough() -> None:
    cohort = made_up(people=5, days=8)
    partly = cohort.answers.copy()
    partly[::2, 1] = np.nan
    partly[:, 2] = np.nan
    model = fit(replace(cohort, answers=partly), replace(QUICK, max_epochs=3))
    predicted = model.predict(replace(cohort, answers=partly))
    assert np.isfinite(predicted.value).all()
    assert (predicted.low <= predicted.high).all()


def test_a_later_answer_moves_no_earlier_prediction(cohort: Cohort, model: MacroMicro) -> None:
    rank, _ = cohort.rank()
    changed = replace(cohort, answers=np.where((rank >= 20)[:, None], 3.0, cohort.answers))
    before, after = model.predict(cohort), model.predict(changed)
    np.testing.assert_array_equal(before.value[rank <= 20], after.value[rank <= 20])
    np.testing.assert_array_equal(before.high[rank <= 20], after.high[rank <= 20])


def test_a_night_needs_no_body_of_the_moment(cohort: Cohort, model: MacroMicro) -> None:
    blind = replace(cohort, modalities={"hrv": cohort.modalities["hrv"].masked(np.ones(len(cohort), dtype=bool))})
    np.testing.assert_array_equal(model.predict(cohort, nightly=True).value, model.predict(blind, nightly=True).value)


def test_a_stranger_is_predicted_and_said_to_be_one(cohort: Cohort, model: MacroMicro) -> None:
    stranger = replace(cohort, participants=("X1", *cohort.participants[1:]))
    assert not model.knows("X1")
    assert model.knows(cohort.participants[1])
    assert np.isfinite(model.predict(stranger).value).all()


def test_where_everybody_always_answers_the_least_the_baseline_is_kept_and_every_score_is_a_number(
    cohort: Cohort,
) -> None:
    least = replace(cohort, answers=np.where(np.isnan(cohort.answers), np.nan, 0.0))
    model = fit(least, replace(QUICK, max_epochs=2))
    assert model.network is None
    assert np.isfinite([value for epoch in model.curve for value in epoch.values()]).all()
    assert (model.predict(least).value < 0.01).all()


@pytest.fixture(scope="module")
def told_by_body() -> Cohort:
    """A cohort in which a sensor says of everybody how they feel."""
    cohort = made_up(people=80, days=10)
    felt = (np.nan_to_num(cohort.answers, nan=50.0).mean(axis=1, keepdims=True) - 50) / 10
    values = 1.5 * felt + np.random.default_rng(5).normal(size=(len(cohort), 4))
    return replace(cohort, modalities={"hrv": with_past(values, cohort.person)})


@pytest.fixture(scope="module")
def of_forty(told_by_body: Cohort) -> MacroMicro:
    return fit(told_by_body.take(told_by_body.person < 40), QUICK)


@pytest.mark.parametrize("nightly", [False, True])
@pytest.mark.parametrize("silent", [False, True])
def test_intervals_of_unknown_people_hold_what_they_promise_by_night_and_before_the_first_answer(
    told_by_body: Cohort, of_forty: MacroMicro, *, nightly: bool, silent: bool
) -> None:
    cohort, new = told_by_body, told_by_body.person >= 40
    asked = replace(cohort, answers=np.where(new[:, None] & silent, np.nan, cohort.answers))
    said, answers = of_forty.predict(asked, new, nightly=nightly), cohort.answers[new]
    inside = ((said.low <= answers) & (answers <= said.high))[~np.isnan(answers)]
    assert inside.mean() == pytest.approx(0.9, abs=0.04)


def test_recent_answers_and_habits_stand_beside_network_and_trees(cohort: Cohort, model: MacroMicro) -> None:
    seen = seen_online(cohort)
    inputs = model.inputs(Past.of(cohort, model.population, model.relation), seen)
    parts = model.parts(inputs)
    recent = dict(zip(PARTS, np.moveaxis(parts, -1, 0), strict=True))["recent"]
    told = inputs.answered
    usual = Ewma(0.2).fit(cohort, np.ones(len(cohort), bool), seen).predict(cohort, seen)
    np.testing.assert_allclose(cohort.low + cohort.span * recent[told], usual[told], rtol=1e-5)
    assert model.mixes["newcomer_online"].weights == EQUAL


def test_rows_asked_for_come_alone_but_see_the_whole_past(cohort: Cohort, model: MacroMicro) -> None:
    rows = np.array([5, 40, 77])
    np.testing.assert_allclose(model.predict(cohort, rows).value, model.predict(cohort).value[rows], atol=1e-4)


def test_another_studys_items_are_refused(cohort: Cohort, model: MacroMicro) -> None:
    with pytest.raises(CohortError, match="the model knows the items"):
        model.predict(replace(cohort, items=cohort.items[:2]))


def test_held_back_answers_are_each_persons_last(cohort: Cohort) -> None:
    held = hold_back(cohort, 0.25)
    assert not (held.learn & held.check).any()
    assert ((held.learn | held.check) == cohort.labelled).all()
    for person in range(6):
        mine = cohort.person == person
        assert np.flatnonzero(held.learn & mine).max() < np.flatnonzero(held.check & mine).min()


@pytest.mark.parametrize(("each", "note"), [(4, ""), (1, "nobody has answered twice")])
def test_many_people_with_few_answers_each_are_learned_from_or_said_to_be_too_few(each: int, note: str) -> None:
    many = made_up(people=120 // each, days=1, missed=0.0)
    few = many.take(np.isin(many.rank()[0], np.arange(each)))
    assert hold_back(few, 0.2).check.sum() == (120 // each if each > 1 else 0)
    fitted = fit(few, replace(QUICK, max_epochs=1))
    assert note in fitted.note
    assert np.isfinite(fitted.predict(few).value).all()
