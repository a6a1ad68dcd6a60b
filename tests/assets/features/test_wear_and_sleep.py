"""Wear, sleep and the day's summary against nights whose truth is made here."""

from datetime import date as Date
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from assets.features.epochs import MINUTE_US, minute_frame
from assets.features.physiology import PHYSIOLOGY, wanted_physiology
from assets.features.segments import Segment
from assets.features.sleep import Night, find_night
from assets.features.summary import (
    SUMMARY_UNIT,
    Days,
    summary_row,
    tidy_summaries,
    wanted_summaries,
)
from assets.features.wear import Skin, worn_minutes
from assets.features.windows import Reason
from assets.lake import Key, Lake
from assets.ledger import Ledger, Stamp
from assets.study import Home, Study
from assets.tables import BEATS, EDA_TABLE, EVENTS, MINUTES, SIGNALS, SUMMARIES
from assets.units import forget, run_unit, stamped
from tests.assets.features.builders import START

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
NOON = START - 12 * HOUR_US
AROUND, SMALL_HOURS = (NOON, NOON + DAY_US), (START, START + 6 * HOUR_US)
RATE = 8.0


def wrist(asleep: list[tuple[float, float]], hours: float = 24, seed: int = 0) -> dict[str, list[Segment]]:
    """Acceleration from noon on (g): awake the arm turns every few seconds, asleep every ten minutes; hours asleep."""
    random, size = np.random.default_rng(seed), round(hours * 3600 * RATE)
    time_h = np.arange(size) / RATE / 3600
    sleeping = np.zeros(size, dtype=bool)
    for start, end in asleep:
        sleeping |= (time_h >= start) & (time_h < end)
    turns = random.random(size) < np.where(sleeping, 1 / 600, 1 / 8) / RATE
    angle = np.radians(random.uniform(-80, 80, turns.sum() + 1))[np.cumsum(turns)]
    size_g = np.where(sleeping, 0.002, 0.05)
    x, z = np.cos(angle) + size_g * random.standard_normal(size), np.sin(angle) + size_g * random.standard_normal(size)
    y = size_g * random.standard_normal(size)
    return {f"acc_{n}": [Segment(NOON, RATE, np.float32(v))] for n, v in zip("xyz", (x, y, z), strict=True)}


def minutes_of(segments: dict[str, list[Segment]], beats: pl.DataFrame | None = None) -> pl.DataFrame:
    return minute_frame(segments, EVENTS.empty(), BEATS.empty() if beats is None else beats, AROUND)


def beats_from_noon(bpm: np.ndarray) -> pl.DataFrame:
    """Valid beats at a rate given for each minute."""
    time, rows = 0.0, []
    while time < 60 * len(bpm):
        rr = 60 / bpm[int(time // 60)]
        time += rr
        rows.append((NOON + round(time * 1e6), rr * 1e3))
    at, rr_ms = zip(*rows, strict=True)
    return pl.DataFrame({"time_us": at, "rr_ms": rr_ms}).select(
        "time_us",
        "rr_ms",
        source=pl.lit("bvp"),
        quality=pl.lit(1.0),
        valid=pl.lit(True),
    )


def hour(time_us: int) -> float:
    return (time_us - NOON) / HOUR_US


def test_a_night_is_found_to_ten_minutes() -> None:
    night = find_night(minutes_of(wrist([(11.2, 19.0)])), AROUND, SMALL_HOURS)
    assert isinstance(night, Night)
    assert hour(night.start_us) == pytest.approx(11.2, abs=1 / 6)
    assert hour(night.end_us) == pytest.approx(19.0, abs=1 / 6)
    assert 5.5 < night.asleep_min / 60 <= night.hours


def test_an_hour_awake_in_the_night_ends_it_and_half_an_hour_does_not() -> None:
    short, long = (
        find_night(minutes_of(wrist([(11.0, 14.0), (14.0 + awake, 19.0)])), AROUND, SMALL_HOURS) for awake in (0.6, 1.3)
    )
    assert isinstance(short, Night)
    assert isinstance(long, Night)
    assert hour(short.start_us) == pytest.approx(11.0, abs=1 / 6)
    assert hour(long.start_us) == pytest.approx(15.3, abs=1 / 6)


def test_low_heart_rate_tells_the_night_from_a_long_quiet_evening() -> None:
    quiet = wrist([(4.0, 10.0), (12.5, 18.0)])  # six hours of films, then five and a half of sleep
    clock = np.arange(1440) / 60
    rate = np.where((clock >= 12.5) & (clock < 18.0), 52.0, 74.0) + 5 * np.random.default_rng(0).standard_normal(1440)
    by_motion = find_night(minutes_of(quiet), AROUND, SMALL_HOURS)
    by_both = find_night(minutes_of(quiet, beats_from_noon(rate)), AROUND, SMALL_HOURS)
    assert isinstance(by_motion, Night)
    assert isinstance(by_both, Night)
    assert hour(by_motion.start_us) == pytest.approx(4.0, abs=1 / 6)
    assert hour(by_both.start_us) == pytest.approx(12.5, abs=1 / 6)
    assert hour(by_both.end_us) == pytest.approx(18.0, abs=1 / 6)


def test_an_afternoon_alone_has_no_night() -> None:
    assert find_night(minutes_of(wrist([(2.0, 4.0)], hours=6)), AROUND, SMALL_HOURS) is Reason.TOO_SHORT
    assert find_night(MINUTES.empty(), AROUND, SMALL_HOURS) is Reason.NO_DATA


def skin(minutes: int, temp: float = np.nan, eda: float = np.nan, beats: float = 0.0) -> Skin:
    return Skin(*(np.full(minutes, v) for v in (temp, eda, beats)))


def axes(minutes: int, spread: float, width: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shape = (3, minutes)
    return np.full(shape, spread), np.full(shape, -width / 2), np.full(shape, width / 2)


@pytest.mark.parametrize(
    ("spread", "width", "evidence", "worn"),
    [
        (0.002, 0.01, {"temp": 22.0}, 0.0),  # on a table
        (0.002, 0.01, {"temp": 33.0}, 1.0),  # a sleeper
        (0.002, 0.01, {"temp": 33.0, "eda": 0.01}, 0.0),  # beside the radiator
        (0.002, 0.01, {"temp": 33.0, "eda": 0.01, "beats": 0.8}, 1.0),  # dry skin with a pulse
        (0.002, 0.01, {"temp": 22.0, "beats": 0.8}, 1.0),  # a cold wrist
        (0.100, 0.80, {"temp": 22.0}, 1.0),  # a cold wrist that moves
        (0.002, 0.01, {}, 0.0),  # no thermometer: an hour without movement
        (0.020, 0.10, {}, 1.0),
        (np.nan, np.nan, {"temp": 33.0}, 1.0),
        (np.nan, np.nan, {}, np.nan),  # nobody can tell
    ],
)
def test_wear_follows_the_published_rules(spread: float, width: float, evidence: dict[str, float], worn: float) -> None:
    found = worn_minutes(*axes(90, spread, width), skin(90, **evidence))
    np.testing.assert_array_equal(found, np.full(90, worn))


def test_a_band_that_cools_in_a_moving_bag_is_not_worn() -> None:
    cooling = Skin(np.linspace(25.5, 22, 90), np.full(90, np.nan), np.zeros(90))
    assert worn_minutes(*axes(90, 0.1, 0.8), cooling)[1:].sum() == 0


def test_fifty_nine_still_minutes_are_worn_and_sixty_are_not() -> None:
    spread, low, high = axes(200, 0.05, 0.5)
    for arrays, value in ((spread, 0.002), (low, 0.0), (high, 0.01)):
        arrays[:, 60:119] = value
    assert worn_minutes(spread, low, high, skin(200)).sum() == 200
    spread[:, 119], low[:, 119], high[:, 119] = 0.002, 0.0, 0.01
    assert np.flatnonzero(worn_minutes(spread, low, high, skin(200)) == 0).tolist() == list(range(60, 120))


def test_minutes_know_angle_movement_heart_temperature_and_steps() -> None:
    size = round(600 * RATE)
    angle = np.radians(np.where(np.arange(size) < 300 * RATE, 10.0, 40.0))
    segments = {
        "acc_x": [Segment(START, RATE, np.float32(np.cos(angle)))],
        "acc_y": [Segment(START, RATE, np.zeros(size, np.float32))],
        "acc_z": [Segment(START, RATE, np.float32(np.sin(angle)))],
        "temp": [Segment(START, 4.0, np.full(2400, 33.5, np.float32))],
    }
    step = {"time_us": START + 130_000_000, "kind": "steps", "value": 17.0, "valid": True, "dump": "d"}
    frame = minute_frame(segments, EVENTS.frame([step]), BEATS.empty(), (START, START + DAY_US))
    assert frame.schema == MINUTES.empty().schema
    assert frame["time_us"].to_list() == [START + n * MINUTE_US for n in range(10)]
    assert frame["angle_largest_deg"].to_numpy().round(2).tolist() == [0, 0, 0, 0, 0, 30, 0, 0, 0, 0]
    assert frame["angle_change_deg"].max() == pytest.approx(0, abs=1e-5)
    assert frame["enmo_mg"].max() == pytest.approx(0, abs=1e-3)
    assert frame["temp_c"].unique().to_list() == [33.5]
    assert frame["steps"].drop_nulls().to_list() == [17.0]
    assert frame["steps"][2] == 17.0


def test_a_days_row_tells_wear_sleep_rest_and_variability() -> None:
    segments = wrist([(11.0, 18.5)])
    clock = np.arange(1440) / 60
    asleep = (clock >= 11.0) & (clock < 18.5)
    beats = beats_from_noon(np.where(asleep, 50.0, 75.0))
    alternating = pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.col("rr_ms") + 10).otherwise(pl.col("rr_ms") - 10)
    minutes = minutes_of(segments, beats)
    eda = EDA_TABLE.frame(
        [
            {"time_us": START, "coverage": 1.0, "eda_tonic_us": 2.0, "scr_per_min": 4.0},
            {"time_us": START + 1, "coverage": 0.5, "eda_tonic_us": 5.0},
        ]
    )
    row = summary_row(Days(minutes, beats.with_columns(rr_ms=alternating), eda), (START, START + DAY_US), AROUND)
    assert row.schema == SUMMARIES.empty().schema
    found = row.row(0, named=True)
    assert found["reason"] is None
    assert hour(found["sleep_start_us"]) == pytest.approx(11.0, abs=1 / 6)
    assert hour(found["sleep_end_us"]) == pytest.approx(18.5, abs=1 / 6)
    assert found["recorded_h"] == pytest.approx(12)  # midnight to noon
    assert found["worn_h"] == pytest.approx(12)
    assert found["night_hr_bpm"] == pytest.approx(50, abs=1)
    assert found["night_rmssd_ms"] == pytest.approx(20, abs=0.5)
    assert found["rest_hr_bpm"] == pytest.approx(50, abs=1)
    assert found["eda_tonic_us"] == pytest.approx(3.0)
    assert found["scr_per_min"] == pytest.approx(4.0)
    assert found["steps"] is None


def record(home: Home, day: int, segments: dict[str, list[Segment]]) -> None:
    """Put acceleration that lies in a day into the lake as the ingest stage does, stamp included."""
    date = Date(2023, 11, 15) + timedelta(days=day)
    span = (START + day * DAY_US - HOUR_US, START + (day + 1) * DAY_US - HOUR_US)  # Berlin in winter
    rows = []
    for name, (segment,) in segments.items():
        part = segment.slice_of(*span)
        start = segment.start_us + round(part.start * 1e6 / RATE)
        rows.append({"signal": name, "start_us": start, "rate_hz": RATE, "samples": segment.samples[part], "dump": "d"})
    lake, key = Lake(home.lake), Key("P001", date)
    written = lake.write(SIGNALS, SIGNALS.frame(rows), key).content
    Ledger(lake, "recordings").record("P001", {date: Stamp(written, "1", {"signals": written})})


def summaries(home: Home, study: Study) -> dict[Date | None, str]:
    run_unit(PHYSIOLOGY, home, study, wanted_physiology(home, study), quiet=True)
    run_unit(SUMMARY_UNIT, home, study, wanted_summaries(home, study), quiet=True)
    return {key.date: stamp.outputs["daily_summaries"] for key, stamp in stamped(home, SUMMARY_UNIT)}


def test_a_night_belongs_to_the_day_it_ends_on_and_nothing_later_changes_it(
    home: Home, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")
    first, second, third = (Date(2023, 11, 14) + timedelta(days=n) for n in range(3))
    recording = wrist([(11.0, 18.5), (35.0, 42.0)], hours=42)
    for day in (-1, 0):
        record(home, day, recording)
    before = summaries(home, study)
    lake = Lake(home.lake)
    rows = {d: lake.read(SUMMARIES, Key("P001", d)).row(0, named=True) for d in (first, second)}
    assert rows[first]["asleep_h"] is None
    assert rows[first]["reason"] == "no_data"  # its recording began at noon
    assert rows[second]["sleep_window_h"] == pytest.approx(7.5, abs=0.3)
    assert rows[second]["sleep_end_us"] < START + 12 * HOUR_US
    record(home, 1, recording)  # the next day arrives
    after = summaries(home, study)
    assert {day: after[day] for day in before} == before
    night = lake.read(SUMMARIES, Key("P001", third)).row(0, named=True)
    assert night["sleep_window_h"] == pytest.approx(7.0, abs=0.3)
    record(
        home, 0, wrist([(12.0, 18.5), (34.0, 42.0)], hours=42, seed=1)
    )  # a corrected day moves its own row and, with its evening, the next day's
    corrected = summaries(home, study)
    assert [day for day in after if corrected[day] != after[day]] == [second, third]
    forget(PHYSIOLOGY, home, [Key("P001", third)])
    assert tidy_summaries(home, study) == [Key("P001", third)]
    assert not lake.exists(SUMMARIES, Key("P001", third))
