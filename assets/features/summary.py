"""A participant's day in one row, and the unit of work that makes it from the day's features and the evening before.

The row of a day holds the night that **ends** on it: a night spans two local days, and only on the second is it over.
So a row uses nothing after its own day, and whoever reads the rows of earlier days sees no future. It is a unit of its
own because it needs two days of features; a change of one day makes that day's row anew and the next one's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date as Date
from datetime import timedelta

import numpy as np
import polars as pl

from assets.days import Calendar
from assets.features.epochs import MINUTE_US
from assets.features.hrv import FEWEST_FOR_VARIABILITY
from assets.features.physiology import PHYSIOLOGY
from assets.features.segments import Span
from assets.features.sleep import Night, find_night
from assets.lake import Key, Lake
from assets.ledger import digest
from assets.study import Home, Study
from assets.tables import BEATS, EDA_TABLE, MINUTES, SUMMARIES
from assets.units import Frames, Unit, forget, stamped

SEDENTARY_MG, ACTIVE_MG = 45.0, 100.0
STILL_BEFORE = 12  # minutes
FEWEST_AT_REST = 30
PIECE_US = 300_000_000
SMALL_HOURS_US = 6 * 3_600_000_000
USED = (BEATS, EDA_TABLE, MINUTES)


@dataclass(frozen=True)
class Days:
    """Frames of a day with the one before it (beats, minutes) and of the day alone (skin)."""

    minutes: pl.DataFrame
    beats: pl.DataFrame
    eda: pl.DataFrame


def summary_row(days: Days, day: Span, around: Span) -> pl.DataFrame:
    """The SUMMARIES row of a day; empty where the day itself has no minutes.

    Args:
        days: features of the day and the day before.
        day: start and end of the local day (UTC µs).
        around: the middle of the day before to the middle of the day (UTC µs).
    """
    today = days.minutes.filter(pl.col("time_us").is_between(*day, closed="left"))
    if today.is_empty():
        return SUMMARIES.empty()
    night = find_night(days.minutes, around, (day[0], day[0] + SMALL_HOURS_US))
    slept = _night(night, days) if isinstance(night, Night) else {}
    reason = None if isinstance(night, Night) else night
    row = {"time_us": day[0], "end_us": day[1], "reason": reason, **_day(today), **_skin(days.eda), **slept}
    return SUMMARIES.frame([row]).with_columns(pl.col(pl.Float64).fill_nan(None))


def _day(today: pl.DataFrame) -> dict[str, object]:
    worn = today.filter(pl.col("worn"))
    moving = worn["enmo_mg"].drop_nulls()
    steps = today["steps"].drop_nulls()
    return {
        "recorded_h": today.height / 60,
        "worn_h": worn.height / 60 if today["worn"].is_not_null().any() else None,
        "rest_hr_bpm": _rest(today),
        "enmo_mg": moving.mean(),
        "active_min": float((moving >= ACTIVE_MG).sum()) if len(moving) else None,
        "steps": float(steps.sum()) if len(steps) else None,
    }


def _rest(today: pl.DataFrame) -> float | None:
    """Median heart rate of worn minutes that end twelve of at most sedentary movement (all of them recorded)."""
    calm = (today["worn"].fill_null(False) & (today["enmo_mg"].fill_null(np.inf) < SEDENTARY_MG)).to_numpy()
    minute = today["time_us"].to_numpy()
    if len(calm) < STILL_BEFORE:
        return None
    window = np.lib.stride_tricks.sliding_window_view
    spans = window(minute, STILL_BEFORE)
    unbroken = spans[:, -1] - spans[:, 0] == (STILL_BEFORE - 1) * MINUTE_US
    resting = np.r_[np.zeros(STILL_BEFORE - 1, dtype=bool), window(calm, STILL_BEFORE).all(axis=1) & unbroken]
    rate = today.filter(pl.Series(resting))["hr_bpm"].drop_nulls()
    return float(rate.median()) if len(rate) >= FEWEST_AT_REST else None  # type: ignore[arg-type]


def _night(night: Night, days: Days) -> dict[str, object]:
    inside = pl.col("time_us").is_between(night.start_us, night.end_us, closed="left")
    minutes = days.minutes.filter(inside & pl.col("worn"))
    asleep = night.asleep_min / 60
    return {
        "sleep_start_us": night.start_us,
        "sleep_end_us": night.end_us,
        "sleep_window_h": night.hours,
        "asleep_h": asleep,
        "sleep_efficiency_pct": 100 * asleep / night.hours,
        "night_hr_bpm": minutes["hr_bpm"].mean(),
        "night_temp_c": minutes["temp_c"].mean(),
        "night_rmssd_ms": _night_rmssd(days.beats.filter(inside)),
    }


def _night_rmssd(beats: pl.DataFrame) -> float | None:
    """Mean over five-minute pieces of the RMSSD of intervals that follow on each other without a gap."""
    good = pl.col("valid") & pl.col("rr_ms").is_not_null()
    pieces = (
        beats.sort("time_us")
        .with_columns(
            step=pl.when(good & good.shift(1)).then(pl.col("rr_ms").diff()), piece=pl.col("time_us") // PIECE_US
        )
        .group_by("piece", maintain_order=True)
        .agg(n=pl.col("step").count(), rmssd=(pl.col("step") ** 2).mean().sqrt())
        .filter(pl.col("n") >= FEWEST_FOR_VARIABILITY)
    )
    mean = pieces["rmssd"].mean()
    return float(mean) if mean is not None else None  # type: ignore[arg-type]


def _skin(eda: pl.DataFrame) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in ("eda_tonic_us", "scr_per_min"):
        there = eda.filter(pl.col(name).is_not_null() & (pl.col("coverage") > 0))
        weight = float(there["coverage"].sum())
        found[name] = float((there[name] * there["coverage"]).sum()) / weight if weight else None
    return found


def wanted_summaries(home: Home, study: Study, dates: set[Date] | None = None) -> dict[Key, str]:
    """The participant-days that should have a summary, each with the hash of what goes into it."""
    made = dict(stamped(home, PHYSIOLOGY))
    wanted = {}
    for key, stamp in made.items():
        if key.date is None or key.participant is None or (dates is not None and key.date not in dates):
            continue
        if MINUTES.name not in stamp.outputs:
            continue
        yesterday = made.get(Key(key.participant, key.date - timedelta(days=1)))
        parts = [[s.outputs.get(t.name) for t in USED] if s else None for s in (yesterday, stamp)]
        wanted[key] = digest(parts, *_spans(Calendar.of(study, key.participant), key.date))
    return wanted


def tidy_summaries(home: Home, study: Study) -> list[Key]:
    """Remove the summaries of participant-days that are gone; returns them."""
    wanted = wanted_summaries(home, study)
    gone = [key for key, _ in stamped(home, SUMMARY_UNIT) if key not in wanted]
    forget(SUMMARY_UNIT, home, gone)
    return gone


def _spans(calendar: Calendar, day: Date) -> tuple[Span, Span]:
    """A local day, and from the middle of the one before to its own (both cut where the clock changes)."""
    before, today = calendar.span_us(day - timedelta(days=1)), calendar.span_us(day)
    return today, (sum(before) // 2, sum(today) // 2)


def _compute(home: Home, study: Study, participant: str, days: tuple[Date, ...]) -> Iterator[tuple[Date, Frames]]:
    lake, calendar = Lake(home.lake), Calendar.of(study, participant)
    for day in days:
        keys = [Key(participant, d) for d in (day - timedelta(days=1), day)]
        minutes = pl.concat([lake.read(MINUTES, key) for key in keys])
        beats = pl.concat([lake.read(BEATS, key, ["time_us", "rr_ms", "valid"]) for key in keys])
        eda = lake.read(EDA_TABLE, keys[1], ["coverage", "eda_tonic_us", "scr_per_min"])
        yield day, {SUMMARIES: summary_row(Days(minutes, beats, eda), *_spans(calendar, day))}


SUMMARY_UNIT = Unit(name="summaries", code="1", tables=(SUMMARIES,), compute=_compute, whole_participant=True)
