"""Power of heart-rate variability in frequency bands, in ms², with gaps respected.

The intervals are interpolated monotonically (no overshoot) at 4 Hz and Welch's method gives the spectrum. On a
window without gaps that is `nk.hrv_frequency(..., normalize=False, interpolation_rate=4, method="monotone_cubic")`.

Interpolating across a gap would lose what lay in it, fast changes first: with a quarter of the beats missing LF/HF
doubles. There the values that the rest of the window makes most likely are put in (the conditional mean of a
stationary Gaussian series with the window's own autocovariance, estimated from what is known), and the variance that
stays unknown is added to each band. Nothing of it is stored; a window that knows less than a third of its time has
no spectrum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assets.features.segments import Floats, Mask

RATE_HZ = 4.0
CYCLES = 5  # a window must span this many cycles of a band's lowest frequency
FEWEST_KNOWN = 0.35  # share of the span that must be covered by valid intervals
LONGEST_LAG_S = 60.0
HIGHEST_HZ = 0.5
FINER = 8  # steps of the covariance table in half a second
NOISE = 0.05  # of the variance: timing errors of the beats

Band = tuple[float, float]


def band_powers(nn_ms: Floats, time_s: Floats, follows: Mask, bands: Sequence[Band]) -> list[float | None]:
    """Power of each band (ms²), None where the window is too short for it or knows too little.

    Args:
        nn_ms: valid intervals, (n,).
        time_s: when each ends, (n,).
        follows: whether each follows on the one before it without a gap, (n,).
        bands: lower (included) and upper frequency (Hz).
    """
    nothing: list[float | None] = [None] * len(bands)
    if len(nn_ms) < 10:
        return nothing
    time_s = time_s - time_s[0]
    span = float(time_s[-1])
    if float(nn_ms[1:].sum()) / 1e3 < FEWEST_KNOWN * span:
        return nothing
    grid = np.arange(0.0, span + 1 / RATE_HZ, 1 / RATE_HZ)
    values = interpolated(nn_ms, time_s, grid)
    hole = _in_holes(grid, time_s, follows)
    added = np.zeros(len(bands))
    if hole.any():
        values[hole], added = _likely(nn_ms, time_s, grid, values, hole, bands)
    powers = welch_powers(values, bands) + added
    return [float(p) if span >= CYCLES / low else None for p, (low, _) in zip(powers, bands, strict=True)]


def interpolated(nn_ms: Floats, time_s: Floats, grid: Floats) -> Floats:
    """Monotone cubic interpolation, the last value held, as NeuroKit2's `intervals_process`."""
    from scipy.interpolate import PchipInterpolator

    values = np.asarray(PchipInterpolator(time_s, nn_ms)(grid))
    last = int(np.argmin(np.abs(grid - time_s[-1])))
    values[last + 1 :] = values[last]
    return values


def welch_powers(values: Floats, bands: Sequence[Band]) -> Floats:
    """Welch powers of an evenly sampled series: half-length Hann segments, half overlapping, as NeuroKit2's."""
    segment = len(values) // 2
    frequency = np.fft.rfftfreq(2 * segment, 1 / RATE_HZ)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(segment) / segment)
    starts = np.arange(0, len(values) - segment + 1, segment - segment // 2)
    parts = (values - values.mean())[starts[:, None] + np.arange(segment)] * window
    power = 2 * (np.abs(np.fft.rfft(parts, 2 * segment)) ** 2).mean(axis=0) / (RATE_HZ * (window**2).sum())
    inside = [(frequency >= low) & (frequency < high) for low, high in bands]
    return np.array([np.trapezoid(power[band], frequency[band]) for band in inside])


def _in_holes(grid: Floats, time_s: Floats, follows: Mask) -> Mask:
    """Which points of the grid lie between two intervals that do not follow on each other."""
    after = np.searchsorted(time_s, grid, side="left")
    inner = (after > 0) & (after < len(time_s))
    missing = ~follows[np.clip(after, 1, len(time_s) - 1)]
    exact = time_s[np.clip(after, 0, len(time_s) - 1)] == grid
    return np.asarray(inner & missing & ~exact)


def _likely(
    nn_ms: Floats, time_s: Floats, grid: Floats, values: Floats, hole: Mask, bands: Sequence[Band]
) -> tuple[Floats, Floats]:
    """The most likely values in the holes, and the power that stays unknown in each band (ms²)."""
    from scipy.linalg import cho_factor, cho_solve, solve_triangular

    mean, noise = float(nn_ms.mean()), NOISE * float(nn_ms.var()) + 1e-9
    model = _Covariance.of(values - mean, hole)
    whole = model.table((0.0, HIGHEST_HZ))
    known = model.between(whole, time_s, time_s)
    known[np.diag_indices_from(known)] += noise
    factor, lower = cho_factor(known, lower=True, overwrite_a=True, check_finite=False)
    weights = cho_solve((factor, lower), nn_ms - mean, check_finite=False)
    filled = mean + model.between(whole, grid[hole], time_s) @ weights
    some = grid[hole][::4]  # the unknown variance changes slowly: once a second is enough
    unknown = []
    for band in bands:
        table = model.table(band)
        explained = solve_triangular(factor, model.between(table, time_s, some), lower=lower, check_finite=False)
        left = table[0] - np.einsum("ij,ij->j", explained, explained)
        unknown.append(float(np.maximum(left, 0.0).mean()) * float(hole.mean()))
    return filled, np.array(unknown)


@dataclass(frozen=True)
class _Covariance:
    """Power of a window's known values by frequency (ms² per bin), and the covariance that it means."""

    frequency: Floats
    power: Floats

    @classmethod
    def of(cls, values: Floats, hole: Mask) -> _Covariance:
        """Blackman and Tukey's estimate: lagged products of known values, tapered at a minute, negatives cut."""
        known = np.where(hole, 0.0, values)[::2]  # 2 Hz holds everything up to 0.5 Hz
        mask = (~hole)[::2].astype(np.float64)
        step = 2 / RATE_HZ
        size = 1 << (2 * len(known)).bit_length()
        lags = min(round(LONGEST_LAG_S / step), len(known))
        sums, counts = (np.fft.irfft(np.abs(np.fft.rfft(x, size)) ** 2)[:lags] for x in (known, mask))
        taper = np.cos(np.pi * np.arange(lags) / (2 * lags)) ** 2
        right = sums / np.maximum(counts, 0.5) * taper
        both = np.zeros(size)
        both[:lags] = right
        both[size - lags + 1 :] = right[:0:-1]
        power = np.maximum(np.fft.rfft(both).real, 0.0) * 2 / size
        return cls(np.asarray(np.fft.rfftfreq(size, step), dtype=np.float64), power)

    def table(self, band: Band) -> Floats:
        """Covariance at lags of 1/16 s from what lies in a band (ms²)."""
        inside = (self.frequency >= band[0]) & (self.frequency < band[1])
        size = 2 * (len(self.frequency) - 1) * FINER
        return np.asarray(np.fft.irfft(np.where(inside, self.power, 0.0), size) * size / 2)[: size // 2]

    @staticmethod
    def between(table: Floats, a: Floats, b: Floats) -> Floats:
        """Covariance of each time of `a` with each of `b`, (a, b)."""
        lag = np.abs(a[:, None] - b[None, :]) * (FINER * RATE_HZ / 2)
        low = lag.astype(np.intp)
        lag -= low
        at = table[low]
        return np.asarray(at + lag * (table[low + 1] - at))
