"""Empatica EmbracePlus: raw Avro files, one record each of about 30 minutes.

Every stream has its own start (µs) and its own fractional rate; an absent one has rate 0. Acceleration counts become
g by the physical and digital ranges up to schema 6.4, by `conversionFactor` from 6.5 on. Systolic peaks come in ns
and may begin before the pulse signal does; they are the device's beats. The schema is embedded, so files of any
version are read by what they say of themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assets.errors import DumpError
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.series import beats_from_times
from assets.ingest.recording import Events, Recording, Segment, merged, segments_of
from assets.ingest.source import Source

MAGIC = b"Obj\x01"
_HEAD = 65_536
# stream: signal, unit
_PLAIN = {"eda": ("eda", "µS"), "temperature": ("temp", "°C"), "bvp": ("bvp", "a.u.")}
_INERTIAL = {"accelerometer": ("acc", "g"), "gyroscope": ("gyro", "°/s"), "magnetometer": ("mag", "µT")}


def _claims(source: Source) -> bool:
    if not source.single or not source.head().startswith(MAGIC):
        return False
    head = source.only.head(_HEAD)
    return b"rawData" in head and b"systolicPeaks" in head


def read(source: Source, context: Context) -> Recording:
    """Read one file.

    Raises:
        DumpError: it is cut or damaged before its first record ends, or holds no samples.
    """
    import fastavro

    del context
    parts: list[Recording] = []
    remarks: list[str] = []
    with source.only.open() as file:
        try:
            parts.extend(_recording(record) for record in fastavro.reader(file) if isinstance(record, dict))
        except DumpError:
            raise
        except Exception as error:  # fastavro raises whatever its parser trips over
            if not parts:
                message = f"the Avro file is cut or damaged ({type(error).__name__}): copy it again from the cloud"
                raise DumpError(message) from error
            remarks.append("the file is damaged after its first record; what came before is kept")
    whole = merged(parts)
    return Recording(whole.segments, whole.events, facts=whole.facts, remarks=[*whole.remarks, *remarks])


def _recording(record: Mapping[str, Any]) -> Recording:
    raw = record["rawData"]
    version = record.get("schemaVersion") or {}
    since_factor = (version.get("major", 6), version.get("minor", 0)) >= (6, 5)
    segments = [*_sampled(raw), *_inertial(raw, by_factor=since_factor)]
    events = [e for e in _events(raw) if len(e.time_us)]
    facts = {
        "device": "Empatica EmbracePlus",
        "serial": record.get("deviceSn"),
        "firmware": _version(record.get("fwVersion")),
        "schema": _version(version),
    }
    return Recording(segments, events, facts={k: v for k, v in facts.items() if v})


def _sampled(raw: Mapping[str, Any]) -> Iterator[Segment]:
    for name, (signal, unit) in _PLAIN.items():
        stream = raw.get(name) or {}
        yield from _segments(stream, signal, unit, np.asarray(stream.get("values") or (), np.float32))


def _inertial(raw: Mapping[str, Any], *, by_factor: bool) -> Iterator[Segment]:
    for name, (signal, unit) in _INERTIAL.items():
        stream = raw.get(name) or {}
        factor = _factor(stream.get("imuParams") or {}, by_factor=by_factor)
        for axis in "xyz":
            values = np.asarray(stream.get(axis) or (), np.float32) * np.float32(factor)
            yield from _segments(stream, f"{signal}_{axis}", unit, values)


def _factor(params: Mapping[str, Any], *, by_factor: bool) -> float:
    """What one count means."""
    factor = float(params.get("conversionFactor") or 0)
    if by_factor and factor:
        return factor
    digital = float(params.get("digitalMax") or 0) - float(params.get("digitalMin") or 0)
    physical = float(params.get("physicalMax") or 0) - float(params.get("physicalMin") or 0)
    return physical / digital if digital and physical else factor or 1.0


def _segments(stream: Mapping[str, Any], signal: str, unit: str, values: NDArray[np.float32]) -> list[Segment]:
    start, rate = int(stream.get("timestampStart") or 0), float(stream.get("samplingFrequency") or 0)
    if not start or not rate > 0 or not len(values):
        return []
    return segments_of(signal, unit, start, rate, values)


def _events(raw: Mapping[str, Any]) -> Iterator[Events]:
    tags = np.unique(np.asarray((raw.get("tags") or {}).get("tagsTimeMicros") or (), np.int64))
    yield Events("tag", tags, np.full(len(tags), np.nan), np.ones(len(tags), np.bool_))
    peaks = np.asarray((raw.get("systolicPeaks") or {}).get("peaksTimeNanos") or (), np.int64)
    yield beats_from_times(peaks // 1000)
    steps = raw.get("steps") or {}
    counts, rate = np.asarray(steps.get("values") or (), np.float64), float(steps.get("samplingFrequency") or 0)
    if rate > 0 and len(counts):
        times = int(steps["timestampStart"]) + np.round(np.arange(len(counts)) * 1e6 / rate).astype(np.int64)
        walked = counts > 0
        yield Events("steps", times[walked], counts[walked], np.ones(int(walked.sum()), np.bool_))


def _version(parts: Mapping[str, Any] | None) -> str | None:
    return ".".join(str(parts[k]) for k in ("major", "minor", "patch") if k in parts) if parts else None


READER = Reader("embraceplus", "1", _claims, read)
