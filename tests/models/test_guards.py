"""Leaky variants, each of which has been published somewhere, are refused by name; honest ones pass."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from assets.moments.table import items_of, modalities
from assets.simulated.moments import simulated_moments
from assets.study import Study
from models.baselines import BASELINES, PersonalMean
from models.cohort import Cohort, Floats
from models.errors import LeakageError
from models.evaluation import evaluate, evaluate_again
from models.fitting import fit
from models.guards import guard_method, guard_past, guard_windows
from models.paper.grid import Bench
from models.protocols import Split, frozen, online, unseen_people
from models.settings import Settings
from models.tables import cohort_from_frame
from tests.models.people import made_up, with_past


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return made_up(people=5, days=10, coupling=1.0)


def test_moments_as_the_line_makes_them_pass(study: Study) -> None:
    frame = simulated_moments(study, participants=3, days=4, seed=1)
    guard_past(cohort_from_frame(frame, items_of(study), modalities()))
    guard_past(made_up(people=3, days=4, coupling=1.0))


def test_standardising_with_the_whole_period_is_refused(cohort: Cohort) -> None:
    hrv = cohort.modalities["hrv"]
    whole = np.stack([np.nanmean(hrv.values[cohort.person == p], axis=0) for p in range(5)])[cohort.person]
    for leaky in (replace(hrv, past_mean=whole), replace(hrv, past_n=np.full_like(hrv.past_n, 60))):
        with pytest.raises(LeakageError, match="standardised with later ones"):
            guard_past(replace(cohort, modalities={"hrv": leaky}))


def test_a_past_that_counts_the_moment_itself_is_refused(cohort: Cohort) -> None:
    hrv = cohort.modalities["hrv"]
    running = hrv.past_n + ~np.isnan(hrv.values).all(axis=1)
    with pytest.raises(LeakageError, match="more earlier moments than there are"):
        guard_past(replace(cohort, modalities={"hrv": replace(hrv, past_n=running)}))


def test_windows_that_overlap_the_training_stretch_are_refused(cohort: Cohort) -> None:
    guard_windows(frozen(cohort))
    split = online(cohort)
    with pytest.raises(LeakageError, match="look-back windows overlap"):
        guard_windows(Split("P1", cohort, split.train, split.test, frozen(cohort).seen))


SLOW = ("ar1_ou", "boosted_trees")  # shown the same in test_baselines.py and test_trees.py


@pytest.mark.parametrize("name", [n for n in BASELINES if n not in SLOW])
def test_every_baseline_is_blind_to_answers_that_it_may_not_see(cohort: Cohort, name: str) -> None:
    def honest(split: Split) -> Floats:
        return BASELINES[name]().fit(split.cohort, split.train, split.seen).predict(split.cohort, split.seen)

    for split in (frozen(cohort), next(iter(unseen_people(made_up(people=5, days=10, missed=0.0), 3, folds=2)))):
        assert np.isfinite(guard_method(honest, split)).all()


def test_days_that_training_reaches_into_are_masked_and_refused_where_they_are_not(study: Study) -> None:
    frame = simulated_moments(study, participants=6, days=10, seed=1)
    cohort = cohort_from_frame(frame, items_of(study), modalities())
    split = frozen(cohort)
    guard_windows(split)
    kept, before = (~np.isnan(c.modalities["yesterday"].values[split.test]).all(axis=1) for c in (split.cohort, cohort))
    assert 0 < kept.sum() < before.sum()
    with pytest.raises(LeakageError, match="yesterday of test rows was measured over a day of training"):
        guard_windows(replace(split, cohort=cohort))


def test_a_mean_over_the_test_period_is_refused(cohort: Cohort) -> None:
    def leaky(split: Split) -> Floats:
        return PersonalMean().fit(split.cohort, split.cohort.labelled).predict(split.cohort)

    for split in (frozen(cohort), online(cohort), online(cohort, nightly=True)):
        with pytest.raises(LeakageError, match="answers of the test period"):
            guard_method(leaky, split)


def test_a_past_sd_of_the_whole_period_is_refused(cohort: Cohort) -> None:
    hrv = cohort.modalities["hrv"]
    whole = np.stack([np.nanstd(hrv.values[cohort.person == p], axis=0, ddof=1) for p in range(5)])[cohort.person]
    with pytest.raises(LeakageError, match="past SD that earlier moments do not give"):
        guard_past(replace(cohort, modalities={"hrv": replace(hrv, past_sd=whole)}))


def per_person(cohort: Cohort, values: Floats, change: Callable[[Floats], Floats]) -> Floats:
    """The same values with what is done to each person's own."""
    out = values.copy()
    for person in np.unique(cohort.person):
        out[cohort.person == person] = change(out[cohort.person == person])
    return out


LEAKY_VALUES: dict[str, Callable[[Floats], Floats]] = {
    "centred": lambda own: own - np.nanmean(own, axis=0),
    "standardised": lambda own: (own - np.nanmean(own, axis=0)) / np.nanstd(own, axis=0, ddof=1),
    "divided by its SD": lambda own: own / np.nanstd(own, axis=0),
    "standardised, two digits": lambda own: np.round((own - np.nanmean(own, axis=0)) / np.nanstd(own, axis=0), 2),
    "by quartiles": lambda own: (
        (own - np.nanmedian(own, axis=0)) / np.subtract(*np.nanquantile(own, (0.75, 0.25), axis=0))
    ),
    "from 0 to 1": lambda own: (
        (own - np.nanmin(own, axis=0)) / np.ptp(np.nan_to_num(own - np.nanmin(own, axis=0)), axis=0)
    ),
    "filled": lambda own: np.where(np.isnan(own), np.nanmean(own, axis=0), own),
    "filled with the median": lambda own: np.where(np.isnan(own), np.nanmedian(own, axis=0), own),
}


@pytest.mark.parametrize("how", LEAKY_VALUES)
def test_values_made_with_the_whole_period_are_refused(cohort: Cohort, how: str) -> None:
    hrv = cohort.modalities["hrv"]
    values = hrv.values.astype(np.float32).astype(np.float64)  # as they would be stored
    guard_past(replace(cohort, modalities={"hrv": with_past(values, cohort.person)}))
    leaky = per_person(cohort, values, LEAKY_VALUES[how])
    for stored in (leaky, leaky.astype(np.float32).astype(np.float64)):
        with pytest.raises(LeakageError, match="centred, standardised or filled over the whole period"):
            guard_past(replace(cohort, modalities={"hrv": with_past(stored, cohort.person)}))


def test_values_standardised_over_answered_moments_or_over_everybody_are_refused(cohort: Cohort) -> None:
    values = cohort.modalities["hrv"].values
    answered, answers = values.copy(), cohort.labelled
    for person in np.unique(cohort.person):
        mine = cohort.person == person
        own = values[mine & answers]
        answered[mine] = (values[mine] - np.nanmean(own, axis=0)) / np.nanstd(own, axis=0)
    together = (values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0)
    for leaky in (answered, together):
        with pytest.raises(LeakageError, match="centred, standardised or filled"):
            guard_past(replace(cohort, modalities={"hrv": with_past(leaky, cohort.person)}))


def test_gaps_filled_with_the_mean_of_everybody_are_refused(cohort: Cohort) -> None:
    values = cohort.modalities["hrv"].values
    leaky = np.where(np.isnan(values), np.nanmean(values, axis=0), values)
    with pytest.raises(LeakageError, match="centred, standardised or filled"):
        guard_past(replace(cohort, modalities={"hrv": with_past(leaky, cohort.person)}))


def test_counts_flags_and_what_never_moves_refuse_nobody(cohort: Cohort) -> None:
    random = np.random.default_rng(1)
    count = random.poisson(2.0, len(cohort)).astype(float)
    flag, never, coarse = (count > 2).astype(float), np.zeros(len(cohort)), np.round(random.normal(size=len(cohort)), 1)
    active = np.where(count > 2, random.gamma(2.0, size=len(cohort)), 0.0)  # minutes, often none
    share, rare = np.clip(random.normal(0.5, 0.5, len(cohort)), 0, 1), random.poisson(0.7, len(cohort)).astype(float)
    values = np.stack([count, flag, never, coarse, active, -active, share, rare], axis=1)
    guard_past(replace(cohort, modalities={"hrv": with_past(values, cohort.person)}))
    filled = per_person(cohort, values, lambda own: np.where(own == 2, own.mean(0), own))
    guard_past(replace(cohort, modalities={"hrv": with_past(np.round(filled), cohort.person)}))


@pytest.mark.parametrize("name", ["yesterday", "daily", "today"])
def test_days_with_an_sd_of_the_whole_period_are_refused(study: Study, name: str) -> None:
    frame = simulated_moments(study, participants=4, days=14, seed=1)
    cohort = cohort_from_frame(frame, items_of(study), modalities())
    day = cohort.modalities["yesterday"]
    whole = per_person(cohort, day.values, lambda own: np.nanstd(own, axis=0, ddof=1) + 0 * own)
    with pytest.raises(LeakageError, match="tell of earlier days what does not follow"):
        guard_past(replace(cohort, modalities={name: replace(day, past_sd=whole)}))


def test_somebody_elses_huge_values_refuse_nobody() -> None:
    cohort = made_up(people=5, days=10, coupling=1.0)
    values = cohort.modalities["hrv"].values.copy()
    first = np.flatnonzero(~np.isnan(values[:, 0]))[0]
    values[first, 0] = 1e12
    guard_past(replace(cohort, modalities={"hrv": with_past(values, cohort.person)}))


def test_every_evaluation_asks_where_features_come_from(cohort: Cohort) -> None:
    hrv = cohort.modalities["hrv"]
    whole = np.stack([np.nanmean(hrv.values[cohort.person == p], axis=0) for p in range(5)])[cohort.person]
    leaky = replace(cohort, modalities={"hrv": replace(hrv, past_mean=whole)})
    model = fit(cohort, Settings(max_epochs=0))
    for made in (lambda: evaluate(leaky, Settings(max_epochs=0)), lambda: evaluate_again(leaky, model)):
        with pytest.raises(LeakageError, match="standardised with later ones"):
            made()
    with pytest.raises(LeakageError, match="look-back windows overlap"):
        guard_windows(frozen(cohort, 12.0), 24.0)
    looking = replace(cohort, lookback_h=24.0)
    for judged in (partial(evaluate, looking, Settings(max_epochs=0), ("P1",)), partial(Bench.of, looking)):
        with pytest.raises(LeakageError, match="look-back windows overlap"):
            judged(gap_h=12.0)
        judged(gap_h=24.0)


@pytest.mark.parametrize("name", ["yesterday", "daily", "today"])
def test_days_standardised_with_later_ones_are_refused(study: Study, name: str) -> None:
    frame = simulated_moments(study, participants=3, days=8, seed=1)
    cohort = cohort_from_frame(frame, items_of(study), modalities())
    day = cohort.modalities["yesterday"]
    guard_past(replace(cohort, modalities={name: day}))
    whole = np.stack([np.nanmean(day.values[cohort.person == p], axis=0) for p in range(3)])[cohort.person]
    for leaky in (replace(day, past_mean=whole), replace(day, past_n=np.full_like(day.past_n, 60))):
        with pytest.raises(LeakageError, match="standardised with later ones"):
            guard_past(replace(cohort, modalities={name: leaky}))


def test_a_method_that_reads_how_far_its_answers_lie_from_the_middle_is_refused(cohort: Cohort) -> None:
    def leaky(split: Split) -> Floats:
        mean = PersonalMean().fit(split.cohort, split.train, split.seen).predict(split.cohort, split.seen)
        return np.asarray(50 + np.sign(mean - 50) * np.abs(np.nan_to_num(split.cohort.answers, nan=50.0) - 50))

    with pytest.raises(LeakageError, match="answers of the test period"):
        guard_method(leaky, frozen(cohort))


@pytest.mark.parametrize("name", ["P1", "P3"])
def test_answers_that_are_neither_trained_nor_tested_on_are_hidden_too(name: str) -> None:
    """The gap of P1, and what an unseen person answered after the first k and before the tested ones."""
    cohort = made_up(people=5, days=10, missed=0.0)
    split = frozen(cohort) if name == "P1" else next(iter(unseen_people(cohort, 0, folds=2)))
    between = cohort.labelled & ~split.train & ~split.test
    assert between.any()

    def leaky(split: Split) -> Floats:
        means = np.nanmean(np.where(between[:, None], split.cohort.answers, np.nan), axis=0)
        return np.tile(means, (len(split.cohort), 1))

    with pytest.raises(LeakageError, match="answers of the test period"):
        guard_method(leaky, split)
