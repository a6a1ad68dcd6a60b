"""Beats from intervals whose time stamps are coarser than they: rebuilt as running sums inside each run.

For devices that note an interval when they get to it (a slow tick, a radio packet). Which beats follow on each other
is each reader's knowledge; what becomes of a run is decided here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assets.ingest.readers.series import plausible_rr
from assets.ingest.recording import Events, Times


def beat_runs(stamps_us: Times, rr_ms: NDArray[np.float64], follows: NDArray[np.bool_]) -> Events:
    """Beats of runs, each anchored where its stamps agree best with the sums of its intervals.

    Args:
        stamps_us: when each interval was noted, in order, (beats,).
        rr_ms: the interval that each beat ends, (beats,).
        follows: whether the beat before it began the interval, (beats,); the first never follows.
    """
    times = np.zeros(len(stamps_us), np.int64)
    valid = plausible_rr(rr_ms)
    breaks = np.flatnonzero(~follows[1:]) + 1
    for a, b in zip(np.r_[0, breaks], np.r_[breaks, len(times)], strict=True):
        if b > a:
            since = np.cumsum(np.r_[0.0, rr_ms[a + 1 : b] * 1e3])
            anchor = np.median(stamps_us[a:b] - stamps_us[a] - since)
            times[a:b] = stamps_us[a] + np.round(anchor + since).astype(np.int64)
            valid[a] = False
    order = np.argsort(times, kind="stable")
    return Events("beat", times[order], np.asarray(rr_ms, np.float64)[order], valid[order])
