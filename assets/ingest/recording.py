"""What every reader gives: segments, events, clips and answers, whatever the device.

Times are UTC microseconds. A segment is contiguous: a gap starts a new one, nothing is ever interpolated. How a
format is read belongs to its reader, what is kept of it in the lake to `recordings.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Times = NDArray[np.int64]

DAILY_SCHEMA = {"participant": pl.String(), "date": pl.Date(), "name": pl.String(), "value": pl.Float64()}
ANSWER_SCHEMA = {"participant": pl.String(), "time_us": pl.Int64(), "item": pl.String(), "value": pl.Float64()}


@dataclass(frozen=True)
class Segment:
    """A contiguous stretch of one signal: sample i lies at `start_us + i·1e6/rate_hz`."""

    signal: str
    unit: str
    start_us: int
    rate_hz: float
    samples: Samples

    @property
    def last_us(self) -> int:
        """Time of the last sample."""
        return self.time_us(len(self.samples) - 1)

    @property
    def end_us(self) -> int:
        """One sampling period after the last sample."""
        return self.time_us(len(self.samples))

    def time_us(self, index: int) -> int:
        """Time of one sample."""
        return self.start_us + round(index * 1e6 / self.rate_hz)

    def first_index(self, time_us: int) -> int:
        """Index of the first sample not before a time, within 0 … length; a view of time that never overlaps."""
        index = np.ceil((time_us - self.start_us) * self.rate_hz / 1e6 - 1e-9)
        return int(min(max(index, 0), len(self.samples)))

    def part(self, first: int, last: int) -> Segment:
        """Samples `first` … `last` − 1 (a view)."""
        return Segment(self.signal, self.unit, self.time_us(first), self.rate_hz, self.samples[first:last])


@dataclass(frozen=True)
class Events:
    """A series of points in time of one kind (`beat`, `tag`, `steps`), in order.

    `value`: a beat's RR interval in ms, a count of steps, NaN for tags. `valid`: whether a beat's interval follows
    on the beat before it without a gap; true for other kinds.
    """

    kind: str
    time_us: Times
    value: NDArray[np.float64]
    valid: NDArray[np.bool_]

    def between(self, start_us: int, end_us: int) -> Events:
        """The events from a time on, up to another (not included)."""
        return self.take((self.time_us >= start_us) & (self.time_us < end_us))

    def take(self, rows: NDArray[np.bool_]) -> Events:
        """These events only."""
        return Events(self.kind, self.time_us[rows], self.value[rows], self.valid[rows])


@dataclass(frozen=True)
class Clip:
    """A voice recording: `flac` holds 16 kHz mono 16 bit; `peak` and `clipped` describe it as it came."""

    time_us: int
    duration_s: float
    peak: float
    clipped: float
    flac: bytes
    reason: str | None = None


def no_answers() -> pl.DataFrame:
    """The answers of a dump that holds none."""
    return pl.DataFrame(schema=ANSWER_SCHEMA)


def no_daily_values() -> pl.DataFrame:
    """The daily values of a dump that holds none."""
    return pl.DataFrame(schema=DAILY_SCHEMA)


@dataclass(frozen=True)
class Recording:
    """Everything one dump holds.

    `answers` has the columns of `ANSWER_SCHEMA`, `daily` those of `DAILY_SCHEMA`: unlike the rest they may be of
    several participants.
    `facts` describe the device (serial, rates); `remarks` say what was left out or looks wrong, one line each.
    """

    segments: Sequence[Segment] = ()
    events: Sequence[Events] = ()
    clips: Sequence[Clip] = ()
    answers: pl.DataFrame = field(default_factory=no_answers)
    facts: Mapping[str, object] = field(default_factory=dict)
    remarks: Sequence[str] = ()
    daily: pl.DataFrame = field(default_factory=no_daily_values)

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it."""
        return not (
            any(len(s.samples) for s in self.segments)
            or any(len(e.time_us) for e in self.events)
            or self.clips
            or self.answers.height
            or self.daily.height
        )

    @property
    def bytes(self) -> int:
        """About how much memory it takes."""
        arrays = sum(s.samples.nbytes for s in self.segments) + sum(17 * len(e.time_us) for e in self.events)
        tables = self.answers.estimated_size() + self.daily.estimated_size()
        return arrays + sum(len(c.flac) for c in self.clips) + int(tables)


def merged(recordings: Iterable[Recording]) -> Recording:
    """Several recordings of one dump as one."""
    parts = list(recordings)
    if len(parts) == 1:
        return parts[0]
    facts: dict[str, object] = {}
    for part in parts:
        facts.update(part.facts)
    return Recording(
        segments=[s for p in parts for s in p.segments],
        events=[e for p in parts for e in p.events],
        clips=[c for p in parts for c in p.clips],
        answers=pl.concat([p.answers for p in parts]) if parts else no_answers(),
        facts=facts,
        remarks=list(dict.fromkeys(r for p in parts for r in p.remarks)),
        daily=pl.concat([p.daily for p in parts]) if parts else no_daily_values(),
    )


def segments_of(signal: str, unit: str, start_us: int, rate_hz: float, samples: Samples) -> list[Segment]:
    """Split samples at those that are missing (not finite), so that what stays is contiguous."""
    whole = Segment(signal, unit, start_us, rate_hz, samples)
    present = np.isfinite(samples)
    if present.all():
        return [whole] if len(samples) else []
    edges = np.flatnonzero(np.diff(np.r_[False, present, False].astype(np.int8)))
    return [whole.part(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
