"""What the picture of a day is drawn from: everything the lake holds of one participant-day."""

from __future__ import annotations

from datetime import date as Date

import polars as pl

from assets.days import Calendar
from assets.errors import FeatureError
from assets.features.eda import valid_stretches
from assets.features.picture_day import DayFrames
from assets.features.segments import read_segments
from assets.lake import Key, Lake
from assets.study import Home, Study
from assets.tables import BEATS, MINUTES, SELF_REPORTS, SIGNALS, SUMMARIES, VOICE_CLIPS, WINDOWED

USED = ("bvp", "ecg", "eda", "temp", "acc_x", "acc_y", "acc_z")


def day_frames(home: Home, study: Study, participant: str, date: Date) -> DayFrames:
    """Everything the lake holds of a participant-day.

    Raises:
        FeatureError: it holds nothing; the message names the days there are.
    """
    lake, key, calendar = Lake(home.lake), Key(participant, date), Calendar.of(study, participant)
    signals, beats, minutes = (lake.read(table, key) for table in (SIGNALS, BEATS, MINUTES))
    reports, clips = lake.read(SELF_REPORTS, key), lake.read(VOICE_CLIPS, key, ["time_us"])
    if all(frame.is_empty() for frame in (signals, beats, reports, clips)):
        raise FeatureError(_nothing(lake, participant, date))
    segments = read_segments(signals.filter(pl.col("signal").is_in(USED)))
    valid_us = beats.filter("valid")["time_us"].to_numpy()
    temperature, method = segments.get("temp", []), study.features.eda_decomposition
    eda = segments.get("eda", [])
    return DayFrames(
        title=f"{participant}  ·  {date:%A %d %B %Y}  ·  {calendar.zone(calendar.span_us(date)[0]).key}",
        day=calendar.span_us(date),
        segments=segments,
        beats=beats,
        windows={name: lake.read(table, key) for name, table in WINDOWED.items()},
        minutes=minutes,
        stretches=[s for segment in eda for s in valid_stretches(segment, temperature, valid_us, method)],
        answers=_answers(reports, study),
        clips=clips["time_us"].to_list(),
        night=_night(lake.read(SUMMARIES, key)),
        clock=lambda time_us: f"{calendar.local(time_us):%H:%M}",
    )


def _answers(reports: pl.DataFrame, study: Study) -> pl.DataFrame:
    """Answers to the study's items in its order, from 0 at the low end of the scale to 1."""
    parts = [
        reports.filter((pl.col("item") == name) & pl.col("value").is_not_null()).select(
            "time_us", "item", value=((pl.col("value") - item.low) / (item.high - item.low)).clip(0, 1)
        )
        for name, item in study.items.items()
    ]
    empty = pl.DataFrame(schema={"time_us": pl.Int64(), "item": pl.String(), "value": pl.Float64()})
    return pl.concat([empty, *parts])


def _night(summary: pl.DataFrame) -> tuple[int, int] | None:
    rows = summary.select("sleep_start_us", "sleep_end_us").drop_nulls()
    return rows.row(0) if rows.height else None


def _nothing(lake: Lake, participant: str, date: Date) -> str:
    keys = [key for table in (SIGNALS, SELF_REPORTS, VOICE_CLIPS) for key in lake.keys(table)]
    days = sorted({key.date.isoformat() for key in keys if key.date and key.participant == participant})
    if not days:
        return f"the lake holds nothing of {participant}. Is that a folder of the inbox? Then: macromicro run"
    there = f"There is data of {len(days)} days, {days[0]} to {days[-1]}"
    return f"the lake holds nothing of {participant} on {date}. {there}."
