"""From samples that each carry a time to contiguous segments, in one place for every reader.

Devices say when a sample was taken in steps of milliseconds, with jitter, or with the tick of a slow clock. One rate
is estimated for the whole series; a step that the samples after it do not make up for is a gap and splits, a delayed
sample does not. A stretch keeps the common rate while its times stay within half a sample of it, else it has its own
rate, and is split where its times leave an even line by more than a sample and a half. Nothing is interpolated:
every sample of the input stands once in the output, but where a clock was set back within a file: of the time that
then comes twice the first samples are kept. Values that come now and then become events.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assets.ingest.readers.series import point_events
from assets.ingest.readers.set_back import set_back
from assets.ingest.recording import Events, Segment, Times, segments_of

MOST_GAP = 1.5
WALK = 1.5
_COARSE_SHARE = 0.1
_EVEN_SHARE = 0.9
_FEWEST_EVEN = 10
_SLOWEST_US = 600e6
_AROUND = 8
_MANY = 32
_BLOCK = 15
_SMALLEST_CUT = 8

_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Stretch:
    """Rows `first` … `last` − 1 lie on an even grid from `start_us` (after the origin) on."""

    first: int
    last: int
    start_us: float
    period_us: float


def contiguous(
    signal: str,
    unit: str,
    times_us: Times,
    values: NDArray[np.floating],
    *,
    rate_hz: float | None = None,
    most_gap: float = MOST_GAP,
) -> list[Segment]:
    """Segments of one signal whose samples carry times.

    Args:
        signal: its name.
        unit: its unit.
        times_us: UTC µs of each sample, (samples,), in the order of the file, whichever that is; what is said again
            later counts once.
        values: the samples, (samples,); those not finite are missing and split.
        rate_hz: the nominal rate where the device says it; estimated by default. Needed for a single sample.
        most_gap: the longest step between neighbours, in periods, that is no gap.
    """
    columns = np.asarray(values).reshape(-1, 1)
    return contiguous_columns([(signal, unit)], times_us, columns, rate_hz=rate_hz, most_gap=most_gap)


def contiguous_columns(
    signals: Sequence[tuple[str, str]],
    times_us: Times,
    values: NDArray[np.floating],
    *,
    rate_hz: float | None = None,
    most_gap: float = MOST_GAP,
) -> list[Segment]:
    """The same for signals that share their times, so that they are split at the same places.

    Args:
        signals: name and unit of each column.
        times_us: UTC µs of each row, (samples,).
        values: the samples, (samples, signals).
        rate_hz: as in `contiguous`.
        most_gap: as in `contiguous`.
    """
    if not len(times_us):
        return []
    clocks = set_back(times_us, values)
    if (clocks < 0).any():
        times_us, values, clocks = times_us[clocks >= 0], values[clocks >= 0], clocks[clocks >= 0]
    origin = int(np.min(times_us))
    times, rows = _in_order(np.asarray(times_us, np.int64) - origin, values, rate_hz)
    period = 1e6 / rate_hz if rate_hz else _period(times)
    if period is None:
        return []
    seams = np.flatnonzero(np.diff(clocks[rows])) + 1
    stretches = list(_stretches(times, period, most_gap, seams))
    found = []
    for column, (signal, unit) in enumerate(signals):
        with np.errstate(over="ignore"):  # what is too large for a float is missing, as what is not finite is
            samples = np.asarray(values[rows, column], np.float32)
        for s in stretches:
            start = origin + round(s.start_us)
            found += segments_of(signal, unit, start, 1e6 / s.period_us, samples[s.first : s.last])
    return found


def series(signal: str, unit: str, times_us: Times, values: NDArray[np.floating]) -> tuple[list[Segment], list[Events]]:
    """Segments of values that come evenly; events of those that come now and then.

    Args:
        signal: the name of the signal, or the kind of the events.
        unit: its unit.
        times_us: UTC µs of each value, in the order of the file, whichever that is.
        values: the values.
    """
    present = np.isfinite(values)
    present[present] = set_back(times_us[present], values[present, None]) >= 0
    times, first = np.unique(np.asarray(times_us, np.int64)[present], return_index=True)
    kept = np.asarray(values, np.float64)[present][first]
    steps = np.diff(times)
    usual = float(np.median(steps)) if len(times) >= _FEWEST_EVEN else np.inf
    if usual <= _SLOWEST_US and float((np.abs(steps - usual) <= 0.1 * usual).mean()) >= _EVEN_SHARE:
        return contiguous(signal, unit, times, kept), []
    return [], [point_events(signal, times, kept)] if len(times) else []


def _in_order(times: Times, values: NDArray[np.floating], rate_hz: float | None) -> tuple[_Floats, NDArray[np.int64]]:
    """Times in order with the rows they belong to, without what the input says twice.

    Rows side by side with one time and other values are samples of a late packet or of one tick of a slow clock.
    """
    order = np.argsort(times, kind="stable").astype(np.int64)
    same = np.diff(times[order]) == 0
    beside = same & (np.diff(order) == 1)
    other = ~((values[order[1:]] == values[order[:-1]]) | np.isnan(values[order[1:]])).all(axis=1)
    ticking = bool(beside.sum() > _COARSE_SHARE * len(times) and other[beside].any())
    order = order[np.r_[True, ~same | (beside & (other | ticking))]]
    return (_spread(times[order], rate_hz) if ticking else times[order].astype(np.float64)), order


def _spread(times: Times, rate_hz: float | None) -> _Floats:
    """Samples of each tick of a slow clock, evenly from that tick to the next."""
    ticks, first, counts = np.unique(times, return_index=True, return_counts=True)
    steps = np.diff(ticks).astype(np.float64)
    usual = float(np.median(steps)) if len(steps) else 0.0
    within = np.full(len(ticks), 1e6 / rate_hz if rate_hz else usual / float(np.median(counts)))
    near = np.flatnonzero(steps <= MOST_GAP * usual)
    within[near] = steps[near] / counts[near]
    position = np.arange(len(times)) - np.repeat(first, counts)
    return np.asarray(np.repeat(ticks, counts) + position * np.repeat(within, counts), np.float64)


def _period(times: _Floats) -> float | None:
    """The period that most steps agree on: the mean of those near the median, which sees below the clock's step."""
    steps = np.diff(times)
    steps = steps[steps > 0]
    if not len(steps):
        return None
    middle = (len(steps) - 1) // 2
    median = float(np.partition(steps, middle)[middle])  # a step that there is, also of two that differ
    near = float(steps[np.abs(steps - median) <= 0.5 * median].mean())
    many = min(_MANY, len(times) // 4)
    # Jitter weighs less over many steps; gaps, where they are frequent, weigh more.
    over_many = float(np.median(times[many:] - times[:-many])) / many if many else near
    return over_many if abs(over_many - near) < 0.1 * near else near


def _stretches(times: _Floats, period: float, most_gap: float, seams: NDArray[np.int64]) -> Iterator[_Stretch]:
    edges = np.union1d(_gaps(times, period, most_gap), seams)
    spans = list(zip(np.r_[0, edges], np.r_[edges, len(times)], strict=True))
    common = _common_period(times, spans, period)
    for begin, end in spans:
        yield from _even(times, int(begin), int(end), common)


def _gaps(times: _Floats, period: float, most_gap: float) -> NDArray[np.int64]:
    """Rows before which samples are missing: a long step, after which the times stay late."""
    late = np.flatnonzero(np.diff(times) > most_gap * period)
    if not len(late):
        return late
    off = times - period * np.arange(len(times))
    before = np.clip(late[:, None] - np.arange(_AROUND), 0, len(times) - 1)
    after = np.clip(late[:, None] + 1 + np.arange(_AROUND), 0, len(times) - 1)
    shift = np.median(off[after], axis=1) - np.median(off[before], axis=1)
    return np.asarray(late[shift > (most_gap - 1) * period] + 1, np.int64)


def _common_period(times: _Floats, spans: Sequence[tuple[int, int]], period: float) -> float:
    """The period that most samples agree on, run by run; the given one where there is nothing to measure."""
    runs = [(float(times[b - 1] - times[a]) / int(b - a - 1), int(b - a - 1)) for a, b in spans if b - a > 1]
    if not runs:
        return period
    means, steps = np.array(sorted(runs)).T
    measured = float(means[np.searchsorted(np.cumsum(steps), steps.sum() / 2)])
    return measured if abs(measured - period) < 0.5 * period else period


def _even(times: _Floats, begin: int, end: int, period: float) -> Iterator[_Stretch]:
    """Split a run until every part follows an even line; the common period is kept where it fits."""
    todo = [(begin, end)]
    while todo:
        a, b = todo.pop()
        part = times[a:b]
        if b - a == 1:
            yield _Stretch(a, b, float(part[0]), period)
            continue
        start, off = _against(part, period)
        if np.abs(off).max() <= 0.5 * period:
            yield _Stretch(a, b, start, period)
            continue
        own = _own_period(part)
        start, off = _against(part, own)
        if abs(own - period) < 0.5 * period and np.abs(off).max() <= WALK * period:
            yield _Stretch(a, b, start, own)
            continue
        bend = off - np.linspace(off[0], off[-1], len(off))
        margin = max((b - a) // _SMALLEST_CUT, 1)
        cut = a + min(max(int(np.abs(bend).argmax()) * _BLOCK, margin), b - a - margin)
        todo += [(cut, b), (a, cut)]


def _against(part: _Floats, period: float) -> tuple[float, _Floats]:
    """Where an even grid of this period begins, and how far blocks of samples lie from it."""
    off = part - period * np.arange(len(part))
    start = float(np.median(off))
    whole = len(off) // _BLOCK * _BLOCK
    blocks = np.median(off[:whole].reshape(-1, _BLOCK), axis=1)
    if whole < len(off):
        blocks = np.r_[blocks, np.median(off[max(len(off) - _BLOCK, 0) :])]
    return start, blocks - start


def _own_period(part: _Floats) -> float:
    """The period of the least-squares line through the times."""
    index = np.arange(len(part)) - (len(part) - 1) / 2
    return float(index @ (part - part.mean()) / (index @ index))
