"""Shimmer's Consensys CSV: `"sep=;"`, a line of names, a line of units, samples that each carry a time.

Times are UTC ms as floats (`1.595933810034E12`), or ms since an unknown start, which the file's name or a sidecar
must then date. Calibrated columns are converted to the units of the lake: m/s² to g, skin resistance to conductance.
The low-noise accelerometer is `acc`, the wide-range one `acc_wide`; the board's own temperature is not the skin's.
Uncalibrated columns are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.errors import DumpError
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.sampled import contiguous_columns
from assets.ingest.readers.set_back import set_back_said
from assets.ingest.readers.starts import told_start, undated
from assets.ingest.readers.text_columns import text_columns
from assets.ingest.readers.text_tables import separator_of
from assets.ingest.readers.written_times import STRAY_US
from assets.ingest.recording import Recording
from assets.ingest.source import Source

_SEPARATOR = re.compile(rb'^(?:\xef\xbb\xbf)?"?sep=."?\s*\r?\n')
_KINDS = ("CAL", "RAW", "UNCAL")
_GRAVITY = 9.80665
_WEEKS_MS = 1e11  # a time below it counts from an unknown start
_BOUND = 1e9


@dataclass(frozen=True)
class _Signal:
    """What a column becomes: a signal in a unit, by a factor; `inverse` for resistance to conductance."""

    name: str
    unit: str
    factor: float = 1.0
    inverse: bool = False


_ACC = dict.fromkeys(("m/(s^2)", "m/s^2", "m/(sec^2)", "m/s²"), ("g", 1 / _GRAVITY)) | {"g": ("g", 1.0)}
_VOLTS = {"mv": ("mV", 1.0), "uv": ("mV", 1e-3), "µv": ("mV", 1e-3), "v": ("mV", 1e3)}
_SIEMENS = {"us": ("µS", 1.0), "µs": ("µS", 1.0), "usiemens": ("µS", 1.0)}
_OHMS = {"kohms": ("µS", 1e3), "kohm": ("µS", 1e3), "ohms": ("µS", 1e6), "ohm": ("µS", 1e6), "mohms": ("µS", 1.0)}
_CELSIUS = dict.fromkeys(("degrees celsius", "degrees celcius", "°c", "c"), ("°C", 1.0))
_FLUX = {"local_flux": ("local flux", 1.0), "local flux": ("local flux", 1.0)}
# column, what it becomes ({} is its axis or channel), units it comes in with ours and the factor to it
_KNOWN: tuple[tuple[str, str, Mapping[str, tuple[str, float]]], ...] = (
    (r"Accel_WR_([XYZ])", "acc_wide_{}", _ACC),
    (r"Accel(?:_LN)?_([XYZ])", "acc_{}", _ACC),
    (r"Gyro_([XYZ])", "gyro_{}", dict.fromkeys(("deg/s", "deg/sec", "°/s"), ("°/s", 1.0))),
    (r"Mag_([XYZ])", "mag_local_{}", _FLUX),
    (r"GSR(?:_Skin)?(?:_Conductance)?()", "eda", _SIEMENS),
    (r"GSR(?:_Skin)?(?:_Resistance)?()", "eda", _OHMS),
    (r"(?:.*_)?PPG(?:_A?\d+)?()", "bvp", _VOLTS),
    (r"ECG_(?:LL[-_]RA|Lead_II)(?:_\d+BIT)?()", "ecg", _VOLTS),
    (r"ECG_([\w-]+?)(?:_\d+BIT)?", "ecg_{}", _VOLTS),
    (r"EMG_([\w-]+?)(?:_\d+BIT)?", "emg_{}", _VOLTS),
    (r"Pressure_\w+()", "pressure", {"kpa": ("kPa", 1.0)}),
    (r"Skin_Temperature()", "temp", _CELSIUS),
    (r"Temperature_\w+()", "temp_device", _CELSIUS),
)


def _claims(source: Source) -> bool:
    head = source.head() if source.single else b""
    names = _after_separator(head).split(b"\n", 1)[0]
    return b"Timestamp" in names and (b"_CAL" in names or b"_RAW" in names)


def _after_separator(data: bytes) -> bytes:
    """The file without its `"sep=;"` line, which some exports leave out."""
    told = _SEPARATOR.match(data)
    return data[told.end() :] if told else data.removeprefix(b"\xef\xbb\xbf")


def read(source: Source, context: Context) -> Recording:
    """Read one file.

    Raises:
        DumpError: nothing dates it, or none of its columns is read.
    """
    lines = _after_separator(source.only.read(context.most_bytes)).split(b"\n", 2)
    if len(lines) < 3:
        message = "a Shimmer file of which only the header arrived: copy it again"
        raise DumpError(message)
    separator = separator_of(lines[0].decode("utf-8", "replace"))
    names, units = (line.decode("utf-8", "replace").rstrip("\r").split(separator) for line in lines[:2])
    table, bad = _numbers(lines[2], names, separator)
    times = _times(table, names, source, context)
    signals, left = _signals(names, units)
    if not signals:
        message = f"a Shimmer file without a calibrated column that is read; it holds {', '.join(left) or 'no columns'}"
        raise DumpError(message)
    values = np.column_stack([_converted(table[:, at], signal) for at, signal in signals])
    values[np.abs(values) > _BOUND] = np.nan
    times_us = np.round(times * 1000).astype(np.int64)
    segments = contiguous_columns([(s.name, s.unit) for _, s in signals], times_us, values)
    said = [f"{bad} lines unreadable, left out"] if bad else []
    said += [f"not read: {', '.join(left)}"] if left else []
    said += set_back_said(times_us)
    return Recording(segments, facts=_facts(names), remarks=said)


def _numbers(body: bytes, names: Sequence[str], separator: str) -> tuple[NDArray[np.float64], int]:
    """All columns as numbers, (rows, columns); rows without a time are left out and counted."""
    body = body[: body.rfind(b"\n") + 1]
    if not body.strip():
        message = "a Shimmer file without samples: nothing was recorded, or the copy was cut off"
        raise DumpError(message)
    columns = [str(n) for n in range(len(names))]
    table = text_columns(body, columns, separator, dict.fromkeys(columns, pl.Float64()))
    numbers = table.select(pl.all().cast(pl.Float64(), strict=False).fill_null(float("nan")))
    values = numbers.to_numpy().astype(np.float64)
    clock = values[:, _clock(names)]
    whole = np.isfinite(clock)
    if not whole.any():
        message = "a Shimmer file without a line that has a time: it is damaged, or the copy was cut off"
        raise DumpError(message)
    whole[whole] = np.abs(clock[whole] - np.median(clock[whole])) < STRAY_US / 1000
    return values[whole], int((~whole).sum())


def _clock(names: Sequence[str]) -> int:
    """The column of times: UTC ones before those since an unknown start, calibrated before raw ticks."""
    ordered = ("Timestamp_Unix_CAL", "Timestamp_SyncUnix_CAL", "Timestamp_CAL", "TimestampSync_CAL")
    for ending in ordered:
        for at, name in enumerate(names):
            if name.strip().endswith(ending):
                return at
    message = "a Shimmer file without a calibrated column of times: export it again with calibrated timestamps"
    raise DumpError(message)


def _times(table: NDArray[np.float64], names: Sequence[str], source: Source, context: Context) -> NDArray[np.float64]:
    """UTC ms of each row."""
    times = table[:, _clock(names)]
    if not len(times) or float(np.median(times)) >= _WEEKS_MS:
        return times
    start = told_start(source, context)
    if start is None:
        what = "this Shimmer file (its times count from an unknown start)"
        raise undated(what, source)
    return np.asarray(times - times.min() + start / 1000)


def _signals(names: Sequence[str], units: Sequence[str]) -> tuple[list[tuple[int, _Signal]], list[str]]:
    """The columns that are read, each signal once, and the names of the others."""
    found: dict[str, tuple[int, _Signal]] = {}
    left = []
    device = names[_clock(names)].strip().rpartition("Timestamp")[0]
    for at, (raw, unit) in enumerate(zip(names, units, strict=False)):
        column, _, kind = raw.strip().removeprefix(device).rpartition("_")
        if kind not in _KINDS or "Timestamp" in raw:
            continue
        signal = _signal(column, unit.strip())
        if signal is None:
            left.append(column)
        elif signal.name not in found or (found[signal.name][1].inverse and not signal.inverse):
            found[signal.name] = (at, signal)
    return sorted(found.values(), key=lambda f: f[0]), left


def _signal(column: str, unit: str) -> _Signal | None:
    written = unit.lower().replace("μ", "µ")
    for pattern, name, units in _KNOWN:
        match = re.fullmatch(pattern, column, re.IGNORECASE)
        if match and written in units:
            part = (match[1] or "").lower().replace("-", "_")
            return _Signal(name.format(part), *units[written], inverse=units is _OHMS)
    return None


def _converted(values: NDArray[np.float64], signal: _Signal) -> NDArray[np.float64]:
    if not signal.inverse:
        return np.asarray(values * signal.factor)
    inverse: NDArray[np.float64] = np.full(len(values), np.nan)
    np.divide(signal.factor, values, out=inverse, where=values > 0)
    return inverse


def _facts(names: Sequence[str]) -> dict[str, object]:
    facts: dict[str, object] = {"device": "Shimmer"}
    serial = re.search(r"Shimmer_([0-9A-F]{4})_", names[0])
    return facts | {"serial": serial[1]} if serial else facts


READER = Reader("shimmer", "2", _claims, read)
