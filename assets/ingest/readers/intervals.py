"""Beats out of RR intervals whose times are not their own: late over the air, or noted on a coarse tick.

A radio hands intervals over late and in packets, so the time beside one is when it arrived, not when the heart beat.
Inside a run the intervals themselves are the clock: beat times are their running sum. The delay of a packet is never
negative, so a run is anchored at its fastest arrivals, and a beat that was lost shows as arrivals that stay later
from there on: a new run begins, as one does where clocks have walked a second apart. A beat is valid where its
interval is one a heart can have, the device vouches for it, and it follows on the beat before it in the same run.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assets.ingest.readers.series import plausible_rr
from assets.ingest.readers.set_back import set_back
from assets.ingest.recording import Events, Times

LONGEST_MS = 10_000.0
_AROUND = 12
_NEXT = 6
_LOST_SHARE = 0.6
_WALK_US = 1_000_000.0
_SETTLED = 60


def beats_from_arrivals(
    arrivals_us: Times, rr_ms: NDArray[np.floating], trusted: NDArray[np.bool_] | None = None
) -> Events:
    """Beats of intervals that arrived at some time after they ended.

    Args:
        arrivals_us: UTC µs at which each interval arrived, in the order of arrival, (intervals,); where the clock was
            set back meanwhile, the intervals of a time that comes twice count the first time only.
        rr_ms: the intervals, (intervals,); those that are no interval (0, NaN, above 10 s) end a run.
        trusted: whether the device vouches for an interval, (intervals,); all by default.
    """
    clocks = set_back(np.asarray(arrivals_us, np.int64))
    order = np.argsort(arrivals_us, kind="stable")
    order = order[clocks[order] >= 0]
    arrivals, rr = np.asarray(arrivals_us, np.int64)[order], np.asarray(rr_ms, np.float64)[order]
    vouched = np.ones(len(rr), np.bool_) if trusted is None else np.asarray(trusted, np.bool_)[order]
    usable = np.isfinite(rr) & (rr > 0) & (rr <= LONGEST_MS)
    seams = np.diff(clocks[order], prepend=0) != 0
    broken = (np.r_[True, ~usable[:-1]][: len(rr)] | seams)[usable]
    arrivals, rr, vouched = arrivals[usable], rr[usable], vouched[usable]
    if not len(rr):
        return Events("beat", arrivals, rr, vouched)
    late = (arrivals - arrivals[0]).astype(np.float64) - np.cumsum(rr) * 1e3
    starts = _runs(late, float(np.median(rr)) * 1e3, broken)
    anchors = np.minimum.reduceat(late, starts)
    times = arrivals - np.round(late - np.repeat(anchors, np.diff([*starts, len(rr)]))).astype(np.int64)
    follows = np.ones(len(rr), np.bool_)
    follows[starts] = False
    return _once(times, rr, plausible_rr(rr) & vouched & follows)


def beat_runs(stamps_us: Times, rr_ms: NDArray[np.float64], follows: NDArray[np.bool_]) -> Events:
    """Beats of intervals that a device notes when it gets to it, at times coarser than they (a tick of a second).

    Each run is anchored where its stamps agree best with the sums of its intervals; that stamps are early as often as
    late is what sets these apart from arrivals. Which beats follow on each other is each reader's knowledge.

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


def _runs(late: NDArray[np.float64], usual_us: float, broken: NDArray[np.bool_]) -> list[int]:
    """Where runs begin: after what is no interval, and where arrivals leave the running sum for good."""
    before, after = _around(late)
    spread = 1.4826 * float(np.median(np.abs(late - after)))
    shift = after - np.r_[late[:1], before[:-1]]
    soft = np.abs(shift) > max(_LOST_SHARE * usual_us, 4 * spread * np.sqrt(2 / _AROUND))
    jump = np.diff(late, prepend=late[:1])
    still = np.lib.stride_tricks.sliding_window_view(np.r_[late, np.full(_NEXT - 1, np.inf)], _NEXT).min(axis=1)
    hard = (still - np.r_[late[:1], before[:-1]] > max(usual_us, 2.5 * spread)) & (jump > 0.5 * usual_us)
    found = set(np.flatnonzero(broken | hard).tolist())
    edges = np.flatnonzero(np.diff(np.r_[False, soft, False]))
    for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if found.isdisjoint(range(max(first - 1, 0), last + 1)):
            most = np.abs(shift[first:last])
            found.add(
                first
                + int(
                    np.argmax(
                        np.where(most >= 0.8 * most.max(), jump[first:last] * np.sign(shift[first:last]), -np.inf)
                    )
                )
            )
    starts = sorted(found | {0})
    return [part for a, b in zip(starts, [*starts[1:], len(late)], strict=True) for part in _settled(late, a, b)]


def _around(late: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Medians of the delays up to each interval and from it on."""
    padded = np.r_[np.full(_AROUND - 1, np.nan), late, np.full(_AROUND - 1, np.nan)]
    medians = np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, _AROUND), axis=1)
    return medians[: len(late)], medians[_AROUND - 1 :]


def _settled(late: NDArray[np.float64], first: int, last: int) -> list[int]:
    """Halve a run until its ends agree on the delay: the clocks of sensor and receiver walk apart."""
    if last - first < 4 * _SETTLED:
        return [first]
    walked = float(np.median(late[last - _SETTLED : last]) - np.median(late[first : first + _SETTLED]))
    if abs(walked) <= _WALK_US:
        return [first]
    middle = (first + last) // 2
    return [*_settled(late, first, middle), *_settled(late, middle, last)]


def _once(times: Times, rr: NDArray[np.float64], valid: NDArray[np.bool_]) -> Events:
    """In order of time; where a later run reaches back before the end of the run before it, that part is left out."""
    ahead = np.r_[True, times[1:] > np.maximum.accumulate(times)[:-1]][: len(times)]
    after_hole = np.r_[True, ahead[:-1]][: len(times)]
    return Events("beat", times[ahead], rr[ahead], (valid & after_hole)[ahead])
