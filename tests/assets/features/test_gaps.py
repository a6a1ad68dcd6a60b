"""Each trap of the libraries, the wrong value beside ours."""

import warnings

import numpy as np
import polars as pl
import pytest

from assets.features.complexity import complexity
from assets.features.hrv import HF_HZ, LF_HZ, hrv_features, time_domain, window_hrv
from assets.features.nonlinear import dfa_alpha1, sample_entropy
from assets.features.spectrum import band_powers
from assets.features.windows import Reason
from assets.tables import BEATS, HRV_TABLE
from tests.assets.features.builders import START, rr_series, whole, windows

nk = pytest.importorskip("neurokit2")


def test_rmssd_never_takes_a_difference_across_a_gap() -> None:
    first, second = rr_series(100, mean_ms=700), rr_series(100, mean_ms=1000, seed=1)
    rr = np.r_[first, second]  # heart rate changed while nothing was seen
    follows = whole(200)
    follows[100] = False
    steps = np.r_[np.diff(first), np.diff(second)]
    theirs = nk.hrv_time({"RRI": rr}, sampling_rate=1000)["HRV_RMSSD"][0]
    ours = time_domain(rr, follows)["rmssd_ms"]
    assert ours == pytest.approx(np.sqrt(np.mean(steps**2)))
    assert theirs > ours


def test_lf_hf_survives_26_percent_of_intervals_missing() -> None:
    naive = []
    for seed in range(6):
        rr = rr_series(380, seed=seed, lf_ms=18, hf_ms=40)
        time = np.cumsum(rr) / 1e3
        kept = np.random.default_rng(seed).random(len(rr)) > 0.26
        full = band_powers(rr, time, whole(len(rr)), (LF_HZ, HF_HZ))
        follows = np.r_[False, np.abs(np.diff(time[kept]) - rr[kept][1:] / 1e3) < 1e-6]
        gappy = band_powers(rr[kept], time[kept], follows, (LF_HZ, HF_HZ))
        assert gappy[0] / gappy[1] == pytest.approx(full[0] / full[1], rel=0.15)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = nk.hrv_frequency({"RRI": rr[kept], "RRI_Time": time[kept]}, normalize=False)["HRV_LFHF"][0]
        naive.append(theirs / (full[0] / full[1]))
    assert max(naive) > 1.3  # NeuroKit2's quadratic interpolation overshoots across the holes


def test_a_quarter_of_the_window_missing_in_four_holes_leaves_the_powers() -> None:
    rr = rr_series(380, seed=4)
    time = np.cumsum(rr) / 1e3
    kept = np.ones(len(rr), dtype=bool)
    for start in (40, 130, 220, 310):
        kept[start : start + 24] = False
    follows = np.r_[False, np.diff(np.flatnonzero(kept)) == 1]
    full = band_powers(rr, time, whole(len(rr)), (LF_HZ, HF_HZ))
    assert band_powers(rr[kept], time[kept], follows, (LF_HZ, HF_HZ)) == pytest.approx(full, rel=0.15)


def test_powers_are_ms2_of_the_rhythms_put_in() -> None:
    rr = rr_series(380, lf_ms=40, hf_ms=20)
    lf, hf = band_powers(rr, np.cumsum(rr) / 1e3, whole(len(rr)), (LF_HZ, HF_HZ))
    assert lf == pytest.approx(40**2 / 2, rel=0.1)
    assert hf == pytest.approx(20**2 / 2, rel=0.25)


def test_two_stretches_count_as_two_in_entropy_and_fluctuations() -> None:
    rr = rr_series(300)
    follows = whole(300)
    follows[150] = False
    swapped = np.r_[rr[150:], rr[:150]]  # nothing looks across the gap, so the order of the stretches is nothing
    assert sample_entropy(rr, follows) == pytest.approx(sample_entropy(swapped, follows))
    assert dfa_alpha1(rr, follows) == pytest.approx(dfa_alpha1(swapped, follows))
    assert complexity(rr, follows) == pytest.approx(complexity(swapped, follows))


@pytest.mark.parametrize("beats", [0, 1, 2, 4, 6, 12, 25, 59])
def test_short_windows_give_a_reason_and_never_an_error(beats: int) -> None:
    rr = rr_series(beats)
    row, reason = window_hrv(rr, np.cumsum(rr) / 1e3, whole(beats) if beats else np.zeros(0, dtype=bool))
    assert reason is Reason.TOO_FEW_BEATS
    assert set(row) <= {c.name for c in HRV_TABLE.columns}
    assert ("hr_bpm" in row) == (beats >= 5)


def test_constant_intervals_have_no_complexity_and_say_so() -> None:
    rr = np.full(300, 800.0)
    row, reason = window_hrv(rr, np.cumsum(rr) / 1e3, whole(300))
    assert reason is Reason.NO_VARIATION
    assert row["rmssd_ms"] == 0
    assert row["hr_bpm"] == pytest.approx(75)


def test_doubtful_pulses_count_for_the_rate_and_not_for_variability() -> None:
    rr = rr_series(360)
    rr[100:200:2] += 120  # jitter of doubtful pulses
    rr[101:200:2] -= 120
    quality = np.ones(360)
    quality[99:200] = 0.6
    times = START + np.round(np.cumsum(rr) * 1e3).astype(int)
    frame = pl.DataFrame({"time_us": times, "rr_ms": rr, "quality": quality}).with_columns(
        source=pl.lit("bvp"), valid=pl.int_range(pl.len()) > 0
    )
    row = hrv_features(frame, windows(1)).row(0, named=True)
    device = hrv_features(frame.with_columns(source=pl.lit("device")), windows(1)).row(0, named=True)
    clean = time_domain(rr_series(360), whole(360))["rmssd_ms"]
    assert row["hr_bpm"] == pytest.approx(device["hr_bpm"])
    assert row["coverage"] == device["coverage"]
    assert row["rmssd_ms"] == pytest.approx(clean, rel=0.1)
    assert device["rmssd_ms"] > 2 * clean


def test_every_window_has_every_column_whatever_it_holds() -> None:
    rr = rr_series(400)
    times = START + np.round(np.cumsum(rr) * 1e3).astype(int)
    beats = BEATS.frame(
        [
            {"time_us": int(t), "rr_ms": r, "source": "bvp", "quality": 1.0, "valid": True}
            for t, r in zip(times, rr, strict=True)
        ]
    )
    frame = hrv_features(beats, windows(3))
    assert frame.schema == HRV_TABLE.empty().schema
    assert frame["reason"].to_list() == [None, "too_few_beats", "no_data"]
    assert frame["coverage"][0] == pytest.approx(1.0, abs=0.01)
    assert frame["hr_bpm"][2] is None
    assert hrv_features(BEATS.empty(), windows(3)).is_empty()
