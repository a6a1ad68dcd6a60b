"""Sympathetic index of skin conductance: its power between 0.045 and 0.25 Hz (Posada-Quintero et al. 2016).

Welch's method with Blackman segments of 64 s, half overlapping, as in the paper. NeuroKit2's `eda_sympathetic` goes
over 400 Hz and loses up to 1 dB to its filter's ripple (0.8 of the power of known waves); here each segment loses its
own trend and nothing else, and segments never cross a gap.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assets.features.segments import Floats

BAND_HZ = (0.045, 0.25)
SEGMENT_S = 64.0
SLOWEST_HZ = 1.0


def sympathetic(parts: Sequence[tuple[Floats, float]]) -> tuple[float, float] | None:
    """Power of the band (µS²) and its share of all power up to 0.4 Hz; None where no part lasts 64 s.

    Args:
        parts: gap-free skin conductance (µS) and its rate (Hz), each part (samples,).
    """
    spectra = [s for values, rate in parts if rate >= SLOWEST_HZ for s in _spectra(values, rate)]
    if not spectra:
        return None
    band, total = np.mean(spectra, axis=0)
    return float(band), float(band / total) if total > 0 else float("nan")


def _spectra(values: Floats, rate_hz: float) -> list[tuple[float, float]]:
    """Power of the band and of everything up to 0.4 Hz, per segment."""
    size = round(SEGMENT_S * rate_hz)
    if len(values) < size:
        return []
    starts = np.arange(0, len(values) - size + 1, size // 2)
    segments = values[starts[:, None] + np.arange(size)]
    time = np.arange(size) - (size - 1) / 2
    segments = segments - segments.mean(axis=1, keepdims=True)
    segments = segments - np.outer(segments @ time / (time @ time), time)
    window = 0.42 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size) + 0.08 * np.cos(4 * np.pi * np.arange(size) / size)
    power = 2 * np.abs(np.fft.rfft(segments * window)) ** 2 / (rate_hz * (window**2).sum())
    frequency = np.fft.rfftfreq(size, 1 / rate_hz)
    inside, known = ((frequency >= low) & (frequency < high) for low, high in (BAND_HZ, (0.0, 0.4)))
    return [
        (float(np.trapezoid(p[inside], frequency[inside])), float(np.trapezoid(p[known], frequency[known])))
        for p in power
    ]
