"""The honest table: what is in it, that real signal shows, and that broken signal does not."""

from dataclasses import replace

import numpy as np
import pytest

from models.baselines import BASELINES
from models.cohort import Cohort
from models.controls import permuted
from models.errors import ModelError
from models.evaluation import MODEL, Evaluation, evaluate
from models.settings import Settings
from tests.models.people import made_up

QUICK = Settings(max_epochs=25, patience=10, width=16, layers=1, batch=128, threads=1)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return made_up(people=8, days=12, coupling=2.0)


@pytest.fixture(scope="module")
def evaluation(cohort: Cohort) -> Evaluation:
    return evaluate(cohort, QUICK, draw_count=200)


def test_every_model_stands_beside_every_baseline_under_both_protocols(evaluation: Evaluation) -> None:
    assert set(evaluation.table) == {"P2", "P2N"}
    for protocol in evaluation.table.values():
        assert set(protocol) == {*BASELINES, MODEL}
        low, high = protocol[MODEL]["pooled_ccc_ci"]
        assert low < protocol[MODEL]["pooled_ccc"] < high
        assert set(protocol[MODEL]["items"]) == {"item0", "item1", "item2"}


def test_the_model_finds_what_the_body_says_online_and_cannot_the_night_before(evaluation: Evaluation) -> None:
    online, nightly = evaluation.table["P2"], evaluation.table["P2N"]
    assert online[MODEL]["pooled_ccc"] > online["ewma"]["pooled_ccc"] + 0.1
    assert online[MODEL]["lift_over_ewma"]["ci"][0] > 0
    assert online[MODEL]["pooled_ccc"] > nightly[MODEL]["pooled_ccc"]


def test_predictions_behind_the_table_are_handed_on(evaluation: Evaluation, cohort: Cohort) -> None:
    tested = evaluation.tested["P2"]
    np.testing.assert_array_equal(tested.answers, cohort.answers[tested.rows])
    np.testing.assert_array_equal(tested.values[MODEL], tested.interval.value)


def test_the_body_is_told_to_help_where_it_does_and_by_night_it_cannot(evaluation: Evaluation) -> None:
    without = evaluation.table["P2"][MODEL]["without"]
    assert set(without) == {"hrv", "body_and_voice"}
    assert without["hrv"]["ccc"]["ci"][0] > 0.05
    assert without["hrv"]["mae"]["ci"][0] > 0
    assert "hrv" not in evaluation.table["P2N"][MODEL].get("without", {})


def test_a_body_that_says_nothing_is_told_to_give_no_gain() -> None:
    cohort = made_up(people=10, days=12, coupling=2.0)
    shuffled = np.random.default_rng(3).permutation(len(cohort))
    hrv = cohort.modalities["hrv"]
    noise = replace(hrv, values=hrv.values[shuffled], past_mean=hrv.past_mean[shuffled], past_sd=hrv.past_sd[shuffled])
    by_the_hour = cohort.answers + 15 * np.sin(2 * np.pi * cohort.local_hour / 24)[:, None]  # so something can be told
    table = evaluate(replace(cohort, answers=by_the_hour, modalities={"hrv": noise}), QUICK, ("P2",), draw_count=200)
    without = table.table["P2"][MODEL]["without"]
    assert without["hrv"]["ccc"]["ci"][0] < 0.01
    assert without["hrv"]["ccc"]["mean"] < 0.03


def test_answers_permuted_within_people_fall_to_the_personal_mean() -> None:
    cohort = permuted(made_up(people=40, days=20, coupling=2.0))
    table = evaluate(cohort, QUICK, ("P2",), draw_count=50).table["P2"]
    assert table[MODEL]["within_r"] < 0.1
    assert table[MODEL]["pooled_ccc"] == pytest.approx(table["personal_mean"]["pooled_ccc"], abs=0.02)


def test_an_unknown_protocol_is_refused(cohort: Cohort) -> None:
    with pytest.raises(ModelError, match="P2N"):
        evaluate(cohort, QUICK, ("P9",))
