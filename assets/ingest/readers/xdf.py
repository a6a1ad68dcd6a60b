"""LSL recordings (XDF, written by LabRecorder): ECG, PPG, EDA, acceleration, intervals, markers of any lab device.

Streams carry times on their sender's clock; the offsets that the recorder measured bring them onto its own. That clock
counts from the machine's start, and only the file's header says when the recording began: the first offset was
measured then, so all times are right to about a second and exact among each other. A file whose header has no date
is dated as clips are, by a sidecar or its name. Texts of markers are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from assets.errors import DumpError
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.channel_names import in_unit, known_signal, numbered, slug
from assets.ingest.readers.intervals import beats_from_arrivals
from assets.ingest.readers.sampled import contiguous_columns
from assets.ingest.readers.series import point_events
from assets.ingest.readers.starts import from_name, from_sidecar, undated
from assets.ingest.readers.xdf_file import MAGIC, Stream, XdfFile, parse_xdf
from assets.ingest.recording import Events, Recording, Segment, Times
from assets.ingest.source import Source
from assets.ingest.times import parse, to_us

_OUTLIER_S = 1e-3
_ANEW_S = 1.0  # an offset that jumps further is another clock
_ENOUGH_FOR_RATE = 10

Offsets = NDArray[np.float64]  # (n, 2): when on the sender's clock, and what leads to the recorder's


def _claims(source: Source) -> bool:
    return source.single and source.head().startswith(MAGIC)


def read(source: Source, context: Context) -> Recording:
    """Read one recording.

    Raises:
        DumpError: it is damaged before its first stream, or nothing says when it was made.
    """
    file = parse_xdf(source.only.read(context.most_bytes))
    remarks = ["its end is missing or damaged; what came before is kept"] if file.damaged else []
    times = {n: _recorder_times(s) for n, s in file.streams.items()}
    begun = _begun(file, times)
    if begun is None:
        message = f"the XDF file has {len(file.streams)} streams and not one sample: the recorder was stopped at once"
        raise DumpError(message)
    start_us = _start(file, source, context)
    segments: list[Segment] = []
    events: list[Events] = []
    names: dict[str, int] = {}
    for number, stream in file.streams.items():
        seconds = times[number] - begun
        present = np.isfinite(seconds) & (np.abs(seconds) < 1e8)
        if not present.all():
            remarks.append(f"{slug(stream.name)}: {(~present).sum()} samples without a time left out")
        times_us = start_us + np.round(np.where(present, seconds, 0.0) * 1e6).astype(np.int64)
        if len(times_us):
            _gather(stream, times_us, present, names, segments, events)
    return Recording(segments, _tags_once(events), facts={"device": "LSL (XDF)"}, remarks=remarks)


def _recorder_times(stream: Stream) -> NDArray[np.float64]:
    """A stream's times on the recorder's clock: its own, corrected by a line through the offsets."""
    times, runs = stream.times(), _runs_of_a_clock(stream)
    if not runs:
        return times
    parts = _parts_of_a_clock(times, runs)
    return np.concatenate([_corrected(part, run) for part, run in zip(parts, runs, strict=True)])


def _runs_of_a_clock(stream: Stream) -> list[Offsets]:
    """The measured offsets, divided where the sender's clock started anew: its machine was started again."""
    if not stream.offsets:
        return []
    found = np.array(stream.offsets, np.float64)
    runs = np.split(found, np.flatnonzero(np.abs(np.diff(found[:, 1])) > _ANEW_S) + 1)
    return [run for run in runs if len(run) > 1] or [found]  # one alone is a measurement that went wrong


def _parts_of_a_clock(times: NDArray[np.float64], runs: Sequence[Offsets]) -> list[NDArray[np.float64]]:
    """A stream's times divided where the next run of offsets is nearer than the one before it."""
    parts, rest = [], times
    for before, after in pairwise(runs):
        nearer = np.abs(rest - after[0, 0]) < np.abs(rest - before[-1, 0])
        at = int(np.argmax(nearer)) if nearer.any() else len(rest)
        parts.append(rest[:at])
        rest = rest[at:]
    return [*parts, rest]


def _corrected(times: NDArray[np.float64], offsets: Offsets) -> NDArray[np.float64]:
    at, offset = offsets.T
    good = np.abs(offset - np.median(offset)) <= max(
        10 * float(np.median(np.abs(offset - np.median(offset)))), _OUTLIER_S
    )
    if good.sum() >= 2 and np.ptp(at[good]) > 0:
        slope, level = np.polyfit(at[good] - at[0], offset[good], 1)
        return np.asarray(times + level + slope * (times - at[0]), np.float64)
    return times + float(np.median(offset))


def _begun(file: XdfFile, times: dict[int, NDArray[np.float64]]) -> float | None:
    """The recorder's clock when the recording began: at its first measured offset, else at the first sample."""
    if not any(np.isfinite(t).any() for t in times.values()):
        return None
    measured = [at + offset for s in file.streams.values() for at, offset in s.offsets[:1]]
    return min(measured) if measured else min(float(np.nanmin(t)) for t in times.values() if np.isfinite(t).any())


def _start(file: XdfFile, source: Source, context: Context) -> int:
    """When the recording began: as a sidecar says, the header, or the file's name."""
    told = from_sidecar(source, context)
    if told is not None:
        return told
    when = parse(file.when) if file.when else None
    if when is not None:
        return to_us(when, context.calendar)
    named = from_name(source, context)
    if named is None:
        what = "this LSL recording"
        raise undated(what, source)
    return named


def _gather(
    stream: Stream,
    times_us: Times,
    present: NDArray[np.bool_],
    names: dict[str, int],
    segments: list[Segment],
    events: list[Events],
) -> None:
    """A stream as segments (sampled), beats (intervals), tags (markers), or events of its kind (now and then)."""
    kind = known_signal(stream.kind) or known_signal(stream.name)
    if stream.text or kind == "marker":
        found = np.unique(times_us[present])
        events.append(Events("tag", found, np.full(len(found), np.nan), np.ones(len(found), np.bool_)))
        return
    values = np.concatenate(stream.blocks).astype(np.float64)[present]
    times_us = times_us[present]
    signals, factors = [], []
    for n, (label, unit) in enumerate(stream.channels):
        name = _signal(stream, n, label, kind)
        if name == "rr":
            events.append(beats_from_arrivals(times_us, values[:, n] * _interval_factor(unit, values[:, n])))
            signals.append(("", ""))
            factors.append(1.0)
            continue
        written, factor = in_unit(name, unit)
        signals.append((numbered(name, names), written))
        factors.append(factor)
    kept = [n for n, (name, _) in enumerate(signals) if name]
    if not kept or not len(times_us):
        return
    scaled = values[:, kept] * np.array(factors)[kept]
    if stream.rate_hz > 0:
        rate = stream.rate_hz if len(times_us) < _ENOUGH_FOR_RATE else None
        segments += contiguous_columns([signals[n] for n in kept], times_us, scaled, rate_hz=rate)
    else:
        events += [point_events(signals[n][0], times_us, scaled[:, m]) for m, n in enumerate(kept)]


def _signal(stream: Stream, n: int, label: str, kind: str | None) -> str:
    known = known_signal(label)
    if known and known != "marker":
        return known
    moves = re.match(r"acc|gyro", stream.kind.lower()) or re.match(r"acc|gyro", stream.name.lower())
    axis = label.strip().lower()[-1:] if label.strip().lower()[-1:] in {"x", "y", "z"} else "xyz"[n : n + 1]
    if moves and axis:
        return f"{moves[0]}_{axis}"
    return kind or slug(f"{stream.name or stream.kind} {label or n}")


def _interval_factor(unit: str, values: NDArray[np.float64]) -> float:
    """Intervals in s or ms, as the unit says, or else their size."""
    told = in_unit("rr", unit)
    return told[1] if told[0] == "ms" and unit else 1e3 if np.nanmedian(values) < 10 else 1.0


def _tags_once(events: list[Events]) -> list[Events]:
    """All markers as one series."""
    tags = np.unique(np.concatenate([np.zeros(0, np.int64), *(e.time_us for e in events if e.kind == "tag")]))
    merged = Events("tag", tags, np.full(len(tags), np.nan), np.ones(len(tags), np.bool_))
    return [e for e in (*(e for e in events if e.kind != "tag"), merged) if len(e.time_us)]


READER = Reader("xdf", "2", _claims, read)
