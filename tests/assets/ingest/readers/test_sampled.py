import numpy as np
import pytest

from assets.ingest.readers.sampled import contiguous, contiguous_columns, series
from assets.ingest.readers.set_back import set_back_said

START = 1_700_000_000_000_000


def _even(count: int, rate: float) -> np.ndarray:
    return START + np.round(np.arange(count) * 1e6 / rate).astype(np.int64)


def test_times_in_whole_milliseconds_still_tell_the_rate() -> None:
    times = _even(50_000, 130.16) // 1000 * 1000
    (only,) = contiguous("ecg", "mV", times, np.arange(50_000.0))
    assert only.rate_hz == pytest.approx(130.16, rel=1e-5)
    assert abs(only.start_us - START) < 1000
    assert only.samples.tolist() == list(range(50_000))


def test_a_gap_splits_and_nothing_is_put_into_it() -> None:
    kept = np.r_[0:100, 101:200, 240:300]
    parts = contiguous("eda", "µS", _even(300, 50)[kept], kept.astype(float))
    assert [(p.start_us - START, len(p.samples), p.rate_hz) for p in parts] == [
        (0, 100, 50.0), (101 * 20_000, 99, 50.0), (240 * 20_000, 60, 50.0)
    ]  # fmt: skip
    assert np.concatenate([p.samples for p in parts]).tolist() == kept.tolist()


def test_late_samples_that_are_made_up_for_do_not_split() -> None:
    jitter = np.random.default_rng(1).normal(0, 3_000, 5_000)
    jitter[1000] += 25_000
    (only,) = contiguous("acc_x", "g", np.sort(_even(5_000, 50) + jitter.astype(np.int64)), np.ones(5_000))
    assert only.rate_hz == pytest.approx(50, rel=1e-4)


def test_a_clock_that_changes_its_pace_never_leads_the_grid_astray() -> None:
    times = START + np.cumsum(np.where(np.arange(50_000) < 25_000, 20_000, 20_010))
    parts = contiguous("acc_x", "g", times, np.arange(50_000.0))
    assert sum(len(p.samples) for p in parts) == 50_000
    grid = np.concatenate([p.start_us + np.arange(len(p.samples)) * 1e6 / p.rate_hz for p in parts])
    assert np.abs(grid - times).max() < 1.5 * 20_000
    assert len(parts) < 10


def test_order_and_repeats_do_not_matter() -> None:
    times, values = _even(400, 25), np.arange(400.0)
    mixed = np.random.default_rng(0).permutation(400)
    (only,) = contiguous("eda", "µS", np.r_[times[mixed], times[:50]], np.r_[values[mixed], values[:50]])
    assert only.samples.tolist() == values.tolist()
    assert (only.start_us, only.rate_hz) == (START, 25.0)


def test_the_samples_of_one_tick_of_a_slow_clock_are_spread_over_it() -> None:
    (only,) = contiguous("bvp", "a.u.", START + np.arange(640) // 32 * 1_000_000, np.arange(640.0))
    assert (only.rate_hz, only.start_us, len(only.samples)) == (32.0, START, 640)


def test_signals_that_share_their_times_are_split_together_but_miss_values_alone() -> None:
    values = np.ones((20, 2))
    values[5, 1] = np.nan
    parts = contiguous_columns([("acc_x", "g"), ("acc_y", "g")], _even(20, 10), values)
    assert [(p.signal, len(p.samples)) for p in parts] == [("acc_x", 20), ("acc_y", 5), ("acc_y", 14)]


def test_one_sample_needs_a_rate() -> None:
    assert contiguous("eda", "µS", _even(1, 1), np.ones(1)) == []
    (only,) = contiguous("eda", "µS", _even(1, 1), np.ones(1), rate_hz=4)
    assert (only.start_us, only.rate_hz) == (START, 4.0)


def test_values_now_and_then_are_events_and_even_ones_segments() -> None:
    sampled, points = series("hr", "bpm", _even(30, 1), np.full(30, 60.0))
    assert ([s.rate_hz for s in sampled], points) == ([1.0], [])
    sampled, points = series("hr", "bpm", START + np.cumsum(np.arange(30)) * 1_000_000, np.full(30, 60.0))
    assert (sampled, [(e.kind, len(e.value)) for e in points]) == ([], [("hr", 30)])


def test_of_two_steps_that_differ_the_shorter_is_the_period() -> None:
    times = np.array([1_000_000, 1_250_000, 1_769_850_900_000_000], np.int64)
    found = contiguous("a", "b", times, np.arange(3.0))
    assert [(s.start_us, s.rate_hz, s.samples.tolist()) for s in found] == [
        (1_000_000, 4.0, [0, 1]),
        (1_769_850_900_000_000, 4.0, [2]),
    ]


@pytest.mark.parametrize("back_s", [60, 60.0101])
def test_where_a_clock_was_set_back_the_first_samples_of_the_time_that_comes_twice_count(back_s: float) -> None:
    times = _even(12_000, 20)
    times[6_000:] -= round(back_s * 1e6)
    parts = contiguous("eda", "µS", times, np.r_[np.arange(6_000.0), np.arange(6_000.0) + 10_000])
    assert [p.rate_hz for p in parts] == pytest.approx([20, 20])
    assert parts[0].samples.tolist() == list(range(6_000))
    assert parts[1].samples.tolist() == list(range(11_200, 16_000))
    (said,) = set_back_said(times)
    assert said.startswith("1200 of 12000 lines lie before lines above them (the clock was set back")


def test_a_clock_set_back_before_the_start_keeps_both_ends() -> None:
    times = np.r_[_even(1_000, 10), _even(2_000, 10) - 50_000_000]
    parts = contiguous("eda", "µS", times, np.r_[np.zeros(1_000), np.ones(2_000)])
    assert [(len(p.samples), set(p.samples.tolist())) for p in parts] == [(500, {1.0}), (1_000, {0.0}), (500, {1.0})]


def test_the_newest_first_what_comes_late_and_what_comes_twice_are_no_clock_set_back() -> None:
    times, values = _even(1_000, 25), np.arange(1_000.0)
    late = np.r_[0:300, 350:400, 300:350, 400:700, 701:720, 700, 720:1_000]
    for order in (np.arange(1_000)[::-1], late, np.r_[0:1_000, 500:800]):
        (only,) = contiguous("eda", "µS", times[order], values[order])
        assert only.samples.tolist() == values.tolist()


def test_values_now_and_then_count_the_first_time_where_a_clock_was_set_back() -> None:
    times = START + np.cumsum(np.tile([1_000_000, 1_500_000, 2_000_000], 40))
    times[60:] -= 33_300_000
    (points,) = series("hr", "bpm", times, np.r_[np.zeros(60), np.ones(60)])[1]
    assert (np.diff(points.value) != 0).sum() == 1
