"""Power of heart-rate variability in frequency bands, in ms², with gaps respected.

The intervals are interpolated monotonically (no overshoot) at 4 Hz within stretches that have at most short holes,
and Welch's method gives each stretch's spectrum; stretches count by their length. On a window without gaps this
equals `nk.hrv_frequency(..., normalize=False, interpolation_rate=4, method="monotone_cubic")`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from assets.features.segments import Floats, Mask

RATE_HZ = 4.0
LONGEST_HOLE_S = 10.0
CYCLES = 5  # a stretch must hold this many cycles of a band's lowest frequency


def band_powers(
    nn_ms: Floats, time_s: Floats, follows: Mask, bands: Sequence[tuple[float, float]]
) -> list[float | None]:
    """Power of each band (ms²), None where no stretch is long enough for it.

    Args:
        nn_ms: valid intervals, (n,).
        time_s: when each ends, (n,).
        follows: whether each follows on the one before it without a gap, (n,).
        bands: lower (included) and upper frequency (Hz).
    """
    sums = np.zeros(len(bands))
    weights = np.zeros(len(bands))
    for part in stretches(nn_ms, time_s, follows):
        length = float(time_s[part][-1] - time_s[part][0])
        fits = np.array([length >= CYCLES / low for low, _ in bands])
        if fits.any():
            powers = np.array(welch_powers(nn_ms[part], time_s[part], bands))
            sums += np.where(fits, powers * length, 0.0)
            weights += np.where(fits, length, 0.0)
    return [float(s / w) if w > 0 else None for s, w in zip(sums, weights, strict=True)]


def stretches(nn_ms: Floats, time_s: Floats, follows: Mask) -> list[slice]:
    """Runs of intervals with no hole longer than `LONGEST_HOLE_S` between them."""
    hole = np.diff(time_s) - nn_ms[1:] / 1e3
    cuts = np.flatnonzero(~follows[1:] & (hole > LONGEST_HOLE_S)) + 1
    borders = [0, *cuts.tolist(), len(nn_ms)]
    return [slice(a, b) for a, b in pairwise(borders) if b - a > 3]


def welch_powers(nn_ms: Floats, time_s: Floats, bands: Sequence[tuple[float, float]]) -> list[float]:
    """Welch powers of one stretch (ms²): half-length Hann segments, half overlapping, as NeuroKit2 takes them."""
    from scipy.interpolate import PchipInterpolator
    from scipy.signal import welch

    time_s = time_s - time_s[0]
    even = np.arange(0.0, time_s[-1] + 1 / RATE_HZ, 1 / RATE_HZ)
    values = PchipInterpolator(time_s, nn_ms)(even)
    last = int(np.argmin(np.abs(even - time_s[-1])))
    values[last + 1 :] = values[last]
    segment = len(values) // 2
    frequency, power = welch(
        values - values.mean(), fs=RATE_HZ, nperseg=segment, nfft=2 * segment, detrend=False, scaling="density"
    )
    inside = [(frequency >= low) & (frequency < high) for low, high in bands]
    return [float(np.trapezoid(power[band], frequency[band])) for band in inside]
