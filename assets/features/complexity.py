"""Complexity of intervals between beats: what of Makowski et al. 2022 bears five minutes and gaps.

Of the twelve indices that the paper selects these four need no scales longer than a few beats: line length, Hjorth
complexity, SVD entropy and conditional weighted permutation entropy. Multiscale and multifractal ones say nothing of
three hundred beats; NeuroKit2's bubble entropy drops its order, its attention entropy cannot respect gaps. Patterns are
made of intervals that follow on each other; without gaps the numbers are NeuroKit2's.
"""

from __future__ import annotations

import math

import numpy as np

from assets.features.nonlinear import template_starts
from assets.features.segments import Floats, Mask

ORDER = 3


def complexity(nn_ms: Floats, follows: Mask) -> dict[str, float | None]:
    """The four indices; None where too few intervals follow on each other or nothing varies.

    Args:
        nn_ms: intervals, (n,).
        follows: whether each follows on the one before it without a gap, (n,).
    """
    if len(template_starts(follows, ORDER + 1)) < 2 or float(np.ptp(nn_ms)) == 0:
        return dict.fromkeys(("line_length_ms", "hjorth_complexity", "svden", "cwpen"))
    lower, higher = (_weighted_permutation(_embedded(nn_ms, follows, m)) for m in (ORDER, ORDER + 1))
    permutation = None if lower is None or higher is None else (higher - lower) / math.log2(math.factorial(ORDER + 1))
    return {
        "line_length_ms": float(np.abs(np.diff(_embedded(nn_ms, follows, 2), axis=1)).mean()),
        "hjorth_complexity": _hjorth(nn_ms, follows),
        "svden": _svd_entropy(_embedded(nn_ms, follows, 2)),
        "cwpen": permutation,
    }


def _embedded(nn_ms: Floats, follows: Mask, length: int) -> Floats:
    """Every `length` intervals in a row without a gap, (patterns, length)."""
    return np.asarray(nn_ms[template_starts(follows, length)[:, None] + np.arange(length)])


def _hjorth(nn_ms: Floats, follows: Mask) -> float | None:
    """Mobility of the differences over mobility of the intervals (Hjorth 1970)."""
    first, second = np.diff(_embedded(nn_ms, follows, 2), axis=1), np.diff(_embedded(nn_ms, follows, 3), n=2, axis=1)
    if first.var() == 0:
        return None
    return float(np.sqrt(second.var() / first.var()) / np.sqrt(first.var() / nn_ms.var()))


def _svd_entropy(pairs: Floats) -> float | None:
    """Entropy (bits) of the normalised singular values of pairs of intervals (Roberts et al. 1999)."""
    weights = np.linalg.svd(pairs, compute_uv=False)
    weights = weights[weights > 0] / weights.sum()
    return float(-(weights * np.log2(weights)).sum())


def _weighted_permutation(patterns: Floats) -> float | None:
    """Entropy (bits) of the orders in which values stand, weighted by their variance (Fadlallah et al. 2013)."""
    size = patterns.shape[1]
    code = patterns.argsort(axis=1, kind="stable") @ (size ** np.arange(size))
    weight = np.bincount(np.unique(code, return_inverse=True)[1], weights=patterns.var(axis=1))
    weight = weight[weight > 0]
    if not len(weight):
        return None
    share = weight / weight.sum()
    return float(-(share * np.log2(share)).sum())
