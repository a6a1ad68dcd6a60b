"""From timestamped samples to segments: for devices that write a time beside every value.

Devices say when a sample was taken with jitter, in steps of milliseconds, or with the time a radio packet arrived. A
run without a hole is taken as evenly sampled, its rate fitted over the whole run; where times leave that line by too
much the run is split. Values that come irregularly by design (a heart rate now and then) are events instead.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from assets.ingest.recording import Events, Segment, Times, segments_of

GAP_PERIODS = 2.5
JITTER_S = 0.5
_SHORTEST = 2


def segments_from_times(
    signal: str, unit: str, times_us: Times, values: NDArray[np.floating], *, period_us: float | None = None
) -> list[Segment]:
    """Evenly sampled segments of a signal whose samples carry times.

    Args:
        signal: its name.
        unit: its unit.
        times_us: UTC µs of each sample, in any order; a time that comes twice counts once.
        values: the samples; those not finite are missing.
        period_us: the nominal period; by default the median distance of samples.
    """
    times, first = np.unique(times_us, return_index=True)
    samples = np.asarray(values, np.float32)[first]
    if len(times) < _SHORTEST:
        return []
    steps = np.diff(times)
    period = period_us or float(np.median(steps))
    holes = np.flatnonzero(steps > GAP_PERIODS * period)
    found = []
    for begin, end in zip(np.r_[0, holes + 1], np.r_[holes + 1, len(times)], strict=True):
        for a, b in _even(times, int(begin), int(end), max(JITTER_S * 1e6, 2 * period)):
            rate = 1e6 / period if b - a < _SHORTEST else (b - a - 1) / (times[b - 1] - times[a]) * 1e6
            found += segments_of(signal, unit, int(times[a]), float(rate), samples[a:b])
    return found


def point_events(kind: str, times_us: Times, values: NDArray[np.floating]) -> Events:
    """Irregular values as events, in order, each time once."""
    present = np.isfinite(values)
    times, first = np.unique(times_us[present], return_index=True)
    return Events(kind, times, np.asarray(values, np.float64)[present][first], np.ones(len(times), np.bool_))


def beats_from_intervals(start_us: int, rr_ms: NDArray[np.floating]) -> Events:
    """Beats of an unbroken list of RR intervals: times are their running sum.

    Args:
        start_us: when the first interval begins.
        rr_ms: the intervals.
    """
    times = start_us + np.round(np.cumsum(rr_ms) * 1000).astype(np.int64)
    valid = plausible_rr(rr_ms)
    if len(valid):
        valid[0] = False
    return Events("beat", times, np.asarray(rr_ms, np.float64), valid)


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


def _even(times: Times, begin: int, end: int, tolerance_us: float) -> Iterator[tuple[int, int]]:
    """Split a run until every part follows a line of even steps within the tolerance."""
    todo = [(begin, end)]
    while todo:
        a, b = todo.pop()
        if b - a > _SHORTEST:
            line = np.linspace(times[a], times[b - 1], b - a)
            off = np.abs(times[a:b] - line)
            worst = int(off.argmax())
            if off[worst] > tolerance_us:
                at = a + min(max(worst, 1), b - a - 1)
                todo += [(at, b), (a, at)]
                continue
        yield a, b
