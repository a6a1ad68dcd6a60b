"""Every table of the lake: its columns with type, unit and meaning, said once.

The same declaration checks what is written, types what is read, feeds Dagster's UI and prints `docs/tables.md`.
Feature columns come from the feature catalogue (`assets/features/catalogue.py`); moments, whose columns depend on
the study's items, are declared by `assets/moments/table.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from polars._typing import PolarsDataType

from assets.features.catalogue import ACOUSTIC, EDA, EMBEDDING, HRV, MINUTE, MOTION, SUMMARY, TEMPERATURE, Feature


@dataclass(frozen=True)
class Column:
    """One column: its type, its unit ('' where it has none) and what it means."""

    name: str
    dtype: PolarsDataType
    unit: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """One table: how it is split into parts (`keys`), how a part is sorted (`order`), what it holds."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    keys: tuple[str, ...] = ("date", "participant")
    order: tuple[str, ...] = ("time_us",)

    def empty(self) -> pl.DataFrame:
        """The table without rows."""
        return pl.DataFrame(schema={c.name: c.dtype for c in self.columns})

    def frame(self, rows: Sequence[dict[str, object]]) -> pl.DataFrame:
        """Rows as a frame of the declared types; absent columns are null."""
        return pl.DataFrame(rows, schema={c.name: c.dtype for c in self.columns})


def _col(name: str, dtype: PolarsDataType, unit: str, meaning: str) -> Column:
    return Column(name, dtype, unit, meaning)


def _features(features: tuple[Feature, ...]) -> tuple[Column, ...]:
    return tuple(Column(f.name, pl.Float64(), f.unit, f.meaning) for f in features)


_TIME = _col("time_us", pl.Int64(), "µs UTC", "when")
_DUMP = _col("dump", pl.String(), "", "SHA-256 of the dump it came from")
_REASON = _col("reason", pl.String(), "", "why values are missing; null where none are")

DUMPS = Table(
    "dumps",
    "The catalogue: every dump ever seen, what it covered, and what became of it.",
    (
        _col("dump", pl.String(), "", "SHA-256 of the dump's content"),
        _col("path", pl.String(), "", "where it lies, relative to the inbox"),
        _col("participant", pl.String(), "", "study code from the inbox folder; null for cohort-wide tables"),
        _col("reader", pl.String(), "", "which reader took it; null where none did"),
        _col("state", pl.String(), "", "read, duplicate, quarantined or withdrawn"),
        _col("reason", pl.String(), "", "why it is not read, or what a reader remarked; for a person to act on"),
        _col("size_bytes", pl.Int64(), "bytes", "size in the inbox"),
        _col("received_us", pl.Int64(), "µs UTC", "when the file was last changed: receipt, not device time"),
        _col("first_us", pl.Int64(), "µs UTC", "first sample, answer or clip (device time)"),
        _col("last_us", pl.Int64(), "µs UTC", "last sample, answer or clip (device time)"),
        _col(
            "touches",
            pl.List(pl.Struct({"participant": pl.String(), "date": pl.Date(), "hours": pl.Float64()})),
            "",
            "the participant-days it has data for, with the hours of its longest signal (0 for answers and clips)",
        ),
        _col(
            "facts",
            pl.String(),
            "",
            "facts as JSON: device, serial, firmware, rates; holds: what it holds in a line; remarks: its reader's",
        ),
        _col("signature", pl.String(), "", "changes with its files' sizes and times: whether to look at it again"),
        _col(
            "read_with",
            pl.String(),
            "",
            "fingerprint of readers and settings it was read with; after a slash, of mappings that left it to them",
        ),
    ),
    keys=(),
    order=("path", "dump"),
)
SIGNALS = Table(
    "signals",
    "Contiguous segments of a day's sampled signals; nothing is interpolated across a gap.",
    (
        _col(
            "signal",
            pl.String(),
            "",
            "bvp, eda, temp, acc_x, acc_y, acc_z, gyro_x, ecg, hr, respiration, stress, spo2, …",
        ),
        _col("unit", pl.String(), "", "unit of the samples (µS, °C, g, °/s, mV, a.u., bpm, 1/min, %)"),
        _col("start_us", pl.Int64(), "µs UTC", "time of the first sample"),
        _col("rate_hz", pl.Float64(), "Hz", "sampling rate; sample i lies at start_us + i·1e6/rate_hz"),
        _col("samples", pl.List(pl.Float32()), "", "the samples"),
        _DUMP,
    ),
    order=("signal", "start_us", "dump"),
)
EVENTS = Table(
    "events",
    "Things a device noted at points in time: beats, button presses, steps.",
    (
        _TIME,
        _col(
            "kind",
            pl.String(),
            "",
            "beat, tag, steps, or a value that comes now and then (hr, stress, respiration, spo2, …)",
        ),
        _col(
            "value",
            pl.Float64(),
            "",
            "beat: the RR interval it ends (ms); steps: count; tag: null; others: bpm, 0–100, 1/min, %",
        ),
        _col("valid", pl.Boolean(), "", "beat: whether the interval follows on the beat before it without a gap"),
        _DUMP,
    ),
    order=("kind", "time_us", "dump"),
)
VOICE_CLIPS = Table(
    "voice_clips",
    "Voice recordings as 16 kHz mono 16-bit FLAC, safe from full-scale wrap.",
    (
        _TIME,
        _col("duration_s", pl.Float64(), "s", "length"),
        _col("peak", pl.Float64(), "full scale", "largest absolute sample of the recording as it came"),
        _col("clipped", pl.Float64(), "share", "share of samples at full scale in the recording as it came"),
        _col("flac", pl.Binary(), "", "the audio"),
        _REASON,
        _DUMP,
    ),
    order=("time_us", "dump"),
)
SELF_REPORTS = Table(
    "self_reports",
    "One row per answered item.",
    (
        _TIME,
        _col("item", pl.String(), "", "item name of study.toml"),
        _col("value", pl.Float64(), "scale units", "the answer"),
        _DUMP,
    ),
    order=("time_us", "item", "dump"),
)
DAILY_VALUES = Table(
    "daily_values",
    "Numbers that somebody else summarised over a whole day (sleep, steps, resting heart rate): known the day after.",
    (
        _col("name", pl.String(), "", "the column they came in"),
        _col("value", pl.Float64(), "as in the source", "the number"),
        _DUMP,
    ),
    order=("name", "dump"),
)
BEATS = Table(
    "beats",
    "Heart beats of a day, once per contiguous segment.",
    (
        _TIME,
        _col("rr_ms", pl.Float64(), "ms", "interval since the beat before; null after a gap"),
        _col("source", pl.String(), "", "bvp, ecg or device"),
        _col(
            "quality", pl.Float64(), "0–1", "agreement of the pulse with the segment's template; null for device beats"
        ),
        _col("valid", pl.Boolean(), "", "whether the interval is taken as normal-to-normal"),
    ),
)


def _windows(name: str, meaning: str, features: tuple[Feature, ...]) -> Table:
    window = (
        _col("time_us", pl.Int64(), "µs UTC", "start of the window on the study-wide clock grid"),
        _col("end_us", pl.Int64(), "µs UTC", "end of the window"),
        _col("coverage", pl.Float64(), "share", "share of the window with usable data"),
        _REASON,
    )
    return Table(name, meaning, (*window, *_features(features)))


HRV_TABLE = _windows("hrv", "Heart rate and its variability per window.", HRV)
EDA_TABLE = _windows("eda", "Electrodermal activity per window.", EDA)
MOTION_TABLE = _windows("motion", "Movement per window.", MOTION)
TEMPERATURE_TABLE = _windows("temperature", "Skin temperature per window.", TEMPERATURE)
MINUTES = Table(
    "minutes",
    "What the wrist did minute by minute: the ground of wear, sleep and the day's summary.",
    (
        _col("time_us", pl.Int64(), "µs UTC", "start of the minute"),
        _col("worn", pl.Boolean(), "", "whether the band is on the wrist; null where nobody can tell"),
        *_features(MINUTE),
    ),
)
SUMMARIES = Table(
    "daily_summaries",
    "One row a participant-day: wear, sleep, heart, movement and skin of the whole day. Known when the day is over.",
    (
        _col("time_us", pl.Int64(), "µs UTC", "start of the local day"),
        _col("end_us", pl.Int64(), "µs UTC", "its end: nothing after it is used"),
        _col(
            "sleep_start_us",
            pl.Int64(),
            "µs UTC",
            "start of the night that ends on this day",
        ),
        _col("sleep_end_us", pl.Int64(), "µs UTC", "end of that night, before this day's noon"),
        _REASON,
        *_features(SUMMARY),
    ),
)
ACOUSTIC_TABLE = Table(
    "acoustic",
    "openSMILE functionals of each voice clip.",
    (
        _TIME,
        _col("duration_s", pl.Float64(), "s", "length"),
        _col("coverage", pl.Float64(), "share", "share of the clip with sound above the silence floor"),
        _REASON,
        _DUMP,
        *_features(ACOUSTIC),
    ),
    order=("time_us", "dump"),
)
_CLIP = (
    _TIME,
    _col("duration_s", pl.Float64(), "s", "length"),
    _col("coverage", pl.Float64(), "share", "share of the clip with sound above the silence floor"),
    _REASON,
    _DUMP,
)
COMPARE_TABLE = Table(
    "acoustic_compare",
    "All functionals of ComParE_2016 of each voice clip, in studies that ask for them.",
    (
        *_CLIP,
        _col(
            "values",
            pl.List(pl.Float32()),
            "as in openSMILE",
            "6,373 functionals in the order of `compare_names()`; null where pitch and its kin have no value",
        ),
    ),
    order=("time_us", "dump"),
)
DESCRIPTORS_TABLE = Table(
    "acoustic_descriptors",
    "Low-level descriptors of each voice clip every 10 ms, in studies that ask for them.",
    (
        *_CLIP,
        _col("set", pl.String(), "", "eGeMAPSv02 or ComParE_2016"),
        _col("descriptor", pl.String(), "", "its name in openSMILE"),
        _col("rate_hz", pl.Float64(), "Hz", "frames a second; frame i begins at time_us + i·1e6/rate_hz"),
        _col("values", pl.List(pl.Float32()), "as in openSMILE", "one a frame; null where it has none (no voice)"),
    ),
    order=("time_us", "dump", "set", "descriptor"),
)
EMBEDDINGS_TABLE = Table(
    "voice_embeddings",
    "Each voice clip as a vector of the study's own wav2vec 2.0, in studies that name one.",
    (
        *_CLIP,
        _col("network", pl.String(), "", "SHA-256 of the network's folder"),
        _col("embedding", pl.List(pl.Float32()), "", "mean of the last hidden layer over the clip"),
        *_features(EMBEDDING),
    ),
    order=("time_us", "dump"),
)
PREDICTIONS = Table(
    "predictions",
    "What the champion said of each participant's day and item, kept as given.",
    (
        _col("item", pl.String(), "", "item name"),
        _col("value", pl.Float64(), "scale units", "the estimate"),
        _col("low", pl.Float64(), "scale units", "lower end of the interval"),
        _col("high", pl.Float64(), "scale units", "upper end of the interval"),
        _col("known_person", pl.Boolean(), "", "whether the model has learned from answers of this person"),
        _col("answers_before", pl.Int64(), "count", "answers of this person known when it was given"),
        _col("model_version", pl.Int64(), "", "version of macro-micro that gave it"),
        _col("known_until_us", pl.Int64(), "µs UTC", "nothing after this time was used"),
        _col(
            "why",
            pl.List(pl.Struct({"part": pl.String(), "moved": pl.Float64()})),
            "scale units",
            "what each modality, the person's history and own parameters moved the estimate by",
        ),
    ),
    order=("item",),
)

WINDOWED = {"hrv": HRV_TABLE, "eda": EDA_TABLE, "motion": MOTION_TABLE, "temperature": TEMPERATURE_TABLE}
TABLES = (
    DUMPS, SIGNALS, EVENTS, VOICE_CLIPS, SELF_REPORTS, DAILY_VALUES, BEATS, HRV_TABLE, EDA_TABLE, MOTION_TABLE,
    TEMPERATURE_TABLE, MINUTES, SUMMARIES, ACOUSTIC_TABLE, COMPARE_TABLE, DESCRIPTORS_TABLE, EMBEDDINGS_TABLE,
    PREDICTIONS,
)  # fmt: skip
