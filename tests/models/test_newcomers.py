"""P3: every k over the same answers, people never in training, and answers shown that help."""

from dataclasses import replace

import numpy as np
import pytest

from models.baselines import BASELINES, GlobalMean, PersonalMean, ShrunkenMean
from models.controls import permuted, personal_mean_ccc
from models.errors import LeakageError, ModelError
from models.evaluation import MODEL, Table
from models.metrics import icc, pooled_ccc, sums
from models.newcomers import evaluate_newcomers
from models.protocols import online
from models.settings import Settings
from tests.models.people import made_up

BASELINE = Settings(max_epochs=0, threads=1)
QUICK = {name: made for name, made in BASELINES.items() if name != "boosted_trees"}


@pytest.fixture(scope="module")
def table() -> Table:
    cohort = made_up(people=20, days=9, items=2, icc=0.6, missed=0.0)
    return evaluate_newcomers(cohort, BASELINE, folds=2, baselines=QUICK, draw_count=100)


def test_every_number_of_answers_shown_has_its_table_over_the_same_answers(table: Table) -> None:
    assert list(table) == [f"P3 k={k}" for k in (0, 1, 3, 7, 14, 28)]
    for models in table.values():
        assert set(models) == {*QUICK, MODEL}
        assert {m["answers"] for m in models.values()} == {20 * (45 - 28) * 2}
        assert {m["people"] for m in models.values()} == {20}


def test_with_nothing_shown_everyone_is_the_global_mean_and_answers_help(table: Table) -> None:
    agreement = [table[f"P3 k={k}"][MODEL]["pooled_ccc"] for k in (0, 3, 28)]
    assert agreement[0] == pytest.approx(table["P3 k=0"]["global_mean"]["pooled_ccc"], abs=0.02)
    assert agreement[0] + 0.2 < agreement[1] < agreement[2]
    for name in ("shrunken_mean", "linear_mixed", "ewma"):
        assert table["P3 k=28"][name]["mae"] < table["P3 k=0"][name]["mae"], name
    assert table["P3 k=28"]["global_mean"]["mae"] == table["P3 k=0"]["global_mean"]["mae"]


def test_nobody_with_too_few_answers_is_tested_and_one_person_is_refused() -> None:
    few = made_up(people=4, days=4, missed=0.0)
    assert evaluate_newcomers(few, BASELINE, shown=(0,), folds=2) == {"P3 k=0": {}}
    with pytest.raises(ModelError, match="at least two"):
        evaluate_newcomers(made_up(people=1, days=9), BASELINE)


def test_features_that_know_of_later_ones_are_refused() -> None:
    cohort = made_up(people=4, days=9, coupling=1.0)
    hrv = cohort.modalities["hrv"]
    leaky = replace(cohort, modalities={"hrv": replace(hrv, past_n=hrv.past_n + 40)})
    with pytest.raises(LeakageError, match="later ones"):
        evaluate_newcomers(leaky, BASELINE, baselines={"global_mean": GlobalMean})


def test_permuted_answers_keep_each_persons_values_and_fall_to_the_closed_form() -> None:
    cohort = made_up(people=300, days=14, items=2, icc=0.4, missed=0.1)
    mixed = permuted(cohort)
    assert not np.array_equal(mixed.answers, cohort.answers, equal_nan=True)
    for person in (0, 150, 299):
        mine = cohort.person == person
        np.testing.assert_array_equal(np.sort(mixed.answers[mine], axis=0), np.sort(cohort.answers[mine], axis=0))
    np.testing.assert_array_equal(mixed.labelled, cohort.labelled)
    split = online(mixed)
    truth = np.where(split.test[:, None], mixed.answers, np.nan)
    expected = personal_mean_ccc(icc(sums(truth, truth, mixed.person, 300)))
    for baseline in (PersonalMean(), ShrunkenMean()):
        said = baseline.fit(mixed, split.train, split.seen).predict(mixed, split.seen)
        np.testing.assert_allclose(pooled_ccc(said, truth), expected, atol=0.03)
