"""The accelerometer's three axes as one: which segments belong together, their norm, how much a wrist moves.

Used wherever movement matters: in the features of motion, in judging beats, in wear and sleep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from assets.features.segments import Floats, Segment

Singles = NDArray[np.float32]
Axes = tuple[Segment, Segment, Segment]

AXES = ("acc_x", "acc_y", "acc_z")
SPREAD_S = 2.0


def triples(segments: Mapping[str, Sequence[Segment]], shortest_s: float = 0.0) -> list[Axes]:
    """Segments of the three axes that belong together, same start, rate and number of samples, in order of time."""
    y, z = ({(s.start_us, s.rate_hz): s for s in segments.get(axis, ())} for axis in AXES[1:])
    places = [(s, (s.start_us, s.rate_hz)) for s in segments.get(AXES[0], ())]
    found = [_same_size(s, y[place], z[place]) for s, place in places if place in y and place in z]
    return [t for t in found if len(t[0].samples) >= max(1.0, shortest_s * t[0].rate_hz)]


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


def _same_size(x: Segment, y: Segment, z: Segment) -> Axes:
    size = min(len(s.samples) for s in (x, y, z))
    a, b, c = (Segment(s.start_us, s.rate_hz, s.samples[:size]) for s in (x, y, z))
    return a, b, c
