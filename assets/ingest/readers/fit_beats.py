"""The beats of FIT files, in each of the ways that Garmin's devices write them.

`hr`: an anchor (a time, and the strap's own 32-bit count of 1/1024 s) followed by beats of which only the last 12 bits
of that count are kept, two in three bytes. `hrv`: intervals between messages that carry times; they ended no later
than the next of these. `raw_bbi` and `beat_intervals`: intervals that begin at the message's time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from assets.ingest.readers.fit_messages import Message
from assets.ingest.readers.intervals import beats_from_arrivals
from assets.ingest.readers.series import beats_from_times
from assets.ingest.recording import Events

_TICKS = 1024
_NO_BEAT = 255
_INTERVAL = 0x3FFF
_SURE = 0x4000
_GAP = 0x8000
_NO_INTERVAL = 0xFFFF


def packed_beats(found: Sequence[Message], name: str) -> Events:
    """Beats of a chest strap that kept them in its own memory."""
    times: list[int] = []
    anchor: tuple[int, int] | None = None
    count = 0
    for message in found:
        if message.name != name:
            continue
        packed = message.numbers("event_timestamp_12")
        start = message.number("event_timestamp")
        if not packed and start is not None and message.time_us is not None:
            fraction = (message.number("fractional_timestamp") or 0.0) / 32_768
            count = int(start)
            anchor = (message.time_us + round(fraction * 1e6), count)
            times.append(anchor[0])
        elif anchor is not None:
            for low in _unpacked(packed, message.numbers("filtered_bpm")):
                count += (low - count) & 0xFFF
                times.append(anchor[0] + round((count - anchor[1]) * 1e6 / _TICKS))
    return beats_from_times(np.array(times, np.int64))


def _unpacked(packed: Sequence[float | None], rates: Sequence[float | None]) -> Iterator[int]:
    """12-bit counts, two in three bytes; a place without a heart rate holds none."""
    octets = [int(b or 0) for b in packed]
    for n in range(len(octets) * 2 // 3):
        if n < len(rates) and rates[n] in {None, _NO_BEAT}:
            continue
        at = n // 2 * 3
        yield octets[at + 1] >> 4 | octets[at + 2] << 4 if n % 2 else octets[at] | (octets[at + 1] & 0x0F) << 8


def untimed_beats(found: Sequence[Message], name: str) -> Events:
    """Beats of intervals whose only time is that of the messages around them."""
    waiting: list[float] = []
    arrivals: list[int] = []
    intervals: list[float] = []
    last: int | None = None
    for message in found:
        if message.name == name:
            waiting += [value for value in message.numbers("time") if value is not None]
        elif message.time_us is not None:
            last = message.time_us
            arrivals += [last] * len(waiting)
            intervals += waiting
            waiting = []
    if last is not None:
        arrivals += [last] * len(waiting)
        intervals += waiting
    return beats_from_arrivals(np.array(arrivals, np.int64), np.array(intervals, np.float64))


def raw_beats(found: Sequence[Message], name: str) -> Events:
    """Beats of intervals in ms with the time at which each message's first one begins."""
    arrivals: list[int] = []
    intervals: list[float] = []
    sure: list[bool] = []
    for message in found:
        if message.name != name or message.time_us is None:
            continue
        at = message.time_us + round((message.number("timestamp_ms") or 0) * 1000)
        for value in message.numbers("data" if name == "raw_bbi" else "time"):
            if value is None or not 0 < value < _NO_INTERVAL:
                continue
            bits = int(value)
            length = bits & _INTERVAL if name == "raw_bbi" else bits
            at += length * 1000
            gap = name == "raw_bbi" and bool(bits & _GAP)
            arrivals.append(at)
            intervals.append(np.nan if gap else float(length))
            sure.append(name != "raw_bbi" or bool(bits & _SURE))
    return beats_from_arrivals(np.array(arrivals, np.int64), np.array(intervals), np.array(sure, np.bool_))
