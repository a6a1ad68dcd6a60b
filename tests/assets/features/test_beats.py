import numpy as np
import polars as pl
import pytest

from assets.features.beats import QUALITY_MOVING, find_beats, trusted
from assets.features.pulse import find_pulses, refine
from assets.features.segments import read_segments
from assets.tables import BEATS, EVENTS
from tests.assets.features.builders import START, beat_events, segment, signals

nk = pytest.importorskip("neurokit2")


def pulse_train(beats_s: np.ndarray, rate: float, seconds: float) -> np.ndarray:
    """A pulse whose upstrokes stand at known times: a narrow wave at each, sampled without noise."""
    time = np.arange(round(seconds * rate)) / rate
    wave = np.zeros(len(time))
    for beat in beats_s:
        near = slice(max(0, round((beat - 1) * rate)), max(0, round((beat + 1.5) * rate)))
        late = time[near] - beat
        wave[near] += np.exp(-((late / 0.09) ** 2)) + 0.35 * np.exp(-(((late - 0.25) / 0.1) ** 2))
    return wave


def test_intervals_of_a_known_pulse_are_right_to_two_milliseconds() -> None:
    random = np.random.default_rng(0)
    beats_s = 1 + np.cumsum(0.8 + 0.05 * random.standard_normal(140))
    found = find_pulses(segment(pulse_train(beats_s, 64.0, 120), 64.0), "bvp")
    rr = np.diff(found.times_us) / 1e3
    true = np.diff(beats_s) * 1e3
    start = int(np.argmin(np.abs(beats_s - (found.times_us[0] - START) / 1e6)))
    error = rr[1:-1] - true[start : start + len(rr)][1:-1]
    assert len(found.times_us) >= 138
    assert np.sqrt(np.mean(error**2)) < 2.0  # a whole sample is 15.6 ms


def test_a_parabola_finds_the_top_between_samples() -> None:
    time = np.arange(0, 4, 1 / 64)
    signal = np.cos(2 * np.pi * 1.0 * (time - 1.00521))
    peak = np.array([32 + int(np.argmax(signal[32:96]))])
    assert refine(signal, peak)[0] / 64 % 1 == pytest.approx(0.00521, abs=2e-4)


@pytest.mark.parametrize(
    "samples", [np.zeros(6400), np.full(6400, 7.5), np.zeros(0), np.ones(3), np.r_[np.zeros(3200), np.ones(3200)]]
)
def test_flat_empty_and_short_signals_have_no_beats_and_no_error(samples: np.ndarray) -> None:
    assert len(find_pulses(segment(samples, 64.0), "bvp").times_us) <= 2
    assert len(find_pulses(segment(samples, 64.0), "ecg").times_us) <= 2


def test_a_minute_of_movement_hides_no_beats_around_it() -> None:
    beats_s = 1 + np.arange(0, 598, 0.85)
    wave = pulse_train(beats_s, 64.0, 600)
    wave[64 * 290 : 64 * 310] *= 300
    found = find_pulses(segment(wave, 64.0), "bvp")
    globally = nk.ppg_findpeaks(nk.ppg_clean(wave, sampling_rate=64), sampling_rate=64)["PPG_Peaks"]
    assert len(found.times_us) >= 0.98 * len(beats_s)
    assert len(globally) < 0.2 * len(beats_s)


def test_the_interval_after_a_gap_is_null() -> None:
    beats_s = 1 + np.arange(0, 58, 0.8)
    wave = pulse_train(beats_s, 64.0, 60).astype(np.float32)
    two = pl.concat([signals(bvp=(wave, 64.0)), signals(bvp=(wave, 64.0)).with_columns(start_us=START + 90_000_000)])
    beats = find_beats(read_segments(two), EVENTS.empty())
    after = beats.filter(pl.col("time_us") >= START + 90_000_000)
    assert after["rr_ms"][0] is None
    assert beats["rr_ms"].null_count() == 2
    assert beats.schema == BEATS.empty().schema


def test_device_intervals_stand_where_the_pulse_is_missing() -> None:
    wave = pulse_train(1 + np.arange(0, 58, 0.8), 64.0, 60)
    events = beat_events([30, 30.8, 80, 80.9, 84], [800, 800, 900, 900, 700], [True, True, False, True, False])
    beats = find_beats(read_segments(signals(bvp=(wave, 64.0))), events)
    device = beats.filter(pl.col("source") == "device")
    seconds = ((device["time_us"] - START) / 1e6).to_list()
    assert seconds == pytest.approx([79.1, 80.0, 80.9, 83.3, 84.0])  # a lone interval brings the beat that began it
    assert device["rr_ms"].to_list() == [None, 900.0, 900.0, None, 700.0]


def test_impossible_and_outlying_intervals_are_kept_but_not_valid() -> None:
    rr = np.full(60, 800.0) + np.random.default_rng(0).normal(0, 15, 60)
    rr[20], rr[21], rr[40] = 450.0, 1150.0, 1650.0
    beats = find_beats({}, beat_events(np.cumsum(rr) / 1e3, rr, np.r_[False, np.ones(59, dtype=bool)]))
    judged = dict(zip(beats["rr_ms"].to_list(), beats["valid"].to_list(), strict=True))
    assert [judged[v] for v in (450.0, 1150.0, 1650.0)] == [False, False, False]
    assert beats["valid"].sum() >= 50


def test_noise_has_less_quality_than_a_pulse() -> None:
    wave = pulse_train(1 + np.arange(0, 118, 0.8), 64.0, 120)
    noisy = wave.copy()
    noisy[64 * 60 :] = np.random.default_rng(1).normal(0, 1, 64 * 60)
    found = find_pulses(segment(noisy, 64.0), "bvp")
    late = found.times_us > START + 61e6
    assert np.median(found.quality[~late]) > 0.9
    assert np.median(found.quality[late]) < 0.7


def restless(seconds: float, from_s: float, until_s: float) -> dict[str, tuple[np.ndarray, float]]:
    """Three axes at 32 Hz, still but for a shaking wrist between two times."""
    time = np.arange(round(seconds * 32)) / 32
    shake = np.where((time >= from_s) & (time < until_s), 0.3 * np.sin(2 * np.pi * 2 * time), 0.0)
    return {"acc_x": (shake, 32.0), "acc_y": (0 * time, 32.0), "acc_z": (1 + shake, 32.0)}


def test_a_middling_pulse_is_believed_at_rest_and_not_while_the_wrist_moves() -> None:
    random = np.random.default_rng(2)
    beats_s = 1 + np.cumsum(0.8 + 0.03 * random.standard_normal(145))
    wave = pulse_train(beats_s, 64.0, 120) + 0.5 * random.standard_normal(120 * 64)
    still, moving = (
        find_beats(read_segments(signals(bvp=(wave, 64.0), **acc)), EVENTS.empty())
        for acc in (restless(120, 0, 0), restless(120, 60, 120))
    )
    late = pl.col("time_us") >= START + 62_000_000
    middling = late & pl.col("quality").is_between(0.5, QUALITY_MOVING)
    assert still.filter(middling & pl.col("valid")).height >= 5
    assert moving.filter(middling)["valid"].sum() == 0
    early = pl.col("time_us") < START + 58_000_000
    assert still.filter(early).equals(moving.filter(early))


def test_unknown_movement_and_unknown_quality_are_no_reproach() -> None:
    quality, spread = np.array([0.6, 0.6, np.nan, 0.6]), np.array([np.nan, 0.01, 0.2, 0.2])
    assert trusted(quality, spread).tolist() == [True, True, True, False]


def test_the_devices_good_intervals_stand_where_our_own_are_poor() -> None:
    random = np.random.default_rng(3)
    wave = pulse_train(1 + np.arange(0, 178, 0.8), 64.0, 180)
    wave[64 * 60 : 64 * 120] = random.standard_normal(64 * 60)
    times = 1.4 + np.arange(0, 170, 0.8)
    beats = find_beats(read_segments(signals(bvp=(wave, 64.0))), beat_events(times, 0 * times + 800, times > 2))
    second = (beats["time_us"] - START) / 1e6
    assert set(beats.filter(second.is_between(60, 120, closed="left"))["source"]) == {"device"}
    assert set(beats.filter(~second.is_between(60, 120, closed="left"))["source"]) == {"bvp"}
    device = beats.filter(pl.col("source") == "device")
    assert device["rr_ms"].to_list() == [None] + [800.0] * (device.height - 1)
    assert device["valid"].to_list() == [False] + [True] * (device.height - 1)
    after = beats.filter((pl.col("source") == "bvp") & (pl.col("time_us") > START + 120_000_000))
    assert after["rr_ms"][0] is None  # where a source takes over there is no interval


def test_the_devices_patchy_intervals_do_not_replace_our_own() -> None:
    wave = np.random.default_rng(3).standard_normal(64 * 60)
    times = np.array([5.0, 5.8, 6.6, 40.0, 40.8])
    beats = find_beats(read_segments(signals(bvp=(wave, 64.0))), beat_events(times, [800] * 5, [True] * 5))
    assert set(beats["source"]) == {"bvp"}
