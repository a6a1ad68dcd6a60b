"""Heart rate and its variability per window, from the day's beats.

Gaps are respected everywhere: a difference, a Poincaré point, a template of the sample entropy or a window of the
fluctuation analysis is made of intervals that follow on each other, never of two sides of a gap. On a window without
gaps every index equals NeuroKit2's. A mean rate bears a pulse whose time is a little wrong, variability does not: it
is made only of intervals between pulses that agree with their neighbours by 0.8 (on twelve real sessions the median
ratio of RMSSD to that of the device's own intervals falls from 1.22 to 1.08). The spectrum belongs to `spectrum.py`,
the nonlinear kernels to `nonlinear.py`.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from assets.features.complexity import complexity
from assets.features.nonlinear import dfa_alpha1, sample_entropy
from assets.features.segments import Floats, Mask
from assets.features.spectrum import band_powers
from assets.features.windows import Grid, Reason, window_frame
from assets.tables import HRV_TABLE

FEWEST_FOR_RATE = 5
FEWEST_FOR_VARIABILITY = 20
FEWEST_FOR_COMPLEXITY = 60
STEADY = 0.8  # quality of both pulses of an interval that goes into variability
LF_HZ, HF_HZ = (0.04, 0.15), (0.15, 0.40)


def hrv_features(beats: pl.DataFrame, grid: Grid) -> pl.DataFrame:
    """HRV_TABLE rows for each window; an interval belongs to the window in which it ends.

    Args:
        beats: BEATS rows of the day, in order of time.
        grid: the windows.
    """
    if beats.is_empty():
        return HRV_TABLE.empty()
    times = beats["time_us"].to_numpy()
    rr = beats["rr_ms"].fill_null(np.nan).to_numpy()
    valid = beats["valid"].to_numpy() & np.isfinite(rr)
    steady = valid & steady_intervals(beats)
    follows = steady & np.r_[False, steady[:-1]]
    first, last = np.searchsorted(times, grid.start_us), np.searchsorted(times, grid.end_us)
    rows, coverage, reasons = [], [], []
    for low, high in zip(first, last, strict=True):
        good, fine = valid[low:high], steady[low:high]
        nn = rr[low:high][good]
        row, reason = window_hrv(rr[low:high][fine], times[low:high][fine] / 1e6, follows[low:high][fine])
        row |= rate(nn)
        if high == low:
            reason = Reason.NO_DATA
        elif reason is Reason.TOO_FEW_BEATS and (high - low) >= 2 * max(1, good.sum()):
            reason = Reason.TOO_MANY_ARTEFACTS
        rows.append(row)
        coverage.append(float(nn.sum()) * 1e3 / grid.length_us)
        reasons.append(reason)
    return window_frame(HRV_TABLE, grid, rows, coverage, reasons)


def steady_intervals(beats: pl.DataFrame) -> Mask:
    """Intervals between pulses that both look like their neighbours; those of an ECG or a device all do, (beats,)."""
    sharp = ((pl.col("source") != "bvp") | (pl.col("quality").fill_null(1.0) >= STEADY)).alias("sharp")
    found = beats.select(sharp).to_series().to_numpy()
    return np.asarray(found & np.r_[True, found[:-1]][: len(found)])


def rate(nn_ms: Floats) -> dict[str, float | None]:
    """Mean heart rate and interval of at least five valid intervals, (n,)."""
    if len(nn_ms) < FEWEST_FOR_RATE:
        return {}
    return {"hr_bpm": 60_000 / float(nn_ms.mean()), "rr_mean_ms": float(nn_ms.mean())}


def window_hrv(nn_ms: Floats, time_s: Floats, follows: Mask) -> tuple[dict[str, float | None], Reason | None]:
    """All HRV features of one window, and why some are missing.

    Args:
        nn_ms: valid intervals, (n,).
        time_s: when each ends, (n,).
        follows: whether each follows on the one before it without a gap, (n,); the first never does.
    """
    follows = np.r_[False, follows[1:]] if len(follows) else follows
    row = rate(nn_ms)
    if len(nn_ms) < FEWEST_FOR_VARIABILITY or follows.sum() < FEWEST_FOR_VARIABILITY // 2:
        return row, Reason.TOO_FEW_BEATS
    row |= time_domain(nn_ms, follows) | poincare(nn_ms, follows)
    lf, hf = band_powers(nn_ms, time_s, follows, (LF_HZ, HF_HZ))
    row |= {"lf_ms2": lf, "hf_ms2": hf, "lf_hf": lf / hf if lf is not None and hf else None}
    if len(nn_ms) < FEWEST_FOR_COMPLEXITY:
        return row, Reason.TOO_FEW_BEATS
    if float(nn_ms.std()) == 0:
        return row, Reason.NO_VARIATION
    row |= {"dfa_alpha1": dfa_alpha1(nn_ms, follows), "sampen": sample_entropy(nn_ms, follows)}
    row |= complexity(nn_ms, follows)
    missing = any(value is None for value in row.values())
    return row, Reason.TOO_FEW_BEATS if missing else None


def time_domain(nn_ms: Floats, follows: Mask) -> dict[str, float | None]:
    """SDNN, RMSSD and pNN50 (Task Force 1996) of at least two intervals, differences only where one follows."""
    steps = np.diff(nn_ms)[follows[1:]]
    return {
        "sdnn_ms": float(nn_ms.std(ddof=1)),
        "rmssd_ms": float(np.sqrt(np.mean(steps**2))),
        "pnn50_pct": float(np.sum(np.abs(steps) > 50)) / (len(steps) + 1) * 100,
    }


def poincare(nn_ms: Floats, follows: Mask) -> dict[str, float | None]:
    """SD1 and SD2 of the Poincaré plot (Brennan et al. 2001, eq. 7) over pairs that follow on each other."""
    before, after = nn_ms[:-1][follows[1:]], nn_ms[1:][follows[1:]]
    return {
        "sd1_ms": float(np.std((before - after) / np.sqrt(2), ddof=1)),
        "sd2_ms": float(np.std((before + after) / np.sqrt(2), ddof=1)),
    }
