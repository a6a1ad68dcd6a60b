"""The honest table: what is in it, that real signal shows, and that broken signal does not."""

from dataclasses import replace

import numpy as np
import pytest

from models.baselines import BASELINES
from models.cohort import Cohort
from models.controls import permuted
from models.errors import ModelError
from models.evaluation import MODEL, Evaluation, compare, evaluate
from models.fitting import hold_back
from models.protocols import frozen
from models.settings import Settings
from tests.models.people import made_up, with_past

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
        for figure in ("pooled_ccc", "mae", "person_ccc", "within_r", "implied_q", "icc", "coverage"):
            low, high = protocol[MODEL][f"{figure}_ci"]
            assert low < protocol[MODEL][figure] < high, figure
        assert protocol[MODEL]["person_ccc_over_personal_mean"]["mean"] == pytest.approx(protocol[MODEL]["person_ccc"])
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


def test_p1_trains_on_sixty_chooses_on_twenty_and_tests_on_twenty_percent(cohort: Cohort) -> None:
    done = evaluate(cohort, replace(QUICK, max_epochs=2, members=1, trees=10), ("P1", "P2"), draw_count=10)
    p1, p2 = (done.tested[name].model for name in ("P1", "P2"))
    assert p1 is not p2
    total, split = cohort.labelled.sum(), frozen(cohort)
    held = hold_back(cohort.take(split.train), p1.settings.validation).check
    assert held.sum() == pytest.approx(0.2 * total, abs=len(cohort.participants))
    assert split.train.sum() - held.sum() == pytest.approx(0.6 * total, abs=len(cohort.participants))
    assert p2.settings.validation == 0.2


def test_a_body_that_says_nothing_is_told_to_give_no_gain() -> None:
    cohort = made_up(people=10, days=12, coupling=2.0)
    shuffled = np.random.default_rng(3).permutation(len(cohort))
    hrv = cohort.modalities["hrv"]
    noise = with_past(hrv.values[shuffled], cohort.person)
    by_the_hour = cohort.answers + 15 * np.sin(2 * np.pi * cohort.local_hour / 24)[:, None]  # so something can be told
    table = evaluate(replace(cohort, answers=by_the_hour, modalities={"hrv": noise}), QUICK, ("P2",), draw_count=200)
    without = table.table["P2"][MODEL]["without"]
    assert without["hrv"]["ccc"]["ci"][0] <= 0
    assert without["hrv"]["ccc"]["mean"] < 0.03


def test_answers_permuted_within_people_fall_to_the_personal_mean() -> None:
    cohort = permuted(made_up(people=40, days=20, coupling=2.0))
    table = evaluate(cohort, QUICK, ("P2",), draw_count=50).table["P2"]
    assert table[MODEL]["within_r"] < 0.1
    assert table[MODEL]["pooled_ccc"] == pytest.approx(table["personal_mean"]["pooled_ccc"], abs=0.02)


def test_intervals_of_a_fit_hold_nine_tenths_of_later_answers_for_everybody() -> None:
    cohort = made_up(people=40, days=30, coupling=2.0)
    tables = evaluate(cohort, replace(QUICK, members=1, trees=40), draw_count=50).table
    for protocol in ("P2", "P2N"):
        assert tables[protocol][MODEL]["coverage"] == pytest.approx(0.9, abs=0.03)
        assert tables[protocol][MODEL]["coverage_worst_decile"] >= 0.8


def test_gains_are_paired_and_figures_are_those_of_the_predictions(evaluation: Evaluation, cohort: Cohort) -> None:
    tested, told = evaluation.tested["P2"], evaluation.table["P2"][MODEL]
    doubled = replace(tested, values={MODEL: tested.values[MODEL], "ewma": tested.values[MODEL]})
    assert compare(doubled, cohort)[MODEL]["ccc_over_ewma"]["ci"] == (0.0, 0.0)
    inside = (tested.interval.low <= tested.answers) & (tested.answers <= tested.interval.high)
    given, people = ~np.isnan(tested.answers), cohort.person[tested.rows]
    own = np.sort([inside[people == p][given[people == p]].mean() for p in np.unique(people)])
    assert told["coverage"] == pytest.approx(inside[given].mean())
    assert told["coverage_worst_decile"] == pytest.approx(own[: max(1, len(own) // 10)].mean())
    explained = told["items"]["item0"]["pooled_ccc"] / (2 - told["items"]["item0"]["pooled_ccc"])
    share = told["items"]["item0"]["icc"]
    assert 0 < share < 1
    assert told["items"]["item0"]["implied_q"] == pytest.approx((explained - share) / (1 - share))


def test_an_item_is_judged_as_if_it_were_the_only_one(evaluation: Evaluation, cohort: Cohort) -> None:
    tested = evaluation.tested["P2"]
    one = slice(1, 2)
    interval = replace(tested.interval, low=tested.interval.low[:, one], high=tested.interval.high[:, one])
    values = {name: said[:, one] for name, said in tested.values.items()}
    alone = replace(tested, answers=tested.answers[:, one], values=values, interval=interval)
    told = compare(alone, replace(cohort, items=cohort.items[one], answers=cohort.answers[:, one]))
    whole = compare(tested, cohort)
    for name, figures in told.items():
        for figure, value in whole[name]["items"]["item1"].items():
            same = (value, figures[figure]) if isinstance(value, dict) else ({"": value}, {"": figures[figure]})
            for part in same[0]:
                assert same[0][part] == pytest.approx(same[1][part], nan_ok=True), (name, figure, part)
    assert {"pooled_ccc_ci", "lift_over_ewma", "coverage"} <= whole[MODEL]["items"]["item1"].keys()


def test_a_model_that_says_nothing_of_an_answer_is_not_compared(evaluation: Evaluation, cohort: Cohort) -> None:
    tested = evaluation.tested["P2"]
    silent = {**tested.values, "ewma": np.full_like(tested.answers, np.nan)}
    with pytest.raises(ModelError, match="ewma says nothing of"):
        compare(replace(tested, values=silent), cohort)


def test_an_unknown_protocol_is_refused(cohort: Cohort) -> None:
    with pytest.raises(ModelError, match="P2N"):
        evaluate(cohort, QUICK, ("P9",))


def test_what_rests_on_one_person_has_no_interval(cohort: Cohort) -> None:
    answers = cohort.answers.copy()
    answers[cohort.person > 0, 1] = np.nan
    table = evaluate(replace(cohort, answers=answers), Settings(max_epochs=0), ("P2",), draw_count=100).table
    told = table["P2"][MODEL]
    assert np.isfinite(told["items"]["item1"]["mae"])
    for figure in ("mae_ci", "pooled_ccc_ci", "person_ccc_ci"):
        assert np.isnan(told["items"]["item1"][figure]).all(), figure
        assert np.isfinite(told["items"]["item0"][figure]).all(), figure
        assert np.isfinite(told[figure]).all(), figure


def test_an_item_whose_test_answers_are_all_alike_is_left_out_of_every_models_mean(cohort: Cohort) -> None:
    answers = cohort.answers.copy()
    late = cohort.day > np.median(cohort.day)
    answers[:, 1] = np.where(late & ~np.isnan(answers[:, 1]), 0.0, answers[:, 1])
    table = evaluate(replace(cohort, answers=answers), Settings(max_epochs=0), ("P2",), draw_count=20).table["P2"]
    for name, told in table.items():
        assert np.isnan(told["items"]["item1"]["pooled_ccc"]), name
        others = [told["items"][item]["pooled_ccc"] for item in ("item0", "item2")]
        assert told["pooled_ccc"] == pytest.approx(np.mean(others)), name
