"""Deviations from what is usual for the person, by hand, and from the past only."""

import numpy as np
import pytest

from models.cohort import Modality
from models.standardise import BOUND, PRIOR_SD, Standard, learn, standardised

STANDARD = Standard(np.array([10.0]), np.array([4.0]), np.array([16.0]))


def _one(value: float, past_mean: float, past_sd: float, n: int) -> Modality:
    return Modality(("f",), *(np.array([[v]]) for v in (value, past_mean, past_sd)), np.array([n]))


def test_a_person_without_a_past_is_compared_with_everyone() -> None:
    z, present = standardised(_one(14.0, np.nan, np.nan, 0), STANDARD)
    assert z[0, 0] == pytest.approx(4 / np.sqrt(4 + 16))
    assert present.all()


def test_a_long_past_makes_the_comparison_the_persons_own() -> None:
    z, _ = standardised(_one(32.0, 30.0, 1.0, 100_000), STANDARD)
    assert z[0, 0] == pytest.approx(2.0, abs=1e-3)


def test_some_past_lies_between() -> None:
    z, _ = standardised(_one(20.0, 20.0, 2.0, 4), STANDARD)
    usual = (4 * 20 + 0.25 * 10) / 4.25
    variance = (3 * 4 + PRIOR_SD * 4) / (3 + PRIOR_SD) + 4 * 16 / (4 * 16 + 4)
    assert z[0, 0] == pytest.approx((20 - usual) / np.sqrt(variance))


def test_missing_is_marked_and_artefacts_are_bounded() -> None:
    z, present = standardised(_one(np.nan, 1.0, 1.0, 9), STANDARD)
    assert z[0, 0] == 0.0
    assert not present.any()
    assert standardised(_one(1e9, np.nan, np.nan, 0), STANDARD)[0][0, 0] == BOUND


def test_population_figures_come_from_the_training_rows_alone() -> None:
    random = np.random.default_rng(0)
    person = np.repeat(np.arange(200), 20)
    values = (5 + 3 * random.normal(size=200))[person] + 2 * random.normal(size=4000)
    train = np.tile(np.arange(20) < 16, 200)
    spoilt = np.where(train, values, 1e6)[:, None]
    empty = np.full((4000, 1), np.nan)
    learned = learn(Modality(("f",), spoilt, empty, empty, np.zeros(4000, dtype=int)), train, person)
    assert learned.mean[0] == pytest.approx(5.0, abs=0.7)
    assert learned.within[0] == pytest.approx(4.0, rel=0.1)
    assert learned.between[0] == pytest.approx(9.0, rel=0.3)
