"""Small pieces of event series that readers share: points in time, and beats known by their times.

Samples with a time each become segments in `sampled.py`, intervals beats in `intervals.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assets.ingest.recording import Events, Times


def point_events(kind: str, times_us: Times, values: NDArray[np.floating]) -> Events:
    """Irregular values as events, in order, each time once."""
    present = np.isfinite(values)
    times, first = np.unique(times_us[present], return_index=True)
    return Events(kind, times, np.asarray(values, np.float64)[present][first], np.ones(len(times), np.bool_))


def beats_from_times(times_us: Times) -> Events:
    """Beats known by their times alone; an interval is valid where it is one that a heart can have."""
    times = np.unique(times_us)
    rr_ms = np.diff(times, prepend=times[:1]) / 1000.0
    valid = plausible_rr(rr_ms)
    rr_ms[:1] = np.nan
    return Events("beat", times, rr_ms, valid)


def plausible_rr(rr_ms: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Intervals of 20 to 240 beats a minute."""
    return np.asarray((rr_ms >= 250) & (rr_ms <= 3000))
