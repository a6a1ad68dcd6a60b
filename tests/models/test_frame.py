from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import polars as pl
import pytest

from models.errors import CohortError
from models.frame import OUTPUT, as_numbers, unfold
from models.tables import asked as as_arrays
from models.tables import cohort_from_frame, predict_frame
from tests.models.tiny import FEATURES, ITEMS, Tiny

HOUR_US = 3_600_000_000
NOON_US = 1_772_452_800_000_000  # 2026-03-02 12:00 UTC


def asked(**changes: object) -> pl.DataFrame:
    row = {
        "participant": "P1",
        "time_us": NOON_US,
        "day": date(2026, 3, 2),
        "local_hour": 12.0,
        "past_age_h": [30.0, 2.0],
        "past_happy": [40.0, 60.0],
        "past_sad": [float("nan"), 3.0],
    }
    return pl.DataFrame([{**row, **changes}])


def values(frame: pl.DataFrame) -> list[float]:
    return predict_frame(Tiny(), frame)["value"].to_list()


def test_a_row_is_answered_from_the_past_it_brings() -> None:
    said = predict_frame(Tiny(), asked())
    assert said.select(list(OUTPUT)).rows() == [
        ("P1", NOON_US, "happy", 50.12, 49.12, 51.12, True),
        ("P1", NOON_US, "sad", 3.12, 2.12, 4.12, True),
    ]
    assert said.select("^why.*$").row(0, named=True) == {
        "why.hrv": 1.0, "why.yesterday": 0.0, "why.history": 0.0, "why.person": 0.0,
    }  # fmt: skip


def test_what_moved_an_estimate_is_told_on_asking_only() -> None:
    assert predict_frame(Tiny(), asked(), why=False).columns == list(OUTPUT)


def test_rows_without_a_past_may_leave_their_lists_empty_or_out() -> None:
    nothing = dict.fromkeys(("past_age_h", "past_happy", "past_sad"))
    both = pl.concat([asked(), asked(**nothing)], how="vertical_relaxed")
    assert values(both)[2:] == values(asked(past_age_h=[], past_happy=[], past_sad=[]))


def test_a_row_asked_the_night_before_knows_no_body_of_the_moment_and_says_wider_intervals() -> None:
    by_day = asked(**{"hrv.hr_bpm": 70.0, "hrv.hr_bpm.past_mean": 60.0, "hrv.past_n": 3})
    by_night = predict_frame(Tiny(), by_day.with_columns(nightly=True))
    assert predict_frame(Tiny(), by_day)["value"].to_list() == pytest.approx([60.12, 13.12])
    assert by_night["value"].to_list() == pytest.approx([40.12, 4.12])
    assert (by_night["high"] - by_night["low"]).to_list() == pytest.approx([4.0, 4.0])


def test_the_past_of_a_nightly_row_is_of_earlier_days_even_across_a_clock_change() -> None:
    # 23:30 the evening before lies 11.5 hours before noon when the clock sprang forward in between.
    frame = asked(past_age_h=[11.5], past_happy=[80.0], past_sad=[2.0], nightly=True)
    assert values(frame) == pytest.approx([80.12, 2.12])


def test_a_row_asked_the_night_before_does_not_see_answers_of_its_own_day() -> None:
    of_the_day = asked(past_age_h=[26.0, 3.5], past_happy=[70.0, 99.0], past_sad=[2.0, 7.0])
    before = asked(past_age_h=[26.0], past_happy=[70.0], past_sad=[2.0])
    assert values(of_the_day.with_columns(nightly=True)) == values(before.with_columns(nightly=True))
    assert values(of_the_day) != values(before)


def test_rows_asked_together_do_not_know_of_each_other() -> None:
    other = asked(past_happy=[0.0, 0.0])
    stranger = asked(participant="P9", past_age_h=[], past_happy=[], past_sad=[])
    together = predict_frame(Tiny(), pl.concat([asked(), other, stranger]))
    assert together["value"].to_list() == [*values(asked()), *values(other), *values(stranger)]
    assert together["known_person"].to_list() == [True] * 4 + [False] * 2
    assert together["value"].to_list()[-2:] == pytest.approx([50.12, 4.12])


def test_rows_come_back_in_the_order_asked() -> None:
    frames = [asked(participant=code, time_us=NOON_US + n * HOUR_US) for n, code in enumerate(("B", "A", "C"))]
    said = predict_frame(Tiny(), pl.concat(reversed(frames)))
    assert said["participant"].to_list() == ["C", "C", "A", "A", "B", "B"]


def test_the_frame_gives_the_cohort_that_the_moments_give() -> None:
    times = np.array([NOON_US - 30 * HOUR_US, NOON_US - 2 * HOUR_US - 1, NOON_US])
    moments = pl.DataFrame(
        {
            "participant": ["P1"] * 3,
            "time_us": times,
            "day": [date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 2)],
            "local_hour": [6.0, 10.0 - 1 / 3.6e9, 12.0],
            "y_happy": [40.0, 60.0, None],
            "y_sad": [None, 3.0, None],
        }
    )
    own = cohort_from_frame(moments, ITEMS, FEATURES)
    questions = asked(past_age_h=((NOON_US - times[:2]) / HOUR_US).tolist())
    cohort, rows, _ = unfold(as_arrays(questions), ITEMS, FEATURES)
    assert rows.tolist() == [2]
    assert cohort.time_us.tolist() == own.time_us.tolist()
    assert cohort.day.tolist() == own.day.tolist()
    assert cohort.local_hour == pytest.approx(own.local_hour)
    np.testing.assert_array_equal(cohort.answers, own.answers)
    assert cohort.participants == own.participants


def test_no_rows_give_no_estimates() -> None:
    assert predict_frame(Tiny(), asked().clear()).height == 0


@pytest.mark.parametrize(
    "day", ["02.03.2026", "20260302", 20260302, "2026", "today", "2026-03-05", date(2026, 2, 28), None]
)
def test_a_day_that_is_none_or_another_than_that_of_the_time_is_refused(day: object) -> None:
    with pytest.raises(CohortError, match="^day "):
        values(asked(day=day))


@pytest.mark.parametrize("day", ["2026-03-02", date(2026, 3, 2), np.datetime64("2026-03-02T00:00:00", "us")])
def test_the_day_may_be_a_date_a_datetime_or_text(day: object) -> None:
    assert values(asked().with_columns(day=pl.lit(day))) == values(asked())


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (asked().drop("past_sad"), "lacks past_sad"),
        (asked(past_happy=[1.0]), "past_happy must be as long"),
        (asked(past_age_h=[30.0, 0.0]), "past_age_h must be above 0"),
        (asked(past_age_h=[30.0, float("nan")]), "past_age_h must be above 0"),
        (asked(past_age_h=[2.0, 2.0]), "past_age_h must tell the oldest answer first"),
        (asked(past_age_h=[2.0, 30.0]), "past_age_h must tell the oldest answer first"),
        (asked(past_happy=3.0), "past_happy must hold a list of numbers"),
        (asked(past_happy=["much", "little"]), "past_happy must hold a list of numbers"),
        (asked(past_happy=["40", "60"]), "past_happy must hold a list of numbers"),
        (asked(time_us=None), "time_us must be a number"),
        (asked(local_hour=float("nan")), "local_hour must be a number"),
        (asked(local_hour=30.0), "local_hour must be an hour of the wall clock"),
        (asked(past_happy=[40.0, 400.0]), "past_happy holds answers off the item's scale, 0 to 100: 1$"),
        (asked(day="in March"), "day must be the local date"),
        (asked(day=None), "day must be"),
        (asked(day="2026-03-02T00:00:00Z"), "without zone"),
        (asked(day="2026-03-02 and on"), "day must be"),
        (asked(day="2026-03-03", local_hour=23.0), "no zone is so far from UTC"),
        (asked(day="2026-03-01", local_hour=22.0), "no zone is so far from UTC"),
        (asked(participant=None), "participant must be given"),
        (asked(participant=""), "participant must be given"),
        (asked(participant="P1 "), "participant must be given"),
        (asked(participant=7.0), "participant must be given"),
        (asked(participant=True), "participant must be given"),
        (asked(participant=b"P1"), "participant must be given"),
        (asked(time_us=str(NOON_US)), "time_us must be a number"),
        (asked(time_us=datetime(2026, 3, 2, 12)), "time_us must be a number"),  # noqa: DTZ001
        (asked(local_hour="12.4"), "local_hour must be a number"),
        (pl.concat([asked(), asked(local_hour=25.0)]), r"0 to 24 \(row 2 of 2\)"),
    ],
)
def test_a_frame_that_cannot_be_meant_is_refused(frame: pl.DataFrame, told: str) -> None:
    with pytest.raises(CohortError, match=told):
        predict_frame(Tiny(), frame)


def test_numbers_are_numbers_of_every_type_and_nothing_else() -> None:
    given = np.array([1, 2.5, Decimal(3), Fraction(9, 2), np.float32(5), True, None, float("nan")], dtype=object)
    np.testing.assert_array_equal(as_numbers(given), [1, 2.5, 3, 4.5, 5, 1, np.nan, np.nan])
    np.testing.assert_array_equal(as_numbers(given.reshape(2, 4)).shape, (2, 4))
    hour = np.timedelta64(1, "h")
    for wrong in ("70", b"70", hour, np.datetime64("2026-03-02"), date(2026, 3, 2), [1.0], 1j, 10**400):
        boxed = np.empty(1, dtype=object)
        boxed[0] = wrong
        with pytest.raises((TypeError, ArithmeticError)):
            as_numbers(boxed)
    for plain in (np.array([hour]), np.array(["70"]), np.array([1j]), np.zeros(1, [("a", float)])):
        with pytest.raises(TypeError):
            as_numbers(plain)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"past_age_h": [float("inf"), 2.0]}, "past_age_h must be above 0 and"),
        ({"past_age_h": [1e10, 2.0]}, "past_age_h must be above 0 and"),
        ({"time_us": -1}, "microseconds since 1970"),
        ({"hrv.past_n": -1}, "hrv.past_n counts earlier moments"),
        ({"hrv.past_n": 1e19}, "hrv.past_n counts earlier moments"),
        ({"hrv.hr_bpm.past_sd": -1.0}, "hrv.hr_bpm.past_sd is below 0"),
        ({"hrv.hr_bpm": "70"}, "hrv.hr_bpm holds something that is no number$"),
        ({"hrv.hr_bpm": date(2026, 3, 2)}, "hrv.hr_bpm holds something that is no number$"),
        ({"hrv.hr_bpm": float("inf")}, "hrv.hr_bpm is infinite"),
        ({"hrv.hr_bpm": 60.0, "hrv.past_n": "many"}, "hrv.past_n holds something that is no number$"),
    ],
)
def test_what_cannot_be_is_refused_and_named(change: dict[str, object], said: str) -> None:
    with pytest.raises(CohortError, match=said):
        predict_frame(Tiny(), asked(**change))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"time_us": None}, "no time_us"),
        ({"participant": None}, "no participant"),
        ({"y_happy": 500.0}, "y_happy holds answers off"),
        ({"y_happy": float("inf")}, "y_happy is infinite"),
    ],
)
def test_moments_of_nobody_of_no_time_or_off_the_scale_make_no_cohort(change: dict[str, object], said: str) -> None:
    moment = {"participant": "P1", "time_us": NOON_US, "day": date(2026, 3, 2), "local_hour": 12.0, "y_happy": 50.0}
    with pytest.raises(CohortError, match=said):
        cohort_from_frame(pl.DataFrame([{**moment, **change}]), ITEMS, {})
