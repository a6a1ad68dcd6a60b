"""The protocols split as they say, and each guard fires."""

from dataclasses import replace

import numpy as np
import pytest

from models.errors import CohortError, LeakageError, ModelError
from models.history import NONE, seen_online
from models.protocols import Split, checked, frozen, nightly_view, online, unseen_people
from tests.models.people import made_up


def test_p2_tests_the_last_fifth_of_each_persons_answers() -> None:
    cohort = made_up()
    split = online(cohort)
    for person in range(len(cohort.participants)):
        mine = cohort.labelled & (cohort.person == person)
        assert split.test[mine].sum() == pytest.approx(0.2 * mine.sum(), abs=0.51)
        assert np.flatnonzero(mine & split.train).max() < np.flatnonzero(mine & split.test).min()


def test_p2n_hides_the_body_of_the_moment_and_its_day() -> None:
    split = online(made_up(coupling=1.0), nightly=True)
    assert np.isnan(split.cohort.modalities["hrv"].values).all()
    rows = np.flatnonzero(split.seen != NONE)
    assert (split.cohort.day[split.seen[rows]] < split.cohort.day[rows]).all()


def test_p1_shows_no_answer_of_the_test_stretch() -> None:
    split = frozen(made_up())
    assert not split.test[split.seen[split.test]].any()
    assert split.train[split.seen[split.test]].all()


def test_p3_shows_k_answers_of_people_never_trained_on() -> None:
    cohort = made_up(people=6, days=12)
    for split in unseen_people(cohort, 3):
        held = np.unique(cohort.person[split.test])
        assert not np.isin(cohort.person[split.train], held).any()
        for person in held:
            rows = np.flatnonzero(split.test & (cohort.person == person))
            first = np.flatnonzero(cohort.person == person)[0]
            assert cohort.labelled[first : split.seen[rows[0]] + 1].sum() == 3
            assert (split.seen[rows] == split.seen[rows[0]]).all()


def test_random_rows_as_test_are_refused() -> None:
    cohort = made_up()
    test = cohort.labelled & (np.random.default_rng(0).random(len(cohort)) < 0.2)
    with pytest.raises(LeakageError, match="by time, never at random"):
        checked(Split("P2", cohort, cohort.labelled & ~test, test, seen_online(cohort)))


def test_a_row_both_trained_and_tested_is_refused() -> None:
    split = online(made_up())
    with pytest.raises(LeakageError, match="both trained on and tested"):
        checked(replace(split, train=split.train | split.test))


def test_a_row_that_sees_itself_is_refused() -> None:
    split = online(made_up())
    with pytest.raises(LeakageError, match="its own answer"):
        checked(replace(split, seen=np.arange(len(split.seen))))


def test_a_row_that_sees_another_person_is_refused() -> None:
    split = online(made_up())
    rank, _ = split.cohort.rank()
    with pytest.raises(LeakageError, match="another person"):
        checked(replace(split, seen=np.where(rank == 0, np.arange(len(rank)) - 1, split.seen)))


def test_a_night_that_sees_its_own_day_or_body_is_refused() -> None:
    cohort = made_up(coupling=1.0)
    split = online(cohort, nightly=True)
    with pytest.raises(LeakageError, match="own day"):
        checked(replace(split, seen=seen_online(cohort)))
    with pytest.raises(LeakageError, match="hrv of the moment"):
        checked(replace(split, cohort=cohort))


def test_a_split_that_breaks_what_its_protocol_promises_is_refused() -> None:
    cohort = made_up(people=6, days=12)
    with pytest.raises(LeakageError, match="answers of the test stretch"):
        checked(replace(frozen(cohort), seen=seen_online(cohort)))
    split = next(iter(unseen_people(cohort, 3)))
    with pytest.raises(LeakageError, match="instead of 3"):
        checked(replace(split, seen=seen_online(cohort)))
    mine = cohort.labelled & ~split.test & (cohort.person == cohort.person[split.test][0])
    with pytest.raises(LeakageError, match="both trained on and tested"):
        checked(replace(split, train=split.train | mine))


def test_the_gap_of_p1_is_as_long_as_asked() -> None:
    cohort = made_up()
    for hours in (12.0, 30.0):
        split = frozen(cohort, hours)
        for person in np.unique(cohort.person[split.test]):
            mine = cohort.person == person
            apart = cohort.time_us[split.test & mine].min() - cohort.time_us[split.train & mine].max()
            assert apart > hours * 3_600_000_000


def test_masking_the_body_keeps_what_is_known_of_yesterday() -> None:
    cohort = made_up(coupling=1.0)
    both = replace(cohort, modalities={"hrv": cohort.modalities["hrv"], "yesterday": cohort.modalities["hrv"]})
    view, _ = nightly_view(both)
    np.testing.assert_array_equal(view.modalities["yesterday"].values, cohort.modalities["hrv"].values)


def test_whatever_is_not_known_to_be_of_an_earlier_day_is_masked_by_night() -> None:
    cohort = made_up(people=3, days=5, coupling=1.0)
    elsewhere = replace(cohort, modalities={"gps": cohort.modalities["hrv"], "daily": cohort.modalities["hrv"]})
    split = online(elsewhere, nightly=True)
    assert np.isnan(split.cohort.modalities["gps"].values).all()
    assert not np.isnan(split.cohort.modalities["daily"].values).all()
    with pytest.raises(LeakageError, match="sees gps"):
        checked(replace(split, cohort=elsewhere))


def test_rows_out_of_order_are_refused() -> None:
    cohort = made_up(people=3, days=5)
    turned = np.arange(len(cohort))
    turned[[3, 4]] = turned[[4, 3]]
    for wrong in (turned, turned[::-1], np.array([0, 1, 1, 2])):
        with pytest.raises(CohortError, match="sorted by person and time"):
            online(cohort.take(wrong))


def test_p3_without_people_to_train_on_or_with_tested_answers_shown_is_refused() -> None:
    cohort = made_up(people=6, days=12)
    for shown, folds in ((3, 1), (29, 5), (-1, 5)):
        with pytest.raises(ModelError, match="groups of people"):
            next(iter(unseen_people(cohort, shown, folds)))
