"""Garmin FIT: beats, heart rate, steps, stress, respiration and oxygen of activities and of monitoring.

Beats come in four ways: `hrv` (intervals without a time of their own), `hr` (a chest strap's beat times, packed to
12 bits of 1/1024 s after an anchor), and the newer `beat_intervals` and `raw_bbi` (which says how sure it is of each).
Files are chained, cut and damaged: what stands before the damage is kept and the rest is remarked on. Only the
fields named here are ever looked at: positions are not among them, nor is the temperature of the watch itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from assets.errors import DumpError
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.fit_beats import packed_beats, raw_beats, untimed_beats
from assets.ingest.readers.fit_messages import Message, Stream, messages
from assets.ingest.readers.sampled import series
from assets.ingest.recording import Events, Recording, Segment
from assets.ingest.source import Source

_MAGIC = b".FIT"
_WALKING = (1, 6)  # activity types whose cycles are steps: running, walking
_DAY_S = 86_400
# message: name, unit, field, factor, lowest and highest value that is one
_VALUES: Mapping[str, tuple[tuple[str, str, str, float, float, float], ...]] = {
    "record": (
        ("hr", "bpm", "heart_rate", 1.0, 1, 254),
        ("respiration", "1/min", "enhanced_respiration_rate", 0.01, 1, 120),
        ("respiration", "1/min", "respiration_rate", 1.0, 1, 120),
    ),
    "monitoring": (("hr", "bpm", "heart_rate", 1.0, 1, 254),),
    "stress_level": (("stress", "0–100", "stress_level_value", 1.0, 0, 100),),
    "respiration_rate": (("respiration", "1/min", "respiration_rate", 0.01, 1, 120),),
    "spo2_data": (("spo2", "%", "reading_spo2", 1.0, 1, 100),),
    "hsa_heart_rate_data": (("hr", "bpm", "heart_rate", 1.0, 1, 254),),
    "hsa_stress_data": (("stress", "0–100", "stress_level", 1.0, 0, 100),),
    "hsa_respiration_data": (("respiration", "1/min", "respiration_rate", 0.01, 1, 120),),
    "hsa_spo2_data": (("spo2", "%", "reading_spo2", 1.0, 1, 100),),
}


@dataclass
class _Points:
    """Values of one kind as they are found."""

    unit: str
    times_us: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


def _claims(source: Source) -> bool:
    return source.single and source.head()[8:12] == _MAGIC


def read(source: Source, context: Context) -> Recording:
    """Read one file, with all that are chained to it.

    Raises:
        DumpError: it is damaged before its first message, or holds nothing of the person.
    """
    stream = messages(source.only.read(context.most_bytes))
    beats, said = _beats(stream.messages)
    points = _points(stream.messages)
    segments: list[Segment] = []
    events = [e for e in (beats, _steps(stream.messages)) if len(e.time_us)]
    for kind, found in points.items():
        sampled, now_and_then = series(kind, found.unit, np.array(found.times_us, np.int64), np.array(found.values))
        segments += sampled
        events += now_and_then
    if not segments and not events:
        raise DumpError(_nothing(stream))
    return Recording(segments, events, facts=_facts(stream.messages), remarks=[*said, *stream.remarks])


def _beats(found: Sequence[Message]) -> tuple[Events, list[str]]:
    """The beats of the most exact source in the file."""
    ways = {"raw_bbi": raw_beats, "beat_intervals": raw_beats, "hr": packed_beats, "hrv": untimed_beats}
    told = {name: beats for name, way in ways.items() if len((beats := way(found, name)).time_us)}
    if not told:
        return Events("beat", np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.bool_)), []
    best = next(iter(told))
    others = ", ".join(n for n in told if n != best)
    return told[best], [f"beats are given twice; those of {best} count, not {others}"] if others else []


def _points(found: Sequence[Message]) -> dict[str, _Points]:
    points: dict[str, _Points] = {}
    for message in found:
        for name, unit, key, factor, low, high in _VALUES.get(message.name, ()):
            for time_us, value in _timed(message, key):
                if low <= value * factor <= high:
                    kept = points.setdefault(name, _Points(unit))
                    kept.times_us.append(time_us)
                    kept.values.append(value * factor)
    return points


def _timed(message: Message, key: str) -> Iterator[tuple[int, float]]:
    """A field's values with their times: one, or an array at the message's own interval."""
    values, start = message.numbers(key), message.number("stress_level_time")
    start_us = message.time_us if start is None else Message.clock_us(start)
    step = message.number("processing_interval")
    if start_us is None or (len(values) > 1 and not step):
        return
    for n, value in enumerate(values):
        if value is not None:
            yield start_us + round(n * (step or 0) * 1e6), value


def _steps(found: Sequence[Message]) -> Events:
    """Steps since the message before; the counters of a day that begins at midnight begin at 0."""
    times, counts = [], []
    before: dict[float, float] = {}
    whole_day = False
    for message in found:
        if message.name == "monitoring_info":
            local = message.number("local_timestamp")
            whole_day = local is not None and local % _DAY_S == 0
        for time_us, steps in _timed(message, "steps") if message.name == "hsa_step_data" else ():
            times.append(time_us)
            counts.append(steps)
        activity, total = message.activity, message.number("steps") or message.number("cycles")
        if message.name != "monitoring" or activity not in _WALKING or total is None or message.time_us is None:
            continue
        last = before.get(activity, 0.0 if whole_day else None)
        before[activity] = total
        if last is not None:
            times.append(message.time_us)
            counts.append(total - last if total >= last else total)
    order = np.argsort(np.array(times, np.int64), kind="stable")
    value = np.array(counts, np.float64)[order]
    walked = value > 0
    when = np.array(times, np.int64)[order][walked]
    return Events("steps", when, value[walked], np.ones(len(when), np.bool_))


def _facts(found: Sequence[Message]) -> dict[str, object]:
    """Which device it was."""
    own = next((m for m in found if m.name == "file_id"), None)
    facts: dict[str, object] = {"device": "Garmin"}
    if own is not None:
        told = {"serial": own.number("serial_number"), "product": own.number("garmin_product")}
        facts |= {name: int(value) for name, value in told.items() if value is not None}
    return facts


def _nothing(stream: Stream) -> str:
    said = f" ({'; '.join(stream.remarks)})" if stream.remarks else ""
    if not stream.messages:
        return f"a FIT file without a single readable message{said}: copy it again from the device"
    return (
        f"a FIT file without beats, heart rate, steps, stress, respiration or oxygen: it holds only "
        f"{', '.join(stream.names)} (positions and distances are not read){said}"
    )


READER = Reader("garmin_fit", "1", _claims, read)
