from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from assets.moments import build
from assets.moments.aggregate import past
from assets.moments.build import Sources
from assets.moments.table import items_of, modalities, moments_table
from assets.study import Study
from assets.tables import HRV_TABLE
from models.protocols import nightly_view
from models.tables import cohort_from_frame
from tests.assets.moments.rows import DAY_US, HOUR_US, MINUTE_US, START_US, clips, lived, reports, sources, windows

NOON = START_US + 12 * HOUR_US
VOICE = next(f for f in modalities()["voice"] if f.startswith("F0"))


def hrv(starts: list[int], rates: list[float | None], coverage: list[float | None] | None = None) -> pl.DataFrame:
    return windows(HRV_TABLE, starts, hr_bpm=rates, coverage=coverage or [1.0] * len(starts))


def build_moments(given: Sources, study: Study, participant: str) -> pl.DataFrame:
    return build.build_moments(given, build.build_days(given, study, participant), study, participant)


def moment(given: Sources, study: Study) -> dict[str, object]:
    return build_moments(given, study, "P1").row(-1, named=True)


def test_moments_have_exactly_the_declared_columns(study: Study) -> None:
    frame = build_moments(lived(0), study, "P1")
    assert frame.schema == moments_table(study).empty().schema


def test_a_window_counts_when_it_ended_by_the_answer_and_began_within_the_look_back(study: Study) -> None:
    starts = [NOON - 65 * MINUTE_US, NOON - 60 * MINUTE_US, NOON - 5 * MINUTE_US, NOON - 4 * MINUTE_US]
    row = moment(sources(reports([NOON]), {"hrv": hrv(starts, [999.0, 60.0, 70.0, 999.0])}), study)
    assert row["hrv.hr_bpm"] == 65.0
    assert row["hrv.coverage"] == pytest.approx(10 / 60)


def test_windows_weigh_by_their_coverage_and_missing_values_weigh_nothing(study: Study) -> None:
    starts = [NOON - 20 * MINUTE_US, NOON - 15 * MINUTE_US, NOON - 10 * MINUTE_US]
    body = {"hrv": hrv(starts, [60.0, 90.0, None], [1.0, 0.5, 1.0])}
    assert moment(sources(reports([NOON]), body), study)["hrv.hr_bpm"] == pytest.approx(70.0)


def test_what_was_never_measured_is_null_not_zero(study: Study) -> None:
    row = moment(sources(reports([NOON])), study)
    assert [row["hrv.hr_bpm"], row[f"voice.{VOICE}"], row["yesterday.hr_bpm"]] == [None, None, None]
    assert [row["hrv.coverage"], row["hrv.past_n"]] == [0.0, 0]
    assert [row["y_happy"], row["y_gloomy"]] == [50.0, None]


def test_the_clip_of_an_answer_is_the_latest_one_over_by_then(study: Study) -> None:
    spoken = clips([NOON - 20 * MINUTE_US, NOON - 10 * MINUTE_US, NOON - 5_000_000], [1.0, 2.0, 3.0])
    assert moment(sources(reports([NOON]), spoken=spoken), study)[f"voice.{VOICE}"] == 2.0


def test_a_clip_from_before_the_voice_window_belongs_to_no_answer(study: Study) -> None:
    row = moment(sources(reports([NOON]), spoken=clips([NOON - 31 * MINUTE_US], [1.0])), study)
    assert row[f"voice.{VOICE}"] is None


def test_a_silent_clip_leaves_the_one_before_it(study: Study) -> None:
    spoken = clips([NOON - 10 * MINUTE_US, NOON - MINUTE_US], [1.0, None])
    assert moment(sources(reports([NOON]), spoken=spoken), study)[f"voice.{VOICE}"] == 1.0


def test_yesterday_is_the_participants_local_day(study: Study) -> None:
    # Berlin is one hour ahead: its 2 March runs from 23:00 UTC the day before.
    starts = [START_US - HOUR_US - 5 * MINUTE_US, START_US - HOUR_US, START_US + 23 * HOUR_US - 5 * MINUTE_US]
    body = {"hrv": hrv([*starts, START_US + 23 * HOUR_US], [999.0, 60.0, 80.0, 999.0])}
    row = moment(sources(reports([NOON + DAY_US]), body), study)
    assert row["yesterday.hr_bpm"] == 70.0
    assert row["local_hour"] == 13.0
    assert str(row["day"]) == "2026-03-03"


def test_the_past_of_yesterday_counts_each_earlier_day_once(study: Study) -> None:
    starts = [START_US + n * DAY_US + 8 * HOUR_US for n in range(3)]
    body = {"hrv": hrv(starts, [60.0, 70.0, 100.0])}
    answered = [NOON + 3 * DAY_US, NOON + 3 * DAY_US + HOUR_US, NOON + 3 * DAY_US + 2 * HOUR_US]
    frame = build_moments(sources(reports(answered), body), study, "P1")
    assert frame["yesterday.hr_bpm"].to_list() == [100.0] * 3
    assert frame["yesterday.hr_bpm.past_mean"].to_list() == [65.0] * 3
    assert frame["yesterday.past_n"].to_list() == [2] * 3


def test_the_past_of_a_feature_is_that_of_earlier_moments(study: Study) -> None:
    answered = [NOON + n * 2 * HOUR_US for n in range(4)]
    body = {"hrv": hrv([t - 10 * MINUTE_US for t in answered], [60.0, 70.0, None, 100.0])}
    frame = build_moments(sources(reports(answered), body), study, "P1")
    assert frame["hrv.hr_bpm.past_mean"].to_list() == [None, 60.0, 65.0, 65.0]
    assert frame["hrv.hr_bpm.past_sd"].to_list()[2:] == pytest.approx([50**0.5, 50**0.5])
    assert frame["hrv.past_n"].to_list() == [0, 1, 2, 2]


def test_the_past_agrees_with_numpy_on_every_row() -> None:
    values = np.random.default_rng(0).normal(1e6, 1, (40, 3))
    known = past(values)
    for row in range(2, 40):
        assert known.mean[row] == pytest.approx(values[:row].mean(0), rel=1e-12)
        assert known.sd[row] == pytest.approx(values[:row].std(0, ddof=1), rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_after_a_moment_moves_no_column_of_it(study: Study, seed: int) -> None:
    given = lived(seed)
    whole = build_moments(given, study, "P1")
    rng = np.random.default_rng(seed)
    for row in rng.choice(whole.height, 4, replace=False):
        now = whole["time_us"][int(row)]
        later = build_moments(_with_another_future(given, now, rng), study, "P1")
        assert later.filter(pl.col("time_us") <= now).equals(whole.filter(pl.col("time_us") <= now))


def test_what_a_night_asks_knows_the_past_and_yesterday_but_no_moment(study: Study) -> None:
    given = lived(1)
    moments, days = build_moments(given, study, "P1"), build.build_days(given, study, "P1")
    seen = moments.filter(pl.col("hrv.hr_bpm").is_not_null() & (pl.col("day") < date(2026, 3, 4)))
    asked = build.build_asked(moments, days, study, "P1", date(2026, 3, 4))
    assert asked["yesterday.hr_bpm"] == days.filter(pl.col("day") == date(2026, 3, 3))["yesterday.hr_bpm"].item()
    assert asked["yesterday.hr_bpm.past_mean"] == pytest.approx(
        days.filter(pl.col("day") < date(2026, 3, 3))["yesterday.hr_bpm"].mean()
    )
    assert "y_happy" not in asked
    assert asked["hrv.hr_bpm"] is None
    assert asked["hrv.hr_bpm.past_mean"] == pytest.approx(seen["hrv.hr_bpm"].mean())
    assert asked["hrv.past_n"] == seen.height


def with_sleep(study: Study, known: str) -> tuple[Sources, Study]:
    """Sleep of 1 … 4 March, answered at noon of the 2nd … 4th; the study reads `sleep` and `steps`."""
    said = {"columns": ["sleep", "steps"], "known": known}
    told = Study.model_validate({**study.model_dump(exclude={"daily_values"}), "daily_values": said})
    rows = [{"day": date(2026, 3, n), "name": "sleep", "value": 400.0 + n} for n in (1, 2, 3, 4)]
    rows.append({"day": date(2026, 3, 2), "name": "not asked for", "value": 1.0})
    answered = sources(reports([NOON + n * DAY_US for n in range(3)]))
    return replace(answered, daily=pl.DataFrame(rows, schema=build.DAILY_SCHEMA)), told


def test_a_daily_value_is_known_from_the_day_after(study: Study) -> None:
    given, told = with_sleep(study, "next_day")
    frame = build_moments(given, told, "P1")
    assert frame["daily.sleep"].to_list() == [401.0, 402.0, 403.0]
    assert frame["daily.sleep.past_mean"].to_list() == [None, 401.0, 401.5]
    assert frame["daily.coverage"].to_list() == [0.5, 0.5, 0.5]
    assert frame["daily.steps"].null_count() == 3
    assert "daily.not asked for" not in frame.columns
    asked = build.build_asked(frame, build.build_days(given, told, "P1"), told, "P1", date(2026, 3, 5))
    assert asked["daily.sleep"] == 404.0


def test_a_daily_value_of_the_same_day_is_unknown_the_night_before(study: Study) -> None:
    given, told = with_sleep(study, "same_day")
    frame = build_moments(given, told, "P1")
    assert frame["today.sleep"].to_list() == [402.0, 403.0, 404.0]
    assert frame["today.sleep.past_mean"].to_list() == [401.0, 401.5, 402.0]
    asked = build.build_asked(frame, build.build_days(given, told, "P1"), told, "P1", date(2026, 3, 5))
    assert asked["today.sleep"] is None
    cohort = cohort_from_frame(frame.with_columns(participant=pl.lit("P1")), items_of(told), modalities(told))
    nightly, _ = nightly_view(cohort)
    assert np.isnan(nightly.modalities["today"].values).all()
    assert not np.isnan(cohort.modalities["today"].values).all()


def _with_another_future(given: Sources, now: int, rng: np.random.Generator) -> Sources:
    """Everything that ends after `now` is moved, garbled or gone."""

    def garbled(frame: pl.DataFrame, end: pl.Expr) -> pl.DataFrame:
        kept, gone = frame.filter(end <= now), frame.filter(end > now)
        gone = gone.filter(pl.Series(rng.random(gone.height) > 0.3, dtype=pl.Boolean()))
        shift = int(rng.integers(0, 10 * MINUTE_US))
        times = {c: pl.col(c) + shift for c in ("time_us", "end_us") if c in gone.columns}
        numbers = [c for c, t in gone.schema.items() if t == pl.Float64() and c not in {"coverage", "duration_s"}]
        return pl.concat([kept, gone.with_columns(pl.col(numbers) * -7.0 + 3.0, **times)])

    ends = pl.col("time_us") + (pl.col("duration_s") * 1e6).cast(pl.Int64)
    return Sources(
        garbled(given.reports, pl.col("time_us")),
        {m: garbled(w, pl.col("end_us")) for m, w in given.windows.items()},
        garbled(given.clips, ends),
    )
