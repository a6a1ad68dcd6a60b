"""Sampled signals as the features see them: contiguous segments, cut out of a day's rows and joined where they touch.

A segment knows its start, rate and samples; nothing here fills a gap. Rows of the lake that follow on each other
without a gap (an upload in two halves) become one segment again, so that filters and beat finders see it whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Span = tuple[int, int]


@dataclass(frozen=True)
class Segment:
    """Samples without a gap: sample i lies at `start_us + i·1e6/rate_hz`."""

    start_us: int
    rate_hz: float
    samples: NDArray[np.float32]

    @property
    def end_us(self) -> int:
        """Where the sample after the last one would lie."""
        return self.start_us + round(len(self.samples) * 1e6 / self.rate_hz)

    @property
    def span(self) -> Span:
        """The time it covers, [start, end) in UTC µs."""
        return self.start_us, self.end_us

    def times_us(self) -> Floats:
        """Time of every sample (µs, as floats: whole µs are exact up to the year 2255)."""
        times: Floats = self.start_us + np.arange(len(self.samples), dtype=np.float64) * (1e6 / self.rate_hz)
        return times

    def slice_of(self, start_us: int, end_us: int) -> slice:
        """The samples at start ≤ t < end, as a slice of `samples`."""
        return samples_within(self.start_us, self.rate_hz, len(self.samples), start_us, end_us)


def samples_within(first_us: int, rate_hz: float, samples: int, start_us: int, end_us: int) -> slice:
    """Which of a series' samples lie at start ≤ t < end.

    A tolerance of a thousandth of a sample keeps one that lies on the border, after rounding, on its side.
    """
    first, last = (
        min(max(math.ceil((time - first_us) * rate_hz / 1e6 - 1e-3), 0), samples) for time in (start_us, end_us)
    )
    return slice(first, max(first, last))


def read_segments(signals: pl.DataFrame) -> Mapping[str, list[Segment]]:
    """A day's SIGNALS rows as segments per signal, in order of time, touching ones joined, overlaps cut.

    Samples that are not finite end a segment: a reader's missing value is a gap, not a number.
    """
    found: dict[str, list[Segment]] = {}
    rows = signals.select("signal", "start_us", "rate_hz", "samples").sort("signal", "start_us", maintain_order=True)
    for row, (signal, start, rate) in enumerate(rows.select("signal", "start_us", "rate_hz").iter_rows()):
        if rate is None or not rate > 0:
            continue
        values = rows["samples"][row].to_numpy()  # a view: never a list of Python floats
        found.setdefault(signal, []).extend(_finite(Segment(start, rate, values)))
    return {signal: joined(segments) for signal, segments in found.items()}


def joined(segments: Iterable[Segment]) -> list[Segment]:
    """Join segments that follow on each other within half a sample; cut what an earlier one already covers."""
    groups: list[list[Segment]] = []
    for segment in segments:
        if not groups:
            groups.append([segment])
            continue
        last = groups[-1][-1]
        kept = segment if segment.start_us >= last.end_us else _after(segment, last.end_us)
        if len(kept.samples) == 0:
            continue
        touching = abs(kept.start_us - last.end_us) <= 0.5e6 / last.rate_hz and kept.rate_hz == last.rate_hz
        if touching:
            groups[-1].append(kept)
        else:
            groups.append([kept])
    return [_whole(group) for group in groups]


def spans_of(segments: Iterable[Segment]) -> list[Span]:
    """The times that segments cover."""
    return [s.span for s in segments if len(s.samples)]


def inside(times_us: Floats | Ints, spans: Iterable[Span]) -> Mask:
    """Which times lie in any of the spans."""
    found = np.zeros(len(times_us), dtype=bool)
    for start, end in spans:
        found |= (times_us >= start) & (times_us < end)
    return found


def pieces(segment: Segment, length_s: float, margin_s: float) -> Iterator[tuple[Segment, Span]]:
    """Cut a long segment into overlapping pieces, each with the span of which it is in charge.

    Filters and thresholds then see their surroundings only, and memory stays bounded. A last piece shorter than
    half the length is left with the one before it.
    """
    step = max(1, round(length_s * segment.rate_hz))
    margin = round(margin_s * segment.rate_hz)
    total = len(segment.samples)
    borders = [*range(0, total, step), total]
    if len(borders) > 2 and borders[-1] - borders[-2] < step / 2:
        del borders[-2]
    for first, last in pairwise(borders):
        low, high = max(0, first - margin), min(total, last + margin)
        piece = Segment(_time(segment, low), segment.rate_hz, segment.samples[low:high])
        yield piece, (_time(segment, first), _time(segment, last))


def _time(segment: Segment, index: int) -> int:
    return segment.start_us + round(index * 1e6 / segment.rate_hz)


def _after(segment: Segment, time_us: int) -> Segment:
    first = segment.slice_of(time_us, segment.end_us).start
    return Segment(_time(segment, first), segment.rate_hz, segment.samples[first:])


def _whole(group: list[Segment]) -> Segment:
    if len(group) == 1:
        return group[0]
    return Segment(group[0].start_us, group[0].rate_hz, np.concatenate([s.samples for s in group]))


def _finite(segment: Segment) -> Iterator[Segment]:
    good = np.isfinite(segment.samples)
    if good.all():
        if len(good):
            yield segment
        return
    edges = np.flatnonzero(np.diff(np.r_[False, good, False].astype(np.int8)))
    for first, last in edges.reshape(-1, 2):
        yield Segment(_time(segment, int(first)), segment.rate_hz, segment.samples[first:last])
