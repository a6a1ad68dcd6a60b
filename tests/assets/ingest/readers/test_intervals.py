import numpy as np

from assets.ingest.readers.intervals import beats_from_arrivals

START = 1_700_000_000_000_000


def _packets(ends_us: np.ndarray, delay_us: float) -> np.ndarray:
    """When each interval arrives: at the next full second, a little later each time."""
    late = np.random.default_rng(0).uniform(0, delay_us, len(ends_us))
    return np.maximum.accumulate(np.ceil(ends_us / 1e6) * 1e6 + late).astype(np.int64)


def test_beat_times_are_the_running_sum_inside_a_run_whatever_the_radio_did() -> None:
    rr = np.random.default_rng(1).normal(800, 40, 600).round()
    ends = START + np.cumsum(rr) * 1000
    beats = beats_from_arrivals(_packets(ends, 200_000), rr)
    assert beats.value.tolist() == rr.tolist()
    assert np.diff(beats.time_us).tolist() == (rr[1:] * 1000).astype(int).tolist()
    assert beats.valid.tolist() == [False] + [True] * 599
    assert 0 <= beats.time_us[0] - ends[0] < 300_000


def test_a_lost_beat_is_found_within_three_beats_of_where_it_was() -> None:
    rr = np.random.default_rng(2).normal(800, 40, 900).round()
    ends = START + np.cumsum(rr) * 1000
    kept = np.ones(900, np.bool_)
    kept[[300, 600, 601]] = False
    beats = beats_from_arrivals(_packets(ends, 100_000)[kept], rr[kept])
    unsure = np.flatnonzero(~beats.valid)
    assert len(unsure) == 3
    assert np.abs(unsure - [0, 300, 599]).max() <= 3
    assert np.abs(beats.time_us - ends[kept]).max() < 1_000_000


def test_what_is_no_interval_ends_a_run_and_is_no_beat() -> None:
    rr = np.array([800.0, 810, 0, 805, np.nan, 795, 20_000, 800, 790])
    beats = beats_from_arrivals(START + np.arange(9) * 800_000, rr)
    assert beats.value.tolist() == [800, 810, 805, 795, 800, 790]
    assert beats.valid.tolist() == [False, True, False, False, False, True]


def test_intervals_that_no_heart_has_or_the_device_doubts_are_not_valid() -> None:
    rr = np.array([800.0, 810, 200, 3500, 800, 805])
    doubt = np.array([True, True, True, True, True, False])
    ends = START + (np.cumsum(rr) * 1000).astype(np.int64)
    beats = beats_from_arrivals(ends, rr, doubt)
    assert beats.valid.tolist() == [False, True, False, False, True, False]
    assert beats.time_us.tolist() == ends.tolist()


def test_clocks_that_walk_apart_start_a_new_run_before_they_are_two_seconds_off() -> None:
    rr = np.full(5_000, 800.0)
    true = START + np.cumsum(rr) * 1001.0
    beats = beats_from_arrivals(true.astype(np.int64), rr)
    assert np.abs(beats.time_us - true).max() < 2e6
    assert 1 < (~beats.valid).sum() <= 8
    assert (np.diff(beats.time_us) > 0).all()


def test_beats_of_a_time_that_comes_twice_as_the_clock_was_set_back_count_once_and_in_two_runs() -> None:
    rr = np.random.default_rng(4).normal(800, 40, 600).round()
    ends = START + np.cumsum(rr).astype(np.int64) * 1000
    arrivals = np.where(np.arange(600) < 300, ends, ends - 30_000_000)
    beats = beats_from_arrivals(arrivals, rr)
    again = np.flatnonzero(arrivals[300:] > arrivals[299])[0] + 300
    assert beats.value.tolist() == [*rr[:300], *rr[again:]]
    assert np.flatnonzero(~beats.valid).tolist() == [0, 300]
    assert beats.time_us.tolist() == [*arrivals[:300], *arrivals[again:]]
