"""A clock that was set back while a file was written: of the time that then comes twice, the first rows count.

Packets that come late, holes filled later, rows said twice and files with the newest row first go back in time as well,
and are none of that: what tells them apart is whether the rows lie where rows were told before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assets.ingest.recording import Times

_BACK = 3  # periods that a step back is longer than
_COVERED = 10  # periods between rows told before, above which they leave a hole
_BESIDE = 1.5  # periods between such rows that follow on each other
_MOST_CUTS = 100  # above which a file is in no order
_ORDERED = 0.1  # steps back for each step forward, from which on it is in no order either


def set_back(times_us: Times, values: NDArray[np.floating] | None = None) -> NDArray[np.int64]:
    """Where a clock was set back within a file: 0 for rows to take as they are, −1 for those to leave out.

    The file is cut where times step back by more than a few periods. A part that then tells a time that was told
    before is left out as far as that goes; what remains of it has a number of its own, as its samples do not follow
    on those before. Parts that fill a hole, come late or come twice are none of that, nor is a file with the newest
    row first or in no order.

    Args:
        times_us: UTC µs of each row, in the order of the file, (rows,).
        values: what the rows say, (rows, signals), to know those that come twice.
    """
    clocks = np.zeros(len(times_us), np.int64)
    steps = np.diff(times_us)
    forward = steps[steps > 0]
    if not 0 < (steps < 0).sum() < _ORDERED * len(forward):
        return clocks
    period = float(np.median(forward))
    cuts = (np.flatnonzero(steps < -_BACK * period) + 1).tolist()
    if len(cuts) > _MOST_CUTS:
        return clocks
    rows = np.arange(len(times_us))
    seen = rows[:0]
    for n, (a, b) in enumerate(zip([0, *cuts], [*cuts, len(rows)], strict=True)):
        if n:
            clocks[a:b] = np.where(_told_before(times_us, values, seen, rows[a:b], period), -1, n)
            clocks[a:b] *= (clocks[a:b] < 0).any()
        seen = np.r_[seen, rows[a:b][clocks[a:b] >= 0]]
        seen = seen[np.argsort(times_us[seen], kind="stable")]
    return clocks


def set_back_said(times_us: Times) -> list[str]:
    """The remark on rows that `set_back` leaves out."""
    left = int((set_back(times_us) < 0).sum())
    what = "lie before lines above them (the clock was set back, or they come twice): the first ones count"
    return [f"{left} of {len(times_us)} lines {what}"] if left else []


def _told_before(
    times: Times, values: NDArray[np.floating] | None, seen: NDArray[np.int64], part: NDArray[np.int64], period: float
) -> NDArray[np.bool_]:
    """Which rows of a part lie among those seen (in order of time); none where most fill holes or come twice."""
    own, before = times[part], times[seen]
    at = np.searchsorted(before, own)
    later = np.minimum(at, len(seen) - 1)
    equal = before[later] == own
    hole = np.where(equal, 0, before[later] - before[np.maximum(at - 1, 0)])
    covered = (at < len(seen)) & ((at > 0) | equal) & (hole <= _COVERED * period)
    if values is None:
        new = covered
    else:
        same = values[seen[later]]
        new = covered & ~(equal & ((same == values[part]) | (np.isnan(same) & np.isnan(values[part]))).all(axis=1))
    tight = new & (hole <= _BESIDE * period)
    return covered if 2 * tight.sum() > new.sum() else np.zeros(len(part), np.bool_)
