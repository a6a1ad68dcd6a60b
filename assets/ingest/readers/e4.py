"""Empatica E4: `ACC BVP EDA TEMP HR IBI tags (.csv)`, zipped or not, whole or not.

Every sampled file opens with its UTC start (seconds) and its rate (Hz), in whatever form of number; ACC says both
three times. A stream that is missing, empty or broken leaves the others alone and is remarked on. IBI offsets are
the time of the beat that *ends* the interval, to 1/64 s; a rejected beat is a missing row, so an interval is valid
only where it reaches back to the beat before it (within 10 ms). HR is a device average, kept as a signal and never
a source of beats. Source of the layout: the `info.txt` that Empatica puts into each zip, and real sessions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.errors import DumpError
from assets.ingest.grouping import E4_HEAD, E4_STREAMS, e4_stream
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.numbers import columns, first_lines, micros
from assets.ingest.recording import Events, Recording, Segment, segments_of
from assets.ingest.source import Member, Source

CONTIGUOUS_S = 0.01
TAG_MARGIN_S = 60.0
LONGEST_IBI_S = 10.0
_SERIAL = re.compile(r"(?:^|[/!])\d{9,10}_(?P<serial>[A-Za-z0-9]{4,12})(?:\.zip)?(?:$|[/!])")

# stream: signals, unit, factor to that unit, lowest and highest value that the device can mean
_SAMPLED: Mapping[str, tuple[tuple[str, ...], str, float, float, float]] = {
    "ACC": (("acc_x", "acc_y", "acc_z"), "g", 1 / 64, -2.1, 2.1),
    "BVP": (("bvp",), "a.u.", 1.0, -1e5, 1e5),
    "EDA": (("eda",), "µS", 1.0, -1.0, 200.0),
    "TEMP": (("temp",), "°C", 1.0, -45.0, 120.0),
    "HR": (("hr",), "bpm", 1.0, 0.0, 300.0),
}


def _claims(source: Source) -> bool:
    named = [m for m in source.members if e4_stream(m.base) and m.size]
    return any(E4_HEAD.match(m.head(200)) for m in named)


def read(source: Source, context: Context) -> Recording:
    """Read one session.

    Raises:
        DumpError: none of its streams can be read; the message lists why.
    """
    members = {stream: m for m in source.members if (stream := e4_stream(m.base))}
    remarks = _missing(members)
    segments: list[Segment] = []
    for stream in _SAMPLED:
        if stream in members and members[stream].size:
            try:
                found, said = _sampled(stream, members[stream], context)
            except DumpError as error:
                remarks.append(f"{stream} left out: {error}")
            else:
                segments += found
                remarks += said
    beats, said = _ibi(members.get("IBI"), context)
    remarks += said
    tags, said = _tags(members.get("TAGS"), segments, context)
    events = [e for e in (beats, tags) if e is not None and len(e.time_us)]
    if not segments and not events:
        message = f"an Empatica E4 session without a single sample ({'; '.join(remarks)})"
        raise DumpError(message)
    serial = _SERIAL.search(source.path)
    facts = {"device": "Empatica E4"} | ({"serial": serial["serial"]} if serial else {})
    return Recording(segments, events, facts=facts, remarks=[*remarks, *said, *_cut(segments)])


def _missing(members: Mapping[str, Member]) -> list[str]:
    absent = [s for s in E4_STREAMS if s not in members and s != "TAGS"]
    empty = [s for s in E4_STREAMS if s in members and not members[s].size and s != "TAGS"]
    return [f"{', '.join(names)} {what}" for names, what in ((absent, "missing"), (empty, "0 bytes")) if names]


def _sampled(stream: str, member: Member, context: Context) -> tuple[list[Segment], list[str]]:
    signals, unit, factor, low, high = _SAMPLED[stream]
    data = member.read(context.most_bytes)
    (start, rate), body = first_lines(data, 2)
    start_us, rate_hz = micros(_one(start)), _rate(_one(rate))
    table = columns(data[body:], len(signals))
    del data
    if table.bad > 0.1 * len(table.values) + 1:
        message = f"{table.bad} of {len(table.values)} lines are no samples"
        raise DumpError(message)
    values = table.values * np.float32(factor)
    wrong = np.asarray(((values < low) | (values > high) | np.isnan(values)).any(axis=1))
    values[wrong] = np.nan
    segments = [
        s
        for n, signal in enumerate(signals)
        for s in segments_of(signal, unit, start_us, rate_hz, np.ascontiguousarray(values[:, n], np.float32))
    ]
    said = (
        [f"{stream}: {wrong.sum()} of {len(wrong)} samples unreadable or impossible, left out"] if wrong.any() else []
    )
    return segments, said if len(table.values) else [f"{stream} holds no samples"]


def _one(line: str) -> str:
    """A header value; ACC writes it three times."""
    values = {v.strip() for v in line.split(",") if v.strip()}
    if len(values) != 1:
        message = f"its header {line[:60]!r} is not one start or rate"
        raise DumpError(message)
    return values.pop()


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = float("nan")
    if not 0.01 <= rate <= 10_000:
        message = f"its second line {text[:40]!r} is no rate in Hz"
        raise DumpError(message)
    return rate


def _ibi(member: Member | None, context: Context) -> tuple[Events | None, list[str]]:
    """Beats with the interval that each ends."""
    if member is None or not member.size:
        return None, []
    try:
        data = member.read(context.most_bytes)
        (header,), body = first_lines(data, 1)
        start_us = micros(header.split(",")[0])
    except DumpError as error:
        return None, [f"IBI left out: {error}"]
    table = columns(data[body:], 2, dtype=pl.Float64())
    offset, ibi = table.values[:, 0].astype(np.float64), table.values[:, 1].astype(np.float64)
    good = (ibi > 0) & (ibi <= LONGEST_IBI_S) & (offset >= 0) & (offset < 1e7)
    order = np.argsort(offset[good], kind="stable")
    offset, ibi = offset[good][order], ibi[good][order]
    new = np.diff(offset, prepend=-1.0) > 0
    offset, ibi = offset[new], ibi[new]
    said = [f"IBI: {len(good) - len(offset)} of {len(good)} rows unreadable or repeated, left out"]
    times = start_us + np.round(offset * 1e6).astype(np.int64)
    return Events("beat", times, ibi * 1000.0, _contiguous(offset, ibi)), said if len(offset) < len(good) else []


def _contiguous(offset: NDArray[np.float64], ibi: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each interval reaches back to the beat before it; the first of a file has none before it."""
    valid = np.zeros(len(offset), dtype=np.bool_)
    valid[1:] = np.abs(np.diff(offset) - ibi[1:]) < CONTIGUOUS_S
    return valid


def _tags(member: Member | None, segments: Iterable[Segment], context: Context) -> tuple[Events | None, list[str]]:
    """Button presses in order; those far outside the session come from another clock and are left out."""
    if member is None or not member.size:
        return None, []
    try:
        lines = member.read(context.most_bytes).decode("utf-8-sig", "replace").splitlines()
    except DumpError as error:
        return None, [f"tags left out: {error}"]
    times, bad = [], 0
    for line in lines:
        if line.strip():
            try:
                times.append(micros(line.strip().rstrip(",")))
            except DumpError:
                bad += 1
    said = [f"tags: {bad} lines are no times, left out"] if bad else []
    found = np.unique(np.array(times, dtype=np.int64))
    spans = [(s.start_us, s.end_us) for s in segments]
    if spans and len(found):
        first, last = min(s for s, _ in spans) - TAG_MARGIN_S * 1e6, max(e for _, e in spans) + TAG_MARGIN_S * 1e6
        outside = (found < first) | (found > last)
        if outside.any():
            far = np.where(found < first, found - first, found - last)[outside]
            hours = far[np.argmax(np.abs(far))] / 3.6e9
            said.append(f"{outside.sum()} tags lie up to {hours:+.1f} h outside the session, left out: check its clock")
            found = found[~outside]
    return Events("tag", found, np.full(len(found), np.nan), np.ones(len(found), dtype=np.bool_)), said


def _cut(segments: Iterable[Segment]) -> list[str]:
    """Remark on streams that end long before the session does: the copy was cut."""
    ends: dict[str, int] = {}
    for s in segments:
        ends[s.signal] = max(ends.get(s.signal, 0), s.end_us)
    last = max(ends.values(), default=0)
    early = [f"{name} {(last - end) / 6e7:.0f} min" for name, end in ends.items() if last - end > 60e6]
    return [f"ends early, perhaps cut: {', '.join(early)}"] if early else []


READER = Reader("e4", "3", _claims, read)
