"""One value at a time: what to keep where two dumps cover the same stretch.

Exports overlap, an unfinished upload lies beside the whole, two devices ran at once. For each signal, for beats and
for counts of steps, the longer recording wins whole (then the one whose identity sorts first) and the others fill only
what it leaves open. The order depends on the recordings alone, never on which came first, so a day always comes out
the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from assets.ingest.recording import Events, Segment, Times

BEAT_GAP_US = 3_000_000
CLOSEST_US = 240_000
STEPS_GAP_US = 900_000_000  # the rarest counts of steps that devices write are of a quarter of an hour
Labelled = tuple[str, Segment]


class Covered:
    """Stretches of time already taken: disjoint, in order."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def free(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The parts of [start, end) not yet taken."""
        position = start
        n = max(bisect_right(self._starts, start) - 1, 0)
        while n < len(self._starts) and self._starts[n] < end:
            if self._ends[n] > position:
                if self._starts[n] > position:
                    yield position, self._starts[n]
                position = self._ends[n]
            n += 1
        if position < end:
            yield position, end

    def holds(self, times: Times) -> NDArray[np.bool_]:
        """Whether each moment is taken."""
        if not self._starts:
            return np.zeros(len(times), dtype=np.bool_)
        before = np.searchsorted(np.array(self._starts), times, side="right") - 1
        return (before >= 0) & (times < np.array(self._ends)[before])

    def take(self, start: int, end: int) -> None:
        """Mark [start, end) as taken."""
        first = bisect_right(self._ends, start - 1)
        last = bisect_right(self._starts, end)
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._starts[first:last], self._ends[first:last] = [start], [end]


def segments_once(labelled: Sequence[Labelled]) -> list[Labelled]:
    """Segments of several dumps with every stretch of a signal standing once; each keeps its dump."""
    by_signal: dict[str, list[Labelled]] = defaultdict(list)
    for dump, segment in labelled:
        by_signal[segment.signal].append((dump, segment))
    return [kept for signal in sorted(by_signal) for kept in _signal_once(by_signal[signal])]


def _signal_once(labelled: list[Labelled]) -> Iterator[Labelled]:
    if len({dump for dump, _ in labelled}) == 1 and not _overlapping(labelled):
        yield from labelled
        return
    covered = Covered()
    for dump, segment in sorted(labelled, key=lambda x: (-len(x[1].samples) / x[1].rate_hz, x[0], x[1].start_us)):
        for start, end in list(covered.free(segment.start_us, segment.end_us)):
            # Half a sample of tolerance: two exports of one recording may round its start differently.
            slack = round(0.5e6 / segment.rate_hz)
            first = segment.first_index(start - slack)
            last = segment.first_index(end - slack) if end < segment.end_us else len(segment.samples)
            if last > first:
                yield dump, segment.part(first, last)
        covered.take(segment.start_us, segment.end_us)


def _overlapping(labelled: Iterable[Labelled]) -> bool:
    spans = sorted((s.start_us, s.end_us) for _, s in labelled)
    return any(later[0] < earlier[1] for earlier, later in pairwise(spans))


def events_once(weighed: Sequence[tuple[str, int, Events]]) -> list[tuple[str, Events]]:
    """Events of several dumps, each standing once; beats of two devices are never interleaved.

    Args:
        weighed: dump, how many such events it holds in all (the more, the sooner it wins), and those to look at.
    """
    by_kind: dict[str, list[tuple[str, int, Events]]] = defaultdict(list)
    for dump, weight, events in weighed:
        if len(events.time_us):
            by_kind[events.kind].append((dump, weight, events))
    kept: list[tuple[str, Events]] = []
    for kind in sorted(by_kind):
        ordered = [(dump, e) for dump, _, e in sorted(by_kind[kind], key=lambda x: (-x[1], x[0]))]
        if len(ordered) == 1:
            kept += ordered
        else:
            kept += _ONCE.get(kind, _points_once)(ordered)
    return kept


def _points_once(ordered: list[tuple[str, Events]]) -> Iterator[tuple[str, Events]]:
    seen = np.zeros(0, np.int64)
    for dump, events in ordered:
        new = ~np.isin(events.time_us, seen)
        seen = np.union1d(seen, events.time_us)
        if new.any():
            yield dump, events.take(new)


def _beats_once(ordered: list[tuple[str, Events]]) -> Iterator[tuple[str, Events]]:
    covered = Covered()
    for dump, events in ordered:
        free = ~covered.holds(events.time_us)
        if free.any():
            kept = events.take(free)
            after_hole = np.flatnonzero(free) - 1
            follows = np.r_[True, free][after_hole + 1]
            yield dump, Events(kept.kind, kept.time_us, kept.value, kept.valid & follows)
        for start, end in _runs(events.time_us, BEAT_GAP_US):
            # Files without beat times of their own place the same beat a little apart; no heart beats twice so fast.
            covered.take(start - CLOSEST_US, end + CLOSEST_US)


def _steps_once(ordered: list[tuple[str, Events]]) -> Iterator[tuple[str, Events]]:
    covered = Covered()
    for dump, events in ordered:
        free = ~covered.holds(events.time_us)
        if free.any():
            yield dump, events.take(free)
        # A count is of the time between it and its neighbours; whether before or after it, devices differ in.
        usual = int(np.median(np.diff(events.time_us))) if len(events.time_us) > 1 else 0
        around = min(usual, STEPS_GAP_US) // 2
        for start, end in _runs(events.time_us, STEPS_GAP_US):
            covered.take(start - around, end + around)


_ONCE = {"beat": _beats_once, "steps": _steps_once}


def _runs(times: Times, longest_us: int) -> Iterator[tuple[int, int]]:
    """Stretches of events without a longer hole."""
    if not len(times):
        return
    breaks = np.flatnonzero(np.diff(times) > longest_us)
    for first, last in zip(np.r_[0, breaks + 1], np.r_[breaks, len(times) - 1], strict=True):
        yield int(times[first]), int(times[last]) + 1
