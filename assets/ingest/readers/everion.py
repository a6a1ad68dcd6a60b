"""Biovotion Everion: CSV exports of tagged long rows, `count,streamType,tag,time,values`, newest first or not.

A row is one value of one tag at one second; `values` may carry a quality after a semicolon, and a value of quality 0
is none. Signals come once a second and as means over minutes, raw sensors about 51 times a second between two
seconds of the clock, inter-pulse intervals one a beat with a running `count`: a missing count is a missing beat.
Meaning of the tags: devicely's `everion.py` (MIT), which had it from the vendor; acceleration is 4096 counts a g,
as gravity in real files shows. Logs of events and daily attributes have no published meaning and are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.errors import DumpError
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.intervals import beat_runs
from assets.ingest.readers.sampled import contiguous
from assets.ingest.readers.text_tables import header
from assets.ingest.recording import Events, Recording, Segment, segments_of
from assets.ingest.source import Source

HEADER = ("count", "streamType", "tag", "time", "values")
SIGNALS, INTERVALS, MEANS, SENSORS = 2, 4, 5, 16
RAW_HZ = 51.2
COUNTS_PER_G = 4096.0
_INTERVAL_TAG = 14
_SLACK_S = 1.5
_RATE_FROM_S = 60
# tag: signal, unit
_SLOW: Mapping[int, tuple[str, str]] = {
    6: ("hr", "bpm"),
    7: ("spo2", "%"),
    8: ("perfusion", "a.u."),
    9: ("motion", "a.u."),
    10: ("activity", "class"),
    11: ("device_hrv", "ms"),
    12: ("respiration_rate", "1/min"),
    13: ("energy", "a.u."),
    15: ("temp_core", "°C"),
    19: ("temp_local", "°C"),
    20: ("pressure", "hPa"),
    21: ("gsr", "kΩ"),
    70: ("pulse_wave", "a.u."),
    71: ("step_count", "count"),
    118: ("temp", "°C"),
    119: ("temp_barometer", "°C"),
}
_RAW: Mapping[int, tuple[str, str, float]] = {
    80: ("ppg_led1", "a.u.", 1.0),
    81: ("ppg_led2", "a.u.", 1.0),
    82: ("ppg_led3", "a.u.", 1.0),
    83: ("ppg_led4", "a.u.", 1.0),
    84: ("acc_x", "g", COUNTS_PER_G),
    85: ("acc_y", "g", COUNTS_PER_G),
    86: ("acc_z", "g", COUNTS_PER_G),
}


def _claims(source: Source) -> bool:
    return source.single and header(source.head()) == HEADER


def read(source: Source, context: Context) -> Recording:
    """Read one file of an export.

    Raises:
        DumpError: none of its rows has a known meaning.
    """
    rows, broken = _rows(source.only.read(context.most_bytes))
    segments: list[Segment] = []
    worthless = 0
    for stream, tags in ((SIGNALS, _SLOW), (MEANS, _SLOW)):
        for tag, (signal, unit) in tags.items():
            part = rows.filter(stream=stream, tag=tag)
            values = part["value"].to_numpy().copy()
            bad = (part["quality"].fill_null(1.0) <= 0).to_numpy()
            worthless += int(bad.sum())
            values[bad] = np.nan
            name = signal if stream == SIGNALS else f"{signal}_mean"
            segments += _slow(name, unit, part["time"].to_numpy(), values, stream)
    for tag, (signal, unit, divisor) in _RAW.items():
        segments += _raw(signal, unit, rows.filter(stream=SENSORS, tag=tag), divisor)
    beats = _beats(rows.filter(stream=INTERVALS, tag=_INTERVAL_TAG))
    if not segments and not len(beats.time_us):
        if not rows.height or worthless:
            message = "the Everion file has no row with a value of a quality above 0"
        else:
            message = (
                "an Everion log of events or daily attributes, whose codes the vendor does not publish: nothing in it "
                "can be used; the files named signals, aggregates, features and sensor_data can"
            )
        raise DumpError(message)
    counts = {f"{broken} lines are no rows, left out": broken, f"{worthless} values of quality 0 left out": worthless}
    remarks = [said for said, count in counts.items() if count]
    events = [beats] if len(beats.time_us) else []
    return Recording(segments, events, facts={"device": "Biovotion Everion"}, remarks=remarks)


def _rows(data: bytes) -> tuple[pl.DataFrame, int]:
    """Rows in the order of their counts, each once, and how many lines are none."""
    try:
        table = pl.read_csv(
            data,
            schema=dict.fromkeys(HEADER, pl.String()),
            quote_char=None,
            truncate_ragged_lines=True,
            encoding="utf8-lossy",
        )
    except pl.exceptions.PolarsError as error:
        message = "the Everion table cannot be parsed: export it again"
        raise DumpError(message) from error
    parts = pl.col("values").str.split(";")
    rows = table.select(
        pl.col("count").cast(pl.Int64, strict=False),
        pl.col("streamType").cast(pl.Int32, strict=False).alias("stream"),
        pl.col("tag").cast(pl.Int32, strict=False),
        pl.col("time").cast(pl.Int64, strict=False),
        parts.list.get(0, null_on_oob=True).cast(pl.Float64, strict=False).alias("value"),
        parts.list.get(1, null_on_oob=True).str.strip_chars().cast(pl.Float64, strict=False).alias("quality"),
    )
    whole = rows.drop_nulls(["count", "stream", "tag", "time", "value"]).filter(
        pl.col("value").is_finite(), pl.col("time").is_between(0, 1 << 33)
    )
    return whole.unique(["stream", "tag", "count"], keep="first").sort("stream", "tag", "count"), (
        rows.height - whole.height
    )


def _slow(
    signal: str, unit: str, seconds: NDArray[np.int64], values: NDArray[np.float64], stream: int
) -> list[Segment]:
    lone = len(seconds) == 1
    rate = 1.0 if stream == SIGNALS else 1 / 60 if lone else None
    return contiguous(signal, unit, seconds * 1_000_000, values, rate_hz=rate)


def _raw(signal: str, unit: str, rows: pl.DataFrame, divisor: float) -> Iterator[Segment]:
    """Samples whose counts follow on each other; their own pace where a run is long enough to show it."""
    count, seconds, values = (rows[name].to_numpy() for name in ("count", "time", "value"))
    breaks = np.flatnonzero((np.diff(count) != 1) | (np.abs(np.diff(seconds)) > _SLACK_S)) + 1
    for a, b in zip(np.r_[0, breaks], np.r_[breaks, len(count)], strict=True):
        if b > a:
            lasted = int(seconds[b - 1] - seconds[a])
            rate = (b - a - 1) / lasted if lasted >= _RATE_FROM_S else RAW_HZ
            yield from segments_of(
                signal, unit, int(seconds[a]) * 1_000_000, rate, (values[a:b] / divisor).astype(np.float32)
            )


def _beats(rows: pl.DataFrame) -> Events:
    count, seconds, rr_ms = (rows[name].to_numpy() for name in ("count", "time", "value"))
    apart = np.diff(seconds, prepend=seconds[:1])
    follows = (np.diff(count, prepend=count[:1]) == 1) & (np.abs(apart - rr_ms / 1e3) <= _SLACK_S)
    return beat_runs(seconds.astype(np.int64) * 1_000_000, rr_ms.astype(np.float64), follows)


READER = Reader("everion", "1", _claims, read)
