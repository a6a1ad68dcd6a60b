"""Cleaning and peak finding of a pulse signal: NeuroKit2's Elgendi method, the same peaks without its loop.

`clean` is `nk.ppg_clean`, `peaks` is `nk.ppg_findpeaks(method="elgendi")`, equal to the last sample (a test compares
them on real and made recordings); NeuroKit2 calls SciPy's peak finder once a beat, which is a third of a day's cost,
and importing it takes seconds in every worker.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from assets.features.segments import Floats, Ints

BAND_HZ = (0.5, 8.0)
PEAK_S, BEAT_S, DELAY_S, OFFSET = 0.111, 0.667, 0.3, 0.02  # Elgendi et al. 2013


def clean(samples: Floats, rate_hz: float) -> Floats:
    """Zero-phase Butterworth band-pass, 0.5 to 8 Hz, (samples,)."""
    from scipy.signal import sosfiltfilt

    return np.asarray(sosfiltfilt(_band(rate_hz), samples))


def peaks(cleaned: Floats, rate_hz: float) -> Ints:
    """Systolic peaks (sample indices) of a band-passed pulse signal; none in a flat one."""
    from scipy.ndimage import uniform_filter1d
    from scipy.signal import find_peaks

    squared = np.where(cleaned < 0, 0.0, cleaned) ** 2
    wave = uniform_filter1d(squared, round(PEAK_S * rate_hz), mode="nearest")
    beat = uniform_filter1d(squared, round(BEAT_S * rate_hz), mode="nearest")
    high = wave > beat + OFFSET * squared.mean()
    rises = np.flatnonzero(~high[:-1] & high[1:])
    falls = np.flatnonzero(high[:-1] & ~high[1:])
    if not len(rises):
        return np.zeros(0, dtype=np.int64)
    falls = falls[falls > rises[0]]
    size = min(len(rises), len(falls))
    rises, falls = rises[:size], falls[:size]
    long = falls - rises >= round(PEAK_S * rate_hz)
    rises, falls = rises[long], falls[long]
    tops = find_peaks(cleaned)[0]
    first, last = np.searchsorted(tops, rises, side="right"), np.searchsorted(tops, falls - 1, side="left")
    found = [
        int(tops[a]) if b - a == 1 else _most_prominent(cleaned, tops[a:b], begin, end)
        for a, b, begin, end in zip(first.tolist(), last.tolist(), rises.tolist(), falls.tolist(), strict=True)
        if b > a
    ]
    return _apart(found, round(DELAY_S * rate_hz))


def _most_prominent(cleaned: Floats, tops: Ints, begin: int, end: int) -> int:
    from scipy.signal import peak_prominences

    return int(tops[np.argmax(peak_prominences(cleaned[begin:end], tops - begin)[0])])


def _apart(found: list[int], delay: int) -> Ints:
    """Leave out what comes too soon after the peak before it."""
    kept, last = [], 0
    for peak in found:
        if peak - last > delay:
            kept.append(peak)
            last = peak
    return np.array(kept, dtype=np.int64)


@lru_cache(maxsize=16)
def _band(rate_hz: float) -> Floats:
    from scipy.signal import butter

    return np.asarray(butter(2, BAND_HZ, "bandpass", output="sos", fs=rate_hz))
