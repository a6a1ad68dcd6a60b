"""The messages of a FIT file, whatever state it is in: only fields that readers want, as raw numbers, with times.

Garmin's clock counts seconds from the end of 1989; `timestamp_16` is its last 16 bits and rolls over every 18 hours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from assets.errors import DumpError
from assets.ingest.readers.written_times import STRAY_US

EPOCH_S = 631_065_600
_MOST_CHAINED = 1000
_RELATIVE = 0x10000000  # below it a time counts from when the device was switched on
_WANTED = frozenset({
    "activity_type", "current_activity_type_intensity", "cycles", "data", "enhanced_respiration_rate",
    "event_timestamp", "event_timestamp_12", "filtered_bpm", "fractional_timestamp", "garmin_product", "heart_rate",
    "local_timestamp", "processing_interval", "reading_spo2", "respiration_rate", "serial_number", "steps",
    "stress_level", "stress_level_time", "stress_level_value", "time", "timestamp", "timestamp_16", "timestamp_ms",
})  # fmt: skip


@dataclass(frozen=True)
class Message:
    """One message: raw values by field, and its time (UTC µs), or None where it says none."""

    name: str
    fields: Mapping[str, object]
    time_us: int | None

    def numbers(self, key: str) -> list[float | None]:
        """A field's values; None where the device says there is none."""
        value = self.fields.get(key)
        values: Iterable[object] = value if isinstance(value, (tuple, list)) else (value,)
        kept = [float(v) if isinstance(v, (int, float)) and not isinstance(v, bool) else None for v in values]
        return [] if kept == [None] else kept

    def number(self, key: str) -> float | None:
        """A field's first value."""
        return next(iter(self.numbers(key)), None)

    @property
    def activity(self) -> float | None:
        """What the person did, as a number of Garmin's list; newer watches pack it with its intensity."""
        packed = self.number("current_activity_type_intensity")
        plain = self.number("activity_type")
        return plain if plain is not None or packed is None else float(int(packed) & 0x1F)

    @staticmethod
    def clock_us(seconds: float) -> int | None:
        """A time of Garmin's clock as UTC µs; None for one that counts from when the device was switched on."""
        return round((seconds + EPOCH_S) * 1_000_000) if seconds >= _RELATIVE else None


@dataclass(frozen=True)
class Stream:
    """What could be read: messages in order, the names of all that were seen, and what was wrong."""

    messages: Sequence[Message]
    names: Sequence[str]
    remarks: Sequence[str]


def messages(data: bytes) -> Stream:
    """Every readable message of a FIT file and of those chained to it.

    Raises:
        DumpError: nothing can be read from the beginning.
    """
    import fitdecode

    found: list[Message] = []
    names: dict[str, None] = {}
    remarks: dict[str, None] = {}
    clock: int | None = None
    options = {"check_crc": fitdecode.CrcCheck.READONLY, "error_handling": fitdecode.ErrorHandling.IGNORE}
    starts = _starts(data)
    while starts:
        headers = 0
        try:
            for frame in fitdecode.FitReader(data[starts[0] :], **options):
                headers += isinstance(frame, fitdecode.FitHeader)
                if isinstance(frame, fitdecode.FitCRC) and not frame.matched:
                    remarks["a checksum does not fit: some of it may be damaged"] = None
                if isinstance(frame, fitdecode.FitDataMessage):
                    names[str(frame.name)] = None
                    fields = _fields(frame.fields)
                    clock = _clock(fields, clock)
                    found.append(Message(str(frame.name), fields, _time(fields, clock)))
            break
        except Exception as error:  # the parser stumbles over damage in any of its steps
            starts = starts[max(headers, 1) :]
            if not names and not starts:
                message = f"the FIT file is damaged at its beginning ({error}): copy it again from the device"
                raise DumpError(message) from error
            remarks[f"{_what(error)}; what came before is kept"] = None
    return Stream(_without_strays(found), list(names), list(remarks))


def _starts(data: bytes) -> list[int]:
    """Where chained files begin, as far as their headers are whole: after damage, reading goes on at the next."""
    later = (at for m in re.finditer(rb"\.FIT", data) if (at := m.start() - 8) > 0 and data[at] in {12, 14})
    return [0, *islice(later, _MOST_CHAINED)]


def _without_strays(found: Sequence[Message]) -> list[Message]:
    """A time years from the others is damage: the message loses it."""
    times = np.array([m.time_us for m in found if m.time_us is not None], np.int64)
    middle = float(np.median(times)) if len(times) else 0.0
    return [m if m.time_us is None or abs(m.time_us - middle) < STRAY_US else replace(m, time_us=None) for m in found]


def _fields(fields: Iterable[object]) -> dict[str, object]:
    """Raw values of the wanted fields; of one that comes again (unpacked by the parser) the first counts."""
    kept: dict[str, object] = {}
    for one in fields:
        name = str(getattr(one, "name", ""))
        if name in _WANTED and kept.get(name) is None:
            kept[name] = getattr(one, "raw_value", None)
    return kept


def _clock(fields: Mapping[str, object], before: int | None) -> int | None:
    """Garmin's clock after this message."""
    full, part = fields.get("timestamp"), fields.get("timestamp_16")
    if isinstance(full, int) and full >= _RELATIVE:
        return full
    if isinstance(part, int) and before is not None:
        return before + ((part - (before & 0xFFFF)) & 0xFFFF)
    return before


def _time(fields: Mapping[str, object], clock: int | None) -> int | None:
    own = fields.get("timestamp"), fields.get("timestamp_16")
    if clock is None or not any(isinstance(v, int) for v in own) or (isinstance(own[0], int) and own[0] < _RELATIVE):
        return None
    return Message.clock_us(clock)


def _what(error: Exception) -> str:
    kind = type(error).__name__
    if kind == "FitEOFError":
        return "the file ends early, perhaps a copy that was cut off"
    return "a chained file has a damaged header" if kind == "FitHeaderError" else f"the file is damaged ({kind})"
