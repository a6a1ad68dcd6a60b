"""The unit of work `physiology`: one participant-day of signals and events to beats and all windowed features."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date as Date

import polars as pl

from assets.days import Calendar
from assets.features.beats import find_beats
from assets.features.decompose import ready
from assets.features.eda import eda_features
from assets.features.epochs import minute_frame
from assets.features.hrv import hrv_features
from assets.features.motion import motion_features
from assets.features.segments import Span, read_segments, spans_of
from assets.features.temperature import temperature_features
from assets.features.windows import grid_of
from assets.lake import Key, Lake
from assets.ledger import digest
from assets.study import Features, Home, Study, Windows
from assets.tables import BEATS, EDA_TABLE, EVENTS, HRV_TABLE, MINUTES, MOTION_TABLE, SIGNALS, TEMPERATURE_TABLE
from assets.units import Frames, Unit, forget, stamped

USED = ("bvp", "ecg", "eda", "temp", "acc_x", "acc_y", "acc_z")
DEFAULTS = Features()


def day_features(
    signals: pl.DataFrame, events: pl.DataFrame, day: Span, windows: Windows, features: Features = DEFAULTS
) -> Frames:
    """Every physiology table of one participant-day.

    Args:
        signals: SIGNALS rows of the day.
        events: EVENTS rows of the day.
        day: start and end of the local day (UTC µs).
        windows: settings of the clock grid.
        features: which methods to use.
    """
    segments = read_segments(signals.filter(pl.col("signal").is_in(USED)))
    beats = find_beats(segments, events)
    spans = [span for name in USED for span in spans_of(segments.get(name, ()))]
    spans += [(t, t + 1) for t in beats.filter(pl.col("source") == "device")["time_us"]]
    steps = events.filter((pl.col("kind") == "steps") & (pl.col("value") > 0))["time_us"]
    spans += [(t, t + 1) for t in steps]
    eda = segments.get("eda", [])
    beats_us = beats.filter("valid")["time_us"].to_numpy()
    grid = grid_of(windows, day, spans)
    return {
        BEATS: beats,
        HRV_TABLE: hrv_features(beats, grid),
        EDA_TABLE: eda_features(eda, segments.get("temp", []), grid, beats_us, features.eda_decomposition),
        MOTION_TABLE: motion_features(segments, grid, events),
        TEMPERATURE_TABLE: temperature_features(segments.get("temp", []), grid),
        MINUTES: minute_frame(segments, events, beats, day),
    }


def wanted_physiology(home: Home, study: Study, dates: set[Date] | None = None) -> dict[Key, str]:
    """The participant-days that should have physiology, each with the hash of what goes into it."""
    wanted = {}
    for key, stamp in stamped(home, "recordings"):
        if key.date is None or key.participant is None or (dates is not None and key.date not in dates):
            continue
        inputs = [stamp.outputs.get(table.name) for table in (SIGNALS, EVENTS)]
        if any(inputs):
            span = Calendar.of(study, key.participant).span_us(key.date)
            settings = study.windows.length_minutes, study.windows.step_minutes, study.features.of_body()
            wanted[key] = digest(inputs, span, *settings)
    return wanted


def tidy_physiology(home: Home, study: Study) -> list[Key]:
    """Remove the participant-days whose recordings are gone; returns them."""
    wanted = wanted_physiology(home, study)
    gone = [key for key, _ in stamped(home, PHYSIOLOGY) if key not in wanted]
    forget(PHYSIOLOGY, home, gone)
    return gone


def _compute(home: Home, study: Study, participant: str, days: tuple[Date, ...]) -> Iterator[tuple[Date, Frames]]:
    from threadpoolctl import threadpool_limits

    _preload()  # a library that is loaded later would not know of the limit below
    lake, calendar = Lake(home.lake), Calendar.of(study, participant)
    ready(study.features.eda_decomposition)
    for day in days:
        key = Key(participant, day)
        signals, events = lake.read(SIGNALS, key), lake.read(EVENTS, key)
        # One thread whatever the machine: the order of sums, and so the last digit, must not depend on it.
        with threadpool_limits(limits=1):
            frames = day_features(signals, events, calendar.span_us(day), study.windows, study.features)
        yield day, frames


def _preload() -> None:
    """Import what every day needs once in each worker; NeuroKit2 itself only where there is ECG."""
    import pandas as pd
    import scipy.interpolate
    import scipy.linalg
    import scipy.signal

    del pd, scipy


PHYSIOLOGY = Unit(
    name="physiology",
    code="5",
    tables=(BEATS, HRV_TABLE, EDA_TABLE, MOTION_TABLE, TEMPERATURE_TABLE, MINUTES),
    compute=_compute,
    preload=_preload,
)
