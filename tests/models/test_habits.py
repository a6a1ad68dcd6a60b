"""Habits: a person's own regularities are found from their earlier answers alone, whoever else is there."""

from dataclasses import replace

import numpy as np
import pytest

from models.cohort import Cohort
from models.habits import TOLD, Habits, related
from models.history import NONE, history, seen_nightly, seen_online
from models.inputs import Past
from models.population import fit_population, moments
from models.state_space import forecast
from tests.models.people import made_up


def said(cohort: Cohort, seen: np.ndarray | None = None, relation: np.ndarray | None = None) -> np.ndarray:
    population = moments(cohort, cohort.labelled)
    online = seen_online(cohort)
    relation = related(cohort, cohort.labelled) if relation is None else relation
    learned = Habits.of(cohort, history(cohort, online), forecast(population, cohort, online), relation)
    seen = online if seen is None else seen
    return learned.say(seen, np.arange(len(seen)), history(cohort, seen), forecast(population, cohort, seen))


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return made_up(people=6, days=20, items=3, seed=5)


def test_who_feels_better_in_the_evening_is_expected_to_after_some_days_and_the_opposite_of_others() -> None:
    cohort = made_up(people=6, days=40, items=2, missed=0.1, icc=0.2, seed=1)
    likes_evenings = np.where(np.arange(6) % 2 == 0, 1.0, -1.0)[cohort.person]
    evening = (cohort.local_hour - 15) / 6
    cohort = replace(cohort, answers=np.clip(cohort.answers + 12 * (likes_evenings * evening)[:, None], 0, 100))
    by_clock = said(cohort)[..., 0].mean(1) * likes_evenings
    rank, _ = cohort.rank()
    late = (rank > 100) & (cohort.local_hour == 21)
    early = (rank > 100) & (cohort.local_hour == 9)
    assert by_clock[late].mean() > 5 > -5 > by_clock[early].mean()
    assert np.abs(by_clock[rank < 5]).max() < np.abs(by_clock[late]).mean()


def test_a_row_knows_no_habit_before_an_answer_is_seen_and_no_answer_after_what_it_sees(cohort: Cohort) -> None:
    assert not said(cohort, np.full(len(cohort), NONE))[..., :2].any()
    half = len(cohort) // 2
    later = np.arange(len(cohort)) >= half
    other = replace(cohort, answers=np.where(later[:, None], 100 - cohort.answers, cohort.answers))
    population, relation = fit_population(cohort, cohort.labelled), related(cohort, cohort.labelled)
    for see in (seen_online, seen_nightly):
        seen = see(cohort)
        told = []
        for one in (cohort, other):
            online = seen_online(one)
            learned = Habits.of(one, history(one, online), forecast(population, one, online), relation)
            told.append(learned.say(seen, np.arange(len(seen)), history(one, seen), forecast(population, one, seen)))
        np.testing.assert_array_equal(told[0][: half + 1], told[1][: half + 1])
        assert (told[0][half + 10 :] != told[1][half + 10 :]).any()


def test_habits_are_to_the_bit_the_same_whoever_else_is_there(cohort: Cohort) -> None:
    relation, population = related(cohort, cohort.labelled), moments(cohort, cohort.labelled)

    def of(some: Cohort) -> np.ndarray:
        seen = seen_online(some)
        past, ahead = history(some, seen), forecast(population, some, seen)
        return Habits.of(some, past, ahead, relation).say(seen, np.arange(len(seen)), past, ahead)

    everybody = of(cohort)
    assert everybody.shape == (len(cohort), 3, TOLD)
    alone = cohort.person == 4
    np.testing.assert_array_equal(of(cohort.take(alone)), everybody[alone])


def test_items_that_move_together_are_related_by_sign_and_an_item_on_its_own_to_nothing() -> None:
    cohort = made_up(people=6, days=20, items=2, missed=0.0, seed=2)
    mood = cohort.answers[:, 0]
    answers = np.stack([mood, 100 - mood, np.full_like(mood, 40.0)], 1)
    three = replace(cohort, answers=answers, items=(*cohort.items, replace(cohort.items[0], name="flat")))
    np.testing.assert_allclose(related(three, three.labelled), [[0, -1, 0], [-1, 0, 0], [0, 0, 0]], atol=1e-9)
    one = replace(cohort, answers=answers[:, :1], items=cohort.items[:1])
    assert related(one, one.labelled).tolist() == [[0.0]]
    assert np.isfinite(said(one)).all()


def test_rows_without_an_answer_teach_nothing(cohort: Cohort) -> None:
    empty = np.isnan(cohort.answers).all(1)
    assert empty.any()
    kept = cohort.take(~empty)
    relation = related(cohort, cohort.labelled)
    assert np.allclose(said(cohort, relation=relation)[~empty], said(kept, relation=relation))


def test_some_rows_alone_are_told_what_they_are_told_among_all(cohort: Cohort) -> None:
    seen, relation = seen_nightly(cohort), related(cohort, cohort.labelled)
    past = Past.of(cohort, moments(cohort, cohort.labelled), relation)

    def of(rows: np.ndarray) -> np.ndarray:
        return past.habits.say(seen, rows, past.history(seen, rows), past.forecast(seen, rows))

    some = np.array([11, 3, 40, 0])
    np.testing.assert_array_equal(of(some), of(np.arange(len(cohort)))[some])
