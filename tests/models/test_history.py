"""What a row may know of earlier answers: right numbers, and nothing from its own time or later."""

from dataclasses import fields, replace

import numpy as np
import pytest

from models.cohort import Cohort
from models.history import (
    NONE,
    RATES,
    by_length,
    history,
    seen_as_newcomer,
    seen_before,
    seen_nightly,
    seen_online,
    told,
)
from models.population import moments
from models.state_space import filtered
from tests.models.people import made_up


def test_running_figures_agree_with_a_plain_loop() -> None:
    cohort = made_up(people=3, days=3, items=2)
    past = history(cohort)
    for row in range(len(cohort)):
        mine = (cohort.person == cohort.person[row]) & (np.arange(len(cohort)) < row)
        for item in range(2):
            earlier = cohort.answers[mine, item]
            times = cohort.time_us[mine][~np.isnan(earlier)]
            earlier = earlier[~np.isnan(earlier)]
            assert past.count[row, item] == len(earlier)
            if not len(earlier):
                assert np.isnan(past.mean[row, item])
                continue
            assert past.mean[row, item] == pytest.approx(earlier.mean())
            assert past.last[row, item, 0] == earlier[-1]
            assert past.age_h[row, item, 0] == pytest.approx((cohort.time_us[row] - times[-1]) / 3.6e9)
            weighted = earlier[0]
            for answer in earlier[1:]:
                weighted += RATES[2] * (answer - weighted)
            assert past.ewma[row, item, 2] == pytest.approx(weighted)


@pytest.mark.parametrize("seen", [seen_online, seen_nightly])
def test_changing_the_future_moves_no_history(seen) -> None:  # noqa: ANN001
    cohort = made_up(people=3, days=4)
    rank, _ = cohort.rank()
    later = rank >= 9
    changed = replace(cohort, answers=np.where(later[:, None], 1.0, cohort.answers))
    before, after = history(cohort, seen(cohort)), history(changed, seen(changed))
    for field in fields(before):
        np.testing.assert_array_equal(getattr(before, field.name)[rank <= 9], getattr(after, field.name)[rank <= 9])


def test_a_newcomers_first_answers_are_shown_from_none_to_all_of_those_before() -> None:
    cohort = made_up(people=40, days=9, missed=0.3)
    seen = seen_as_newcomer(cohort, seed=0)
    shown, before = history(cohort, seen).count[:, 0], history(cohort).count[:, 0]
    some = seen != NONE
    assert cohort.labelled[seen[some]].all()
    assert (cohort.person[seen[some]] == cohort.person[some]).all()
    assert (shown[~some] == 0).all()
    assert (shown <= before).all()
    many = before >= 20
    assert {0, 1, 3, 7} < set(shown[many])
    # Evenly on a logarithmic scale: as often 0 or 1 as 4 to 9.
    assert (shown[many] < 2).mean() == pytest.approx(((shown[many] >= 4) & (shown[many] < 10)).mean(), abs=0.1)
    np.testing.assert_array_equal(seen, seen_as_newcomer(cohort, seed=0))
    assert (seen != seen_as_newcomer(cohort, seed=1)).any()


def test_a_night_sees_the_day_before_and_nothing_of_its_own_day() -> None:
    cohort = made_up(people=2, days=3)
    seen = seen_nightly(cohort)
    rank, _ = cohort.rank()
    assert (seen[rank < 5] == NONE).all()
    later = np.flatnonzero(rank >= 5)
    assert (cohort.day[seen[later]] == cohort.day[later] - 1).all()
    assert (cohort.person[seen[later]] == cohort.person[later]).all()


def test_a_day_that_goes_back_in_travel_stays_hidden() -> None:
    cohort = made_up(people=1, days=2)
    day = cohort.day.copy()
    day[6] = day[4]  # flying west over the date line: the first day's date comes again on the second
    seen = seen_nightly(replace(cohort, day=day))
    assert (seen[:5] == NONE).all()
    assert seen[6] == NONE
    assert (seen[[5, 7, 8, 9]] == 4).all()


def test_somebody_with_many_times_more_answers_pads_nobody() -> None:
    long, short = made_up(people=1, days=90, items=2), made_up(people=6, days=3, items=2)
    both = Cohort(
        items=long.items,
        participants=("LONG", *short.participants),
        person=np.r_[long.person, short.person + 1],
        **{
            name: np.concatenate([getattr(c, name) for c in (long, short)])
            for name in ("time_us", "day", "local_hour", "answers")
        },
        modalities={},
    )
    laid = []

    def after(part: Cohort, rows: object) -> dict[str, np.ndarray]:
        laid.append((len(np.unique(part.person)), len(part)))
        return {"value": part.answers}

    np.testing.assert_array_equal(by_length(both, after)["value"], both.answers)
    assert laid == [(1, len(long)), (6, len(short))]
    population = moments(both, both.labelled)
    for cohort, rows in ((long, slice(0, len(long))), (short, slice(len(long), None))):
        whole, alone = told(both), told(cohort)
        for name, values in alone.items():
            np.testing.assert_array_equal(whole[name][rows], values)
        np.testing.assert_array_equal(filtered(population, both).state[rows], filtered(population, cohort).state)


def test_a_prefix_of_visible_answers_hides_the_rest() -> None:
    cohort = made_up(people=2, days=2)
    rank, _ = cohort.rank()
    seen = seen_before(cohort, rank < 3, seen_online(cohort))
    assert (rank[seen[rank > 3]] == 2).all()
    assert (seen[rank == 0] == NONE).all()
