from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from assets.monitoring.drift import find_drift
from assets.monitoring.panel import panel_of
from assets.monitoring.shift import scan
from assets.monitoring.tables import FEATURES
from tests.assets.monitoring.rows import FIRST

WATCHED = FEATURES[:20]
SHIFTED = "hrv.hr_bpm"
DAYS, CHANGE = 40, 33


def study_days(people: int = 20, days: int = DAYS, seed: int = 0, missing: float = 0.3) -> pl.DataFrame:
    """People with their own levels, spreads and resembling days; a few percent of each night is common to all."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((people, days, len(WATCHED)))
    for day in range(1, days):
        x[:, day] = 0.4 * x[:, day - 1] + np.sqrt(1 - 0.4**2) * x[:, day]
    x += 0.3 * rng.standard_normal((1, days, len(WATCHED)))
    x = x * rng.lognormal(0, 0.5, (people, 1, len(WATCHED))) + rng.normal(50, 20, (people, 1, len(WATCHED)))
    there = rng.random((people, days)) >= missing
    rows = [
        {"participant": f"P{p:02d}", "date": FIRST + timedelta(days=int(d)), "worn_h": 10.0, "device": "E4"}
        | dict(zip(WATCHED, x[p, d].tolist(), strict=True))
        for p, d in np.argwhere(there).tolist()
    ]
    return pl.DataFrame(rows).with_columns(firmware=pl.lit("1.0"))


def shifted(frame: pl.DataFrame, by_sd: float, which: pl.Expr) -> pl.DataFrame:
    spread = pl.col(SHIFTED).std().over("participant")
    return frame.with_columns(
        pl.when(which).then(pl.col(SHIFTED) + by_sd * spread).otherwise(pl.col(SHIFTED)).alias(SHIFTED)
    )


def on(n: int) -> date:
    return FIRST + timedelta(days=n)


def alarms(frame: pl.DataFrame, night: int) -> list[dict[str, object]]:
    return find_drift(frame, on(night), WATCHED).filter("drifted").to_dicts()


def test_a_stationary_study_raises_no_alarm_on_any_night() -> None:
    nights = [(seed, night) for seed in range(3) for night in range(15, DAYS, 8)]
    frames = {seed: study_days(seed=seed) for seed in range(3)}
    assert [alarms(frames[seed], night) for seed, night in nights] == [[]] * len(nights)


def test_a_few_people_with_little_past_raise_no_alarm() -> None:
    frames = [study_days(people=5, days=16, seed=seed) for seed in range(10)]
    assert [a for frame in frames for a in alarms(frame, 15)] == []


def test_a_shift_is_found_on_its_night_with_its_feature_and_day() -> None:
    frame = shifted(study_days(), 3.0, pl.col("date") >= on(CHANGE))
    assert alarms(frame, CHANGE - 1) == []
    [found] = alarms(frame, CHANGE)
    assert (found["feature"], found["since"], found["group"]) == (SHIFTED, on(CHANGE), "everyone")
    assert found["shift_sd"] == pytest.approx(3.0, abs=0.8)


def test_a_jump_in_five_people_with_ten_days_of_past_is_found_on_its_night() -> None:
    last = pl.col("date") == on(10)
    frames = [shifted(study_days(people=5, days=11, seed=seed, missing=0), 8.0, last) for seed in range(8)]
    assert [{a["feature"] for a in alarms(frame, 10)} for frame in frames] == [{SHIFTED}] * 8


def test_a_smaller_shift_is_found_within_a_week_and_dated_to_its_day() -> None:
    frame = shifted(study_days(), 1.5, pl.col("date") >= on(CHANGE))
    found = [a for night in range(CHANGE, DAYS) for a in alarms(frame, night)]
    assert {a["feature"] for a in found} == {SHIFTED}
    assert abs((found[-1]["since"] - on(CHANGE)).days) <= 1


def test_a_shift_of_one_device_is_told_of_that_device() -> None:
    other = pl.col("participant") < "P08"
    frame = study_days().with_columns(device=pl.when(other).then(pl.lit("EmbracePlus")).otherwise(pl.lit("E4")))
    [found] = alarms(shifted(frame, 3.0, (pl.col("date") >= on(CHANGE)) & other), CHANGE + 1)
    assert (found["group"], found["since"], found["people"]) == ("device EmbracePlus", on(CHANGE), 8)


def test_an_update_that_reaches_people_on_different_days_is_found_as_one() -> None:
    day = pl.lit(on(CHANGE - 8)) + pl.duration(days=pl.col("participant").str.slice(1).cast(pl.Int64) % 8)
    updated = (pl.col("date") >= day) & (pl.col("participant") < "P10")
    frame = study_days().with_columns(firmware=pl.when(updated).then(pl.lit("2.0")).otherwise(pl.lit("1.0")))
    [found] = alarms(shifted(frame, 2.0, updated), DAYS - 1)
    assert (found["feature"], found["group"]) == (SHIFTED, "firmware 2.0")


def test_weekends_are_no_drift() -> None:
    weekend = pl.col("date").dt.weekday() >= 6
    frame = shifted(study_days(), 2.5, weekend)
    assert [a for night in range(20, DAYS, 3) for a in alarms(frame, night)] == []


def test_nights_that_are_common_to_all_are_noise() -> None:
    rng = np.random.default_rng(5)
    common = dict(zip([on(n) for n in range(DAYS)], rng.normal(0, 1.0, DAYS).tolist(), strict=True))
    frame = study_days().with_columns(common=pl.col("date").replace_strict(common))
    frame = frame.with_columns(pl.col(SHIFTED) + pl.col("common") * pl.col(SHIFTED).std().over("participant"))
    assert [a for night in range(10, DAYS, 5) for a in alarms(frame, night)] == []


def test_one_wild_person_moves_nothing() -> None:
    frame = shifted(study_days(), 100.0, (pl.col("date") >= on(CHANGE)) & (pl.col("participant") == "P03"))
    assert alarms(frame, CHANGE + 3) == []


def test_days_with_the_band_in_a_drawer_do_not_count() -> None:
    frame = study_days().with_columns(worn_h=pl.lit(0.2))
    assert np.isnan(panel_of(frame, on(DAYS - 1), WATCHED).values).all()
    assert find_drift(frame, on(DAYS - 1), WATCHED).is_empty()


def test_nobody_at_all_is_no_error() -> None:
    assert find_drift(study_days().clear(), on(0), WATCHED).is_empty()


def test_the_score_of_a_shift_without_any_noise_between_nights_is_that_of_a_mean() -> None:
    rng = np.random.default_rng(2)
    values = rng.standard_normal((200, 61, 1))
    values[:, 60] += 1.0
    found = scan(values, [60])
    assert found.shift[0] == pytest.approx(1.0, abs=0.2)
    assert abs(found.score[0]) == pytest.approx(np.sqrt(200), rel=0.35)
