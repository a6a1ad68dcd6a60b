"""EDF and EDF+ (Bittium Faros and other recorders): channels by label and unit, annotations, marker presses.

ECG becomes mV, acceleration g, skin conductance µS; other channels keep their unit under a name made of their label.
ECG at the end of its range is saturated and left out. The Faros HRV channel is 0 between beats and an interval where
one was found, five times a second: beat times are rebuilt from the intervals inside a run, since stamps are coarser
than they. The start is on the recorder's clock: in the zone that the header names (`TZ=+0200`), else the
participant's. The header's patient field and the texts of annotations are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta, timezone

import numpy as np
from numpy.typing import NDArray

from assets.errors import DumpError
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.channel_names import base, in_unit, known_signal, numbered, slug
from assets.ingest.readers.edf_file import ANNOTATIONS, Channel, EdfFile, looks_edf, parse_edf
from assets.ingest.readers.intervals import beat_runs
from assets.ingest.recording import Events, Recording, Segment, segments_of
from assets.ingest.source import Source
from assets.ingest.times import to_us

SATURATING = frozenset({"ecg", "eda", "bvp", "emg", "eeg", "eog", "respiration"})
_SLACK_S = 0.05


@dataclass(frozen=True)
class _Run:
    """Records `first` … `last` − 1 follow on each other from `start_us` on."""

    first: int
    last: int
    start_us: int


def _claims(source: Source) -> bool:
    return source.single and looks_edf(source.head()[:256])


def read(source: Source, context: Context) -> Recording:
    """Read one recording.

    Raises:
        DumpError: its header is cut or damaged, or it holds neither samples nor annotations.
    """
    file = parse_edf(source.only.read(context.most_bytes))
    if not file.channels:
        message = "an EDF file without signals and annotations: nothing was recorded"
        raise DumpError(message)
    runs, tags = _runs(file, context)
    segments: list[Segment] = []
    events: list[Events] = []
    remarks = _cut(file)
    names: dict[str, int] = {}
    for n, channel in enumerate(file.channels):
        if channel.label == ANNOTATIONS or not channel.count:
            continue
        signal = known_signal(channel.label) or slug(channel.label)
        if not channel.scaled:
            remarks.append(f"{channel.label}: its header does not say what a count means, left out")
        elif signal == "rr":
            events.append(_beats(file, n, runs))
        elif signal == "marker":
            tags += _presses(file, n, runs)
        else:
            found, said = _sampled(file, n, runs, numbered(signal, names))
            segments += found
            remarks += said
    events.append(_tags(tags))
    return Recording(segments, [e for e in events if len(e.time_us)], facts=_facts(file), remarks=remarks)


def _runs(file: EdfFile, context: Context) -> tuple[list[_Run], list[int]]:
    """Stretches of records without a pause, and the times of annotations that say something."""
    named = re.search(r"TZ=([+-])(\d{2}):?(\d{2})", file.recording)
    start = file.start
    if named:
        shift = timedelta(hours=int(named[2]), minutes=int(named[3]))
        start = start.replace(tzinfo=timezone(-shift if named[1] == "-" else shift))
    start_us = to_us(start, context.calendar)
    onsets = np.arange(len(file.records)) * file.duration_s
    told = np.zeros(len(onsets), np.bool_)
    tags = []
    for record, onset, texts in file.annotations():
        if not told[record]:
            told[record] = True
            if abs(onset) < 1e9:
                onsets[record] = onset
            if not texts:
                continue
        if texts and abs(onset) < 1e9:
            tags.append(start_us + round(onset * 1e6))
    if file.kind != "EDF+D" and len(onsets):
        begun = onsets[0] if 0 <= onsets[0] < 1 else 0.0  # EDF+ tells the fraction of a second at which it starts
        onsets = begun + np.arange(len(onsets)) * file.duration_s
    fastest = max((c.count / file.duration_s for c in file.channels if file.duration_s), default=1.0)
    breaks = np.flatnonzero(np.abs(np.diff(onsets) - file.duration_s) > 0.5 / max(fastest, 0.5)) + 1
    edges = zip(np.r_[0, breaks], np.r_[breaks, len(onsets)], strict=True)
    return [_Run(int(a), int(b), start_us + round(onsets[a] * 1e6)) for a, b in edges if b > a], tags


def _sampled(file: EdfFile, n: int, runs: Iterable[_Run], signal: str) -> tuple[list[Segment], list[str]]:
    channel = file.channels[n]
    unit, factor = in_unit(signal, channel.unit)
    rate = channel.count / file.duration_s
    segments: list[Segment] = []
    saturated = 0
    for run in runs:
        digital = file.samples(n)[run.first : run.last].reshape(-1)
        values = (_physical(channel, digital) * factor).astype(np.float32)
        if base(signal) in SATURATING:
            railed = (digital <= channel.digital_low) | (digital >= channel.digital_high)
            values[railed] = np.nan
            saturated += int(railed.sum())
        segments += segments_of(signal, unit, run.start_us, rate, values)
    said = [f"{channel.label}: {saturated} samples ({saturated / rate:.2f} s) saturated, left out"] if saturated else []
    return segments, said


def _physical(channel: Channel, digital: NDArray[np.int16]) -> NDArray[np.float64]:
    gain = (channel.high - channel.low) / (channel.digital_high - channel.digital_low)
    return (digital.astype(np.float64) - channel.digital_low) * gain + channel.low


def _beats(file: EdfFile, n: int, runs: Iterable[_Run]) -> Events:
    """Intervals that stand between zeros, each at the beat that ends it."""
    channel = file.channels[n]
    period_s = file.duration_s / channel.count
    factor = in_unit("rr", channel.unit)[1]
    stamps, intervals = [np.zeros(0, np.int64)], [np.zeros(0)]
    for run in runs:
        rr = _physical(channel, file.samples(n)[run.first : run.last].reshape(-1)) * factor
        at = np.flatnonzero(rr > 0)
        stamps.append(run.start_us + np.round(at * period_s * 1e6).astype(np.int64))
        intervals.append(rr[at])
    times, rr_ms = np.concatenate(stamps), np.concatenate(intervals)
    off_us = np.abs(np.diff(times, prepend=times[:1]) - rr_ms * 1e3)
    return beat_runs(times, rr_ms, off_us <= (period_s + _SLACK_S) * 1e6)


def _presses(file: EdfFile, n: int, runs: Iterable[_Run]) -> list[int]:
    """When a marker channel leaves its resting value."""
    channel = file.channels[n]
    period_us = file.duration_s * 1e6 / channel.count
    found: list[int] = []
    for run in runs:
        values = file.samples(n)[run.first : run.last].reshape(-1)
        rest = int(np.median(values)) if len(values) else 0
        pressed = np.r_[False, values != rest]
        found += [run.start_us + round(int(i) * period_us) for i in np.flatnonzero(pressed[1:] & ~pressed[:-1])]
    return found


def _tags(times: Iterable[int]) -> Events:
    found = np.unique(np.array(list(times), np.int64))
    return Events("tag", found, np.full(len(found), np.nan), np.ones(len(found), np.bool_))


def _cut(file: EdfFile) -> list[str]:
    missing = file.announced - len(file.records)
    return [f"cut: {missing} of {file.announced} records are missing at its end"] if missing > 0 else []


def _facts(file: EdfFile) -> dict[str, object]:
    told = dict(re.findall(r"([A-Z]+)=([A-Za-z0-9.-]+?)(?=_|\s|$)", file.recording))
    device = told.get("DEVTYPE", "")
    name = f"Bittium {device}" if device.lower().startswith("faros") else device or "EDF"
    serial = {"serial": told["SER"]} if "SER" in told else {}
    return {"device": name} | serial | ({"firmware": told["SW"]} if "SW" in told else {})


READER = Reader("edf", "1", _claims, read)
