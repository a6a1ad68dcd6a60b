"""The layout of XDF files (LabRecorder): chunks of stream headers, samples and clock offsets. What they mean: `xdf.py`.

Parsed here rather than by pyxdf, which reads sample by sample, expands the XML entities of headers, and gives up on
files whose end is missing. Source of the layout: the XDF specification (github.com/sccn/xdf, wiki).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from assets.errors import DumpError

MAGIC = b"XDF:"
_FILE, _HEADER, _SAMPLES, _OFFSET = 1, 2, 3, 4
_TYPES = {"float32": "<f4", "double64": "<f8", "int8": "<i1", "int16": "<i2", "int32": "<i4", "int64": "<i8"}
_MOST_CHANNELS = 4096


@dataclass
class Stream:
    """One stream: its header, and the blocks of its samples as they come."""

    name: str
    kind: str
    rate_hz: float
    dtype: str
    channels: list[tuple[str, str]]
    stamps: list[NDArray[np.float64]] = field(default_factory=list)
    blocks: list[NDArray[Any]] = field(default_factory=list)
    offsets: list[tuple[float, float]] = field(default_factory=list)

    @property
    def text(self) -> bool:
        """Whether its samples are words."""
        return self.dtype == "string"

    def times(self) -> NDArray[np.float64]:
        """Each sample's time on the source's clock (s); those without a stamp follow the one before them."""
        stamps = np.concatenate(self.stamps) if self.stamps else np.zeros(0)
        told = np.flatnonzero(np.isfinite(stamps))
        if len(told) == len(stamps) or not len(told):
            return stamps
        last = np.maximum.accumulate(np.where(np.isfinite(stamps), np.arange(len(stamps)), -1))
        step = 1 / self.rate_hz if self.rate_hz > 0 else 0.0
        times = stamps[np.maximum(last, 0)] + (np.arange(len(stamps)) - last) * step
        return np.where(last >= 0, times, np.nan)


@dataclass
class XdfFile:
    """A file's date as written, its streams, and whether its end is missing or damaged."""

    when: str
    streams: dict[int, Stream]
    damaged: bool


def parse_xdf(data: bytes) -> XdfFile:
    """Take a file apart; what comes before damage is kept.

    Raises:
        DumpError: nothing in it is whole.
    """
    found = XdfFile("", {}, damaged=False)
    try:
        for tag, content in _chunks(data):
            _take(tag, content, found)
    except (struct.error, ValueError, IndexError, KeyError, ET.ParseError):
        found.damaged = True
    if found.damaged and not found.streams:
        message = "the XDF file is cut or damaged before its first stream: copy it again"
        raise DumpError(message)
    return found


def _chunks(data: bytes) -> Iterator[tuple[int, memoryview]]:
    view, position = memoryview(data), len(MAGIC)
    while position < len(view):
        length, position = _length(view, position)
        if length < 2 or position + length > len(view):
            message = "a chunk reaches beyond the end of the file"
            raise ValueError(message)
        yield struct.unpack_from("<H", view, position)[0], view[position + 2 : position + length]
        position += length


def _length(view: memoryview, position: int) -> tuple[int, int]:
    """A number with its own size before it, and where it ends."""
    size = view[position]
    code = {1: "<B", 4: "<I", 8: "<Q"}[size]
    return int(struct.unpack_from(code, view, position + 1)[0]), position + 1 + size


def _take(tag: int, content: memoryview, into: XdfFile) -> None:
    if tag == _FILE:
        into.when = (_xml(content).findtext("datetime") or "").strip()
    elif tag == _HEADER:
        into.streams[struct.unpack_from("<I", content)[0]] = _stream(_xml(content[4:]))
    elif tag == _SAMPLES:
        stream = into.streams[struct.unpack_from("<I", content)[0]]
        count, position = _length(content, 4)
        _samples(stream, count, content[position:])
    elif tag == _OFFSET:
        number, collected, offset = struct.unpack_from("<Idd", content)
        if number in into.streams and np.isfinite([collected, offset]).all():
            into.streams[number].offsets.append((collected, offset))


def _xml(content: memoryview) -> ET.Element:
    text = bytes(content)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        message = "a header of the XDF file declares a document type or entities: refused, nothing was expanded"
        raise DumpError(message)
    return ET.fromstring(text.decode("utf-8", "replace"))  # noqa: S314 (no DTD gets here, so no entities)


def _stream(header: ET.Element) -> Stream:
    count = int(header.findtext("channel_count") or 1)
    dtype = (header.findtext("channel_format") or "").strip()
    rate = float(header.findtext("nominal_srate") or 0)
    if not 1 <= count <= _MOST_CHANNELS or (dtype != "string" and dtype not in _TYPES) or not 0 <= rate <= 1e6:
        message = f"a stream of {count} channels of {dtype[:20]!r} at {rate:g} Hz"
        raise ValueError(message)
    told = [(c.findtext("label") or "", c.findtext("unit") or "") for c in header.findall("desc/channels/channel")]
    channels = [told[n] if n < len(told) else ("", "") for n in range(count)]
    return Stream(header.findtext("name") or "", header.findtext("type") or "", rate, dtype, channels)


def _samples(stream: Stream, count: int, content: memoryview) -> None:
    if count > len(content):
        message = "a chunk announces more samples than it has bytes"
        raise ValueError(message)
    if stream.text:
        stream.stamps.append(np.fromiter(_words(stream, count, content), np.float64))
        return
    code = _TYPES[stream.dtype]
    width = np.dtype(code).itemsize * len(stream.channels)
    for stamped in (0, 8):
        record = np.dtype([("size", "u1"), *([("stamp", "<f8")] if stamped else []), ("values", f"V{width}")])
        if count and record.itemsize * count == len(content):
            rows = np.frombuffer(content, record)
            if (rows["size"] == stamped).all():
                stream.stamps.append(rows["stamp"].astype(np.float64) if stamped else np.full(count, np.nan))
                stream.blocks.append(np.frombuffer(rows["values"].tobytes(), code).reshape(count, len(stream.channels)))
                return
    _mixed(stream, count, content, code, width)


def _mixed(stream: Stream, count: int, content: memoryview, code: str, width: int) -> None:
    """Samples of which only some carry a stamp."""
    stamps, values, position = np.full(count, np.nan), bytearray(), 0
    for n in range(count):
        stamps[n], position = _stamp(content, position)
        if position + width > len(content):
            message = "a sample reaches beyond its chunk"
            raise ValueError(message)
        values += content[position : position + width]
        position += width
    stream.stamps.append(stamps)
    stream.blocks.append(np.frombuffer(bytes(values), code).reshape(count, len(stream.channels)))


def _words(stream: Stream, count: int, content: memoryview) -> Iterator[float]:
    """The stamps of samples of text; the texts themselves are not kept."""
    position = 0
    for _ in range(count):
        stamp, position = _stamp(content, position)
        for _channel in stream.channels:
            length, position = _length(content, position)
            position += length
        yield stamp


def _stamp(content: memoryview, position: int) -> tuple[float, int]:
    size = content[position]
    if size == 0:
        return float("nan"), position + 1
    if size != 8:
        message = f"a time stamp of {size} bytes"
        raise ValueError(message)
    return struct.unpack_from("<d", content, position + 1)[0], position + 9
