"""The layout of EDF and EDF+ files: header, records of 16-bit numbers, annotations. What channels mean: `edf.py`.

Parsed here because libraries for EDF refuse what devices leave behind: files cut while they were written, a record
count of −1, recordings with pauses (EDF+D), no signals at all. Source of the layout: Kemp and Olivan 2003
(doi:10.1016/S1388-2457(03)00123-8) and the specification at edfplus.info.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assets.errors import DumpError

FIXED = 256
ANNOTATIONS = "EDF Annotations"
_WIDTHS = {"label": 16, "transducer": 80, "unit": 8, "low": 8, "high": 8, "digital_low": 8, "digital_high": 8,
           "filter": 80, "count": 8, "spare": 32}  # fmt: skip
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_LONGEST_RECORD = 64 * 2**20
_TAL = re.compile(rb"([+-]\d{1,12}(?:\.\d{1,9})?)(?:\x15\d{0,12}(?:\.\d{1,9})?)?\x14([^\0]*)")


@dataclass(frozen=True)
class Channel:
    """One signal's header: `count` samples a record, digital range to physical range in `unit`."""

    label: str
    unit: str
    low: float
    high: float
    digital_low: int
    digital_high: int
    count: int

    @property
    def scaled(self) -> bool:
        """Whether its ranges say what a count means."""
        return self.digital_high != self.digital_low and self.high != self.low


@dataclass(frozen=True)
class EdfFile:
    """A file's header and its whole records; `recording` is the free text on the equipment (never the patient's)."""

    recording: str
    start: datetime
    kind: str
    duration_s: float
    channels: tuple[Channel, ...]
    records: NDArray[np.int16]
    announced: int

    def samples(self, channel: int) -> NDArray[np.int16]:
        """All digital samples of one channel, (records, count)."""
        first = sum(c.count for c in self.channels[:channel])
        return self.records[:, first : first + self.channels[channel].count]

    def annotations(self) -> Iterator[tuple[int, float, tuple[bytes, ...]]]:
        """Each annotation with its record and its onset in seconds; without texts it keeps the record's time."""
        for n, channel in enumerate(self.channels):
            if channel.label == ANNOTATIONS:
                for record, block in enumerate(self.samples(n)):
                    for match in _TAL.finditer(block.tobytes()):
                        yield record, float(match[1]), tuple(t for t in match[2].split(b"\x14") if t.strip())


def looks_edf(head: bytes) -> bool:
    """Whether a file begins as EDF does: version 0, then dates and counts in text."""
    return (
        head.startswith(b"0       ")
        and re.match(rb"\d\d\.\d\d\.\d\d\d\d\.\d\d\.\d\d", head[168:184]) is not None
        and re.match(rb"\d+ *$", head[184:192]) is not None
    )


def parse_edf(data: bytes) -> EdfFile:
    """Take a file apart.

    Raises:
        DumpError: its header is cut or contradicts itself.
    """
    text = data[:FIXED].decode("latin-1")
    channel_count = _whole(text[252:256], "number of signals")
    header = FIXED * (channel_count + 1)
    if not 0 <= channel_count <= 4096 or len(data) < header:
        message = "the EDF file is cut within its header: copy it again from the device"
        raise DumpError(message)
    channels = tuple(_channels(data[FIXED:header].decode("latin-1"), channel_count))
    duration = _real(text[244:252], "duration of a record")
    width = sum(c.count for c in channels)
    if not 0 <= duration <= 1e6 or width * 2 > _LONGEST_RECORD or (duration == 0 and _sampled(channels)):
        message = f"its EDF header is damaged: records of {duration:g} s with {width} samples; copy it again"
        raise DumpError(message)
    announced = _whole(text[236:244], "number of records")
    whole = (len(data) - header) // (2 * width) if width else 0
    count = whole if announced <= 0 else min(whole, announced)
    records = np.frombuffer(data, "<i2", count * width, header).reshape(count, width)
    start = _start(text[168:184], text[88:168])
    return EdfFile(text[88:168].strip(), start, text[192:236].strip()[:5], duration, channels, records, announced)


def _sampled(channels: tuple[Channel, ...]) -> bool:
    return any(c.label != ANNOTATIONS and c.count for c in channels)


def _channels(text: str, count: int) -> Iterator[Channel]:
    position, found = 0, []
    for width in _WIDTHS.values():
        found.append([text[position + n * width : position + (n + 1) * width].strip() for n in range(count)])
        position += count * width
    for row in zip(*found, strict=True):
        f: dict[str, Any] = dict(zip(_WIDTHS, row, strict=True))
        samples = _whole(f["count"], f"samples of {f['label']}")
        if samples < 0:
            message = f"its EDF header is damaged: {f['label']} has {samples} samples a record; copy it again"
            raise DumpError(message)
        low, high = (_real(f[k], f"range of {f['label']}") for k in ("low", "high"))
        bottom, top = (_whole(f[k], f"range of {f['label']}") for k in ("digital_low", "digital_high"))
        yield Channel(f["label"], f["unit"], low, high, bottom, top, samples)


def _start(clock: str, recording: str) -> datetime:
    """The start on the recorder's clock; the long form of an EDF+ date knows the century."""
    try:
        day, month, year, hour, minute, second = (int(part) for part in re.findall(r"\d\d", clock))
        year += 1900 if year >= 85 else 2000
        told = re.match(r"Startdate (\d{1,2})-([A-Z]{3})-(\d{4})", recording)
        if told and told[2] in _MONTHS:
            day, month, year = int(told[1]), _MONTHS.index(told[2]) + 1, int(told[3])
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 (the zone is the reader's matter)
    except ValueError as error:
        message = f"its EDF header gives its start as {clock!r}, which is no time"
        raise DumpError(message) from error


def _whole(text: str, what: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        message = f"its EDF header is damaged: the {what} is {text.strip()[:20]!r}; copy it again from the device"
        raise DumpError(message) from error


def _real(text: str, what: str) -> float:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        message = f"its EDF header is damaged: the {what} is {text.strip()[:20]!r}; copy it again from the device"
        raise DumpError(message)
    return value
