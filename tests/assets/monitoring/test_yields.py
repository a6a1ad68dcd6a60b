from datetime import timedelta

import numpy as np
import pytest

from assets.monitoring.yields import State, grid, silences, totals
from tests.assets.monitoring.rows import FIRST, day, days


def of(found: list, activity: str) -> dict:
    return {s.participant: s for s in found if s.activity == activity}


def test_someone_who_wore_the_band_daily_and_then_not_has_stopped_since_the_day_after() -> None:
    frame = days(*(day("P1", n, worn_h=8.0) for n in range(10)))
    stopped = of(silences(frame, FIRST + timedelta(days=15)), "wristband")["P1"]
    assert (stopped.state, stopped.since, stopped.days) == (State.STOPPED, FIRST + timedelta(days=10), 5)


def test_a_short_wear_does_not_count_as_wearing() -> None:
    frame = days(*(day("P1", n, worn_h=8.0 if n < 5 else 0.2) for n in range(10)))
    assert of(silences(frame, FIRST + timedelta(days=10)), "wristband")["P1"].since == FIRST + timedelta(days=5)


def test_a_silence_that_is_usual_for_a_person_is_no_stop() -> None:
    frame = days(*(day("P1", n, self_reports=1) for n in (0, 7, 14)))
    assert of(silences(frame, FIRST + timedelta(days=20)), "answers")["P1"].state is State.GIVING
    assert of(silences(frame, FIRST + timedelta(days=22)), "answers")["P1"].state is State.STOPPED


def test_the_day_that_is_not_over_is_no_silence() -> None:
    frame = days(*(day("P1", n, worn_h=8.0) for n in range(3)))
    assert of(silences(frame, FIRST + timedelta(days=3)), "wristband")["P1"].days == 0


def test_long_silences_are_shown_apart_and_people_without_anything_are_named() -> None:
    frame = days(day("P1", 0, worn_h=8.0))
    found = of(silences(frame, FIRST + timedelta(days=60), ["P2"]), "wristband")
    assert (found["P1"].state, found["P2"].state) == (State.GONE, State.NEVER)


def test_the_longest_silence_comes_first() -> None:
    frame = days(*(day("P1", n, worn_h=8.0) for n in range(3)), *(day("P2", n, worn_h=8.0) for n in range(8)))
    found = [s for s in silences(frame, FIRST + timedelta(days=13)) if s.state is State.STOPPED]
    assert [(s.participant, s.days) for s in found] == [("P1", 10), ("P2", 5)]


def test_the_heat_map_holds_what_came_and_nan_where_nothing_did() -> None:
    frame = days(day("P2", 0, clips=3), day("P1", 1, clips=2), day("P1", 2, clips=0))
    found = grid(frame, "voice", FIRST + timedelta(days=2), 3)
    assert (found.participants, found.unit) == (("P1", "P2"), "clips")
    np.testing.assert_array_equal(found.values, [[np.nan, 2, np.nan], [3, np.nan, np.nan]])


def test_totals_add_people_and_modalities_per_day() -> None:
    frame = days(day("P1", 0, worn_h=2.0, self_reports=1), day("P2", 0, worn_h=3.0), day("P1", 1, worn_h=1.0))
    assert totals(frame).select("participants", "worn", "answers").rows() == [(2, pytest.approx(5.0), 1), (1, 1.0, 0)]
