"""The accelerometer's three axes as one: which segments belong together, their norm, how much a wrist moves.

Used wherever movement matters: in the features of motion, in judging beats, in wear and sleep.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from assets.features.segments import Floats, Segment

Singles = NDArray[np.float32]
Axes = tuple[Segment, Segment, Segment]

AXES = ("acc_x", "acc_y", "acc_z")
SPREAD_S = 2.0
BESIDE = 0.1  # of a sample: how far those of two axes may lie apart


def triples(segments: Mapping[str, Sequence[Segment]], shortest_s: float = 0.0) -> list[Axes]:
    """Where all three axes were sampled together at one rate, in order of time; each may lack samples of its own."""
    left = [deque(sorted(segments.get(axis, ()), key=lambda s: s.start_us)) for axis in AXES]
    found = []
    while all(left):
        heads = x, y, z = left[0][0], left[1][0], left[2][0]
        together = _together(x, y, z)
        if together is not None and len(together[0].samples) >= max(1.0, shortest_s * x.rate_hz):
            found.append(together)
        first = min(s.end_us for s in heads)
        for axis in left:
            if axis[0].end_us == first:
                axis.popleft()
    return found


def norm(axes: Axes) -> Singles:
    """Euclidean norm (g), float32, (samples,)."""
    x, y, z = (s.samples for s in axes)
    return np.asarray(np.sqrt(x**2 + y**2 + z**2), dtype=np.float32)


def spread_at(times_us: Floats, segments: Mapping[str, Sequence[Segment]]) -> Floats:
    """Standard deviation of the norm in the two seconds around each time (g), NaN where no accelerometer ran.

    Args:
        times_us: when, in any order, (times,).
        segments: signals of the day (`acc_x`, `acc_y`, `acc_z` in g are used).
    """
    found = np.full(len(times_us), np.nan)
    for axes in triples(segments, SPREAD_S):
        frame = axes[0]
        inside = np.flatnonzero((times_us >= frame.start_us) & (times_us < frame.end_us))
        if len(inside):
            place = ((times_us[inside] - frame.start_us) * frame.rate_hz / 1e6).astype(np.int64)
            found[inside] = _running_spread(norm(axes), frame.rate_hz)[np.minimum(place, len(frame.samples) - 1)]
    return found


def _running_spread(values: Singles, rate_hz: float) -> Singles:
    from scipy.ndimage import uniform_filter1d

    width, around = max(2, round(SPREAD_S * rate_hz)), values - np.float32(1.0)  # near gravity: digits for the rest
    variance = uniform_filter1d(around**2, width, mode="nearest")
    variance -= uniform_filter1d(around, width, mode="nearest") ** 2
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def _together(x: Segment, y: Segment, z: Segment) -> Axes | None:
    """The stretch that all three cover; None where there is none, or their samples do not lie side by side."""
    start_us, rate_hz = max(s.start_us for s in (x, y, z)), x.rate_hz
    places = [(start_us - s.start_us) * s.rate_hz / 1e6 for s in (x, y, z)]
    if y.rate_hz != rate_hz or z.rate_hz != rate_hz or max(abs(p - round(p)) for p in places) > BESIDE:
        return None
    firsts = [round(p) for p in places]
    size = min(len(s.samples) - first for s, first in zip((x, y, z), firsts, strict=True))
    if size < 1:
        return None
    a, b, c = (Segment(start_us, rate_hz, s.samples[n : n + size]) for s, n in zip((x, y, z), firsts, strict=True))
    return a, b, c
