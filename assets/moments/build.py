"""One participant's moments: from answers, windows and clips to the rows that models learn from.

Nothing in a row comes from after its time: windows must have ended and clips must be over by then, `yesterday` is
the previous local day, and what the past says of a feature is taken from strictly earlier rows (days, for
`yesterday`, whose every day counts once). Which columns there are is said in `table.py`; reading and writing the
lake belong to `unit.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Date
from datetime import datetime, time, timedelta

import numpy as np
import polars as pl

from assets.days import SECOND_US, Calendar
from assets.moments.aggregate import Past, Stretch, numbers, past, window_means
from assets.moments.table import DAILY, DAILY_VALUES, EMBEDDED, TODAY, YESTERDAY, days_table, modalities, moments_table
from assets.study import Study
from assets.tables import EMBEDDINGS_TABLE, WINDOWED
from models.cohort import Floats, Ints

MINUTE_US = 60 * SECOND_US
Columns = dict[str, Floats | Ints]
DAILY_SCHEMA = {"day": pl.Date(), "name": pl.String(), "value": pl.Float64()}
BY_DAY = {YESTERDAY: 1, DAILY_VALUES: 1, TODAY: 0}  # how many days before a moment its day lies


@dataclass(frozen=True)
class Sources:
    """What a participant's moments are made of: frames of the lake's tables over all their days.

    `daily` has the columns `day`, `name`, `value`.
    """

    reports: pl.DataFrame
    windows: Mapping[str, pl.DataFrame]
    clips: pl.DataFrame
    daily: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DAILY_SCHEMA))
    embeddings: pl.DataFrame = field(default_factory=EMBEDDINGS_TABLE.empty)


def build_days(sources: Sources, study: Study, participant: str) -> pl.DataFrame:
    """What is known of each local day, from the first that has a window or a daily value to the last."""
    calendar, wanted = Calendar.of(study, participant), study.daily_values.columns
    bounds = pl.concat([sources.windows[m].select("time_us", "end_us") for m in DAILY])
    daily = sources.daily.filter(pl.col("name").is_in(wanted))
    ends = [calendar.day(t) for t in (bounds["time_us"].min(), bounds["time_us"].max()) if isinstance(t, int)]
    ends += [d for d in (daily["day"].min(), daily["day"].max()) if isinstance(d, Date)]
    if not ends:
        return days_table(study).empty()
    days = [min(ends) + timedelta(days=n) for n in range((max(ends) - min(ends)).days + 1)]
    spans = np.array([calendar.span_us(d) for d in days], dtype=np.int64)
    parts = [window_means(sources.windows[m], names, spans[:, 0], spans[:, 1]) for m, names in DAILY.items()]
    values, coverage = np.hstack([p.values for p in parts]), np.max([p.coverage for p in parts], axis=0)
    columns = {f"{YESTERDAY}.{name}": values[:, n] for n, name in enumerate(modalities()[YESTERDAY])}
    given = _laid_out(daily, days, wanted)
    columns |= {f"{DAILY_VALUES}.{name}": given[:, n] for n, name in enumerate(wanted)}
    share = np.isfinite(given).sum(axis=1) / max(len(wanted), 1)
    frame = _frame({f"{YESTERDAY}.coverage": coverage, f"{DAILY_VALUES}.coverage": share, **columns})
    declared = [c.name for c in days_table(study).columns]
    return frame.with_columns(pl.Series("day", days, pl.Date())).select(declared)


def _laid_out(daily: pl.DataFrame, days: list[Date], names: Sequence[str]) -> Floats:
    """Daily values as (days, names), NaN where there is none; of several the last."""
    place, column = {day: n for n, day in enumerate(days)}, {name: n for n, name in enumerate(names)}
    out = _missing(len(days), len(names))
    for day, name, value in daily.select("day", "name", "value").iter_rows():
        out[place[day], column[name]] = np.nan if value is None else value
    return out


def build_moments(sources: Sources, days: pl.DataFrame, study: Study, participant: str) -> pl.DataFrame:
    """One row per answered self-report, as `moments_table(study)` declares it.

    Args:
        sources: the participant's answers, windows by modality, and clips with their acoustic features.
        days: `build_days` of the same sources.
        study: items, look-back and zones.
        participant: whose they are; decides the calendar.
    """
    answers = _answers(sources.reports, study)
    times = answers["time_us"].to_numpy()
    lookback, reach = (round(m * MINUTE_US) for m in (study.windows.lookback_minutes, study.windows.voice_minutes))
    columns: Columns = {}
    clock = _clock(times, study, participant)
    for modality, features in modalities(study).items():
        if modality in BY_DAY:
            columns |= _columns(modality, features, *_of_days(days, clock[0].to_list(), modality, features))
            continue
        if modality in WINDOWED:
            stretch = window_means(sources.windows[modality], features, times - lookback, times)
        else:
            clips = sources.embeddings if modality == EMBEDDED else sources.clips
            stretch = _clip(clips, features, times, reach)
        columns |= _columns(modality, features, stretch, past(stretch.values))
    frame = pl.concat([answers.with_columns(*clock), _frame(columns)], how="horizontal")
    return frame.select(c.name for c in moments_table(study).columns)


def build_asked(
    moments: pl.DataFrame, days: pl.DataFrame, study: Study, participant: str, day: Date
) -> dict[str, object]:
    """The same columns for noon of a local day, as one row: what is known of it at the end of the day before.

    The answers are absent, the moment's body and voice are missing; `yesterday` and the past of every feature stay.
    Moments and days from `day` on are left out.
    """
    zone = Calendar.of(study, participant).zone(Calendar.of(study, participant).span_us(day)[0])
    noon_us = int(datetime.combine(day, time(12), zone).timestamp()) * SECOND_US
    moments, days = moments.filter(pl.col("day") < day), days.filter(pl.col("day") < day)
    columns: Columns = {}
    for modality, features in modalities(study).items():
        if modality in BY_DAY:
            columns |= _columns(modality, features, *_of_days(days, [day], modality, features))
        else:
            seen = numbers(moments, tuple(f"{modality}.{f}" for f in features))
            known = past(np.vstack([seen, _missing(1, len(features))]))
            last = Past(known.mean[-1:], known.sd[-1:], known.n[-1:])
            columns |= _columns(modality, features, Stretch(_missing(1, len(features)), np.array([np.nan])), last)
    row = {name: None if np.isnan(value[0]) else value[0].item() for name, value in columns.items()}
    return {"participant": participant, "time_us": noon_us, "day": day, "local_hour": 12.0, **row}


def _clock(times: Ints, study: Study, participant: str) -> tuple[pl.Series, pl.Series]:
    calendar = Calendar.of(study, participant)
    local = [calendar.local(int(t)) for t in times]
    hours = [(t.hour * 3600 + t.minute * 60 + t.second + t.microsecond / SECOND_US) / 3600 for t in local]
    day = pl.Series("day", [t.date() for t in local], pl.Date())
    return day, pl.Series("local_hour", hours, pl.Float64())


def _answers(reports: pl.DataFrame, study: Study) -> pl.DataFrame:
    """Wide answers: `time_us` and one `y_<item>` per item of the study, in order of time."""
    items = list(study.items)
    known = reports.filter(pl.col("item").is_in(items) & pl.col("value").is_not_null())
    return (
        known.group_by("time_us")
        .agg(pl.col("value").filter(pl.col("item") == i).last().cast(pl.Float64).alias(f"y_{i}") for i in items)
        .sort("time_us")
    )


def _clip(clips: pl.DataFrame, names: tuple[str, ...], times: Ints, reach: int) -> Stretch:
    """The latest usable clip that began within `reach` µs before each time and was over by then."""
    usable = clips.filter(pl.any_horizontal(pl.col(n).is_not_null() for n in names))
    usable = usable.with_columns(end_us=pl.col("time_us") + (pl.col("duration_s") * SECOND_US).ceil().cast(pl.Int64))
    usable = usable.sort("end_us", "time_us")
    ends, starts = usable["end_us"].to_numpy(), usable["time_us"].to_numpy()
    values, coverage = numbers(usable, names), numbers(usable, ("coverage",))[:, 0]
    if not len(ends):
        return Stretch(_missing(len(times), len(names)), np.zeros(len(times)))
    latest = np.searchsorted(ends, times, "right") - 1
    found = (latest >= 0) & (starts[latest] >= times - reach)
    return Stretch(np.where(found[:, None], values[latest], np.nan), np.where(found, coverage[latest], 0.0))


def _of_days(days: pl.DataFrame, of: list[Date], modality: str, names: tuple[str, ...]) -> tuple[Stretch, Past]:
    """The day that a modality means for each day asked about, and what the days before that one say of its features."""
    kept = YESTERDAY if modality == YESTERDAY else DAILY_VALUES
    columns, lag = tuple(f"{kept}.{n}" for n in names), BY_DAY[modality]
    if days.is_empty():
        nothing = _missing(len(of), len(names))
        return Stretch(nothing, np.zeros(len(of))), Past(nothing, nothing, np.zeros(len(of), dtype=np.int64))
    first, count = days["day"][0], days.height
    index = np.array([(d - first).days - lag for d in of], dtype=np.int64)
    there = (index >= 0) & (index < count)
    # One row more than there are days: for whoever asks after the last one, all of them are past.
    values = np.vstack([numbers(days, columns), _missing(1, len(names))])
    coverage, known, at = np.r_[days[f"{kept}.coverage"].to_numpy(), 0.0], past(values), np.clip(index, 0, count)
    return Stretch(values[np.where(there, at, count)], np.where(there, coverage[at], 0.0)), Past(
        known.mean[at], known.sd[at], known.n[at]
    )


def _missing(rows: int, columns: int) -> Floats:
    return np.full((rows, columns), np.nan)


def _columns(modality: str, features: Sequence[str], stretch: Stretch, known: Past) -> Columns:
    columns: Columns = {f"{modality}.coverage": stretch.coverage, f"{modality}.past_n": known.n}
    for n, feature in enumerate(features):
        name = f"{modality}.{feature}"
        columns[name] = stretch.values[:, n]
        columns[f"{name}.past_mean"], columns[f"{name}.past_sd"] = known.mean[:, n], known.sd[:, n]
    return columns


def _frame(columns: Columns) -> pl.DataFrame:
    """Arrays as a frame; NaN is null, as everywhere in the lake."""
    return pl.DataFrame(columns).with_columns(pl.col(pl.Float64).fill_nan(None))
