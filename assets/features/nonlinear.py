"""Kernels of nonlinear heart-rate variability that respect gaps; without gaps they equal NeuroKit2's numbers.

Detrended fluctuation analysis and sample entropy are built of short windows of successive intervals. Here only
windows inside a gap-free stretch are used, from all stretches together.
"""

from __future__ import annotations

import numpy as np

from assets.features.segments import Floats, Ints, Mask

DFA_SCALES = np.arange(4, 12)  # beats; NeuroKit2's short-term range
FLAT = 1e-8  # a detrended window with less variance than this (ms²) is left out, as NeuroKit2 does


def dfa_alpha1(nn_ms: Floats, follows: Mask) -> float | None:
    """Short-term scaling exponent (Peng et al. 1995), windows of 4 to 11 beats; None where too short or flat.

    Args:
        nn_ms: valid intervals, (n,).
        follows: whether each follows on the one before it without a gap, (n,).
    """
    runs = [(a, b) for a, b in _runs(follows) if b - a > DFA_SCALES[0]]
    if not runs:
        return None
    first, last = np.array(runs).T
    profile = np.cumsum(nn_ms - nn_ms.mean())  # a constant between stretches falls out when windows are detrended
    fluctuation = np.array([_fluctuation(profile, first, last, int(scale)) for scale in DFA_SCALES])
    if not (fluctuation > 0).all():
        return None
    x = np.log2(DFA_SCALES) - np.log2(DFA_SCALES).mean()
    return float(x @ np.log2(fluctuation) / (x @ x))


def sample_entropy(nn_ms: Floats, follows: Mask, dimension: int = 2, tolerance: float = 0.2) -> float | None:
    """Sample entropy (Richman & Moorman 2000); None where no template matches.

    Args:
        nn_ms: valid intervals, (n,).
        follows: whether each follows on the one before it without a gap, (n,).
        dimension: length m of the templates.
        tolerance: largest difference of a match, in standard deviations.
    """
    radius = tolerance * float(nn_ms.std(ddof=1))
    starts = template_starts(follows, dimension + 1)
    if len(starts) < 2:
        return None
    match = np.ones((len(starts), len(starts)), dtype=bool)
    counts = []
    for offset in range(dimension + 1):
        values = nn_ms[starts + offset]
        match &= np.abs(values[:, None] - values[None, :]) <= radius
        counts.append(int(match.sum()) - len(starts))  # without each template's match with itself
    shorter, longer = counts[dimension - 1], counts[dimension]
    return float(-np.log(longer / shorter)) if longer > 0 else None


def _runs(follows: Mask) -> list[tuple[int, int]]:
    """First and last+1 index of each gap-free stretch."""
    starts = np.flatnonzero(~np.r_[False, follows[1:]])
    return list(zip(starts.tolist(), [*starts[1:].tolist(), len(follows)], strict=True))


def template_starts(follows: Mask, length: int) -> Ints:
    """Where `length` intervals in a row begin without a gap among them."""
    chained = np.r_[False, follows[1:]]
    whole = np.ones(max(0, len(follows) - length + 1), dtype=bool)
    for offset in range(1, length):
        whole &= chained[offset : offset + len(whole)]
    return np.flatnonzero(whole)


def _fluctuation(profile: Floats, first: Ints, last: Ints, scale: int) -> float:
    """Root mean square of half-overlapping, linearly detrended windows inside the stretches [first, last)."""
    step = scale // 2
    counts = np.maximum(0, -(-(last - first - scale) // step))
    total = int(counts.sum())
    if not total:
        return 0.0
    within = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = np.repeat(first, counts) + within * step
    y = profile[starts[:, None] + np.arange(scale)]
    x = np.arange(scale) - (scale - 1) / 2
    y = y - y.mean(axis=1, keepdims=True)
    residual = y - np.outer(y @ x / (x @ x), x)
    variance = np.einsum("ij,ij->i", residual, residual) / scale
    variance = variance[variance > FLAT]
    return float(np.sqrt(variance.mean())) if len(variance) else 0.0
