"""Which kind of night it is follows from facts."""

from dataclasses import replace

import pytest

from assets.learning.schedule import MACRO, MICRO, Last, night_of
from assets.study import Training

QUIET = Last(3, days=2, people=20, newcomers=1)


def test_an_ordinary_night_is_a_micro_night_on_the_last_macro_version() -> None:
    night = night_of(QUIET, Training())
    assert (night.training, night.base) == (MICRO, 3)
    assert night.reason == "2 days with answers since version 3, 1 of 20 people new, no new drift"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"days": 7}, "7 days with answers since version 3 (macro_every_days = 7)"),
        ({"newcomers": 2}, "2 of 20 people are new since version 3 (macro_new_people = 0.1)"),
        ({"drifted": ("eda.tonic_us", "hrv.hr_bpm")}, "drift since version 3: eda.tonic_us, hrv.hr_bpm"),
        ({"gone": 1}, "answers of 1 people were taken back since version 3"),
        ({"same_recipe": False}, "settings, items, features or code changed since version 3"),
        ({"network": False}, "version 3 is the personal baseline alone: there is no network to update"),
        ({"unreadable": "a form of 2025"}, "version 3 cannot be built on: a form of 2025"),
    ],
)
def test_each_reason_makes_a_macro_night(change: dict[str, object], reason: str) -> None:
    night = night_of(replace(QUIET, **change), Training())  # type: ignore[arg-type]
    assert (night.training, night.reason, night.base) == (MACRO, reason, None)


def test_the_first_night_is_a_macro_night() -> None:
    assert night_of(None, Training()).reason == "there was no macro fit before"


def test_somebody_may_ask_for_a_macro_night() -> None:
    assert night_of(QUIET, Training(), wished=True).reason == "asked for by hand"
    assert night_of(None, Training(), wished=True).macro


def test_the_study_file_decides() -> None:
    assert night_of(replace(QUIET, days=0), Training(macro_every_days=0)).macro
    assert not night_of(replace(QUIET, days=20), Training(macro_every_days=21)).macro
    assert not night_of(replace(QUIET, newcomers=5), Training(macro_new_people=0.5)).macro
    assert night_of(replace(QUIET, newcomers=1), Training(macro_new_people=0.0)).macro
    assert not night_of(replace(QUIET, newcomers=0), Training(macro_new_people=0.0)).macro
    assert not night_of(replace(QUIET, drifted=("hrv.hr_bpm",)), Training(macro_on_drift=False)).macro


def test_days_that_were_taken_back_are_no_reason_to_hurry() -> None:
    assert night_of(replace(QUIET, days=-1), Training()).training == MICRO
