"""One participant's moments: from answers, windows and clips to the rows that models learn from.

Nothing in a row comes from after its time: windows must have ended and clips must be over by then, `yesterday` is
the previous local day, and what the past says of a feature is taken from strictly earlier rows (days, for
`yesterday`, whose every day counts once). Which columns there are is said in `table.py`; reading and writing the
lake belong to `unit.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from assets.days import SECOND_US, Calendar
from assets.moments.aggregate import Past, Stretch, numbers, past, window_means
from assets.moments.table import DAILY, YESTERDAY, modalities, moments_table
from assets.study import Study
from assets.tables import WINDOWED
from models.cohort import Floats, Ints

MINUTE_US = 60 * SECOND_US


@dataclass(frozen=True)
class Sources:
    """What a participant's moments are made of: frames of the lake's tables over all their days."""

    reports: pl.DataFrame
    windows: Mapping[str, pl.DataFrame]
    clips: pl.DataFrame


def build_moments(sources: Sources, study: Study, participant: str) -> pl.DataFrame:
    """One row per answered self-report, as `moments_table(study)` declares it.

    Args:
        sources: the participant's answers, windows by modality, and clips with their acoustic features.
        study: items, look-back and zones.
        participant: whose they are; decides the calendar.
    """
    answers = _answers(sources.reports, study)
    return _rows(answers, sources, study, participant)


def build_asked(sources: Sources, study: Study, participant: str, time_us: int) -> pl.DataFrame:
    """The same columns for one unanswered time: what a nightly batch knows of it.

    The answers are null, this moment's body and voice are missing; `yesterday` and the past of every feature stay.
    Answers, windows and clips from the local day of `time_us` on must not be in `sources`.
    """
    answers = _answers(sources.reports, study)
    blank = pl.DataFrame({"time_us": [time_us]}, schema={"time_us": pl.Int64()})
    row = _rows(pl.concat([answers, blank], how="diagonal"), sources, study, participant).tail(1)
    names = modalities()
    masked = [f"{m}.{f}" for m in names if m != YESTERDAY for f in (*names[m], "coverage")]
    return row.with_columns(pl.lit(None, pl.Float64()).alias(name) for name in masked)


def _rows(answers: pl.DataFrame, sources: Sources, study: Study, participant: str) -> pl.DataFrame:
    calendar, times = Calendar.of(study, participant), answers["time_us"].to_numpy()
    columns: dict[str, pl.Series] = {}
    lookback = round(study.windows.lookback_minutes * MINUTE_US)
    for modality, features in modalities().items():
        if modality in WINDOWED:
            stretch = window_means(sources.windows[modality], features, times - lookback, times)
            known = past(stretch.values)
        elif modality == YESTERDAY:
            stretch, known = _yesterday(sources.windows, calendar, times)
        else:
            stretch = _clip(sources.clips, features, times, round(study.windows.voice_minutes * MINUTE_US))
            known = past(stretch.values)
        columns |= _columns(modality, features, stretch, known)
    local = [calendar.local(int(t)) for t in times]
    hours = [(t.hour * 3600 + t.minute * 60 + t.second + t.microsecond / SECOND_US) / 3600 for t in local]
    frame = answers.with_columns(
        pl.Series("day", [t.date() for t in local], pl.Date()), pl.Series("local_hour", hours, pl.Float64()), **columns
    )
    return frame.select(c.name for c in moments_table(study).columns)


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
        return Stretch(np.full((len(times), len(names)), np.nan), np.zeros(len(times)))
    latest = np.searchsorted(ends, times, "right") - 1
    found = (latest >= 0) & (starts[latest] >= times - reach)
    return Stretch(np.where(found[:, None], values[latest], np.nan), np.where(found, coverage[latest], 0.0))


def _yesterday(windows: Mapping[str, pl.DataFrame], calendar: Calendar, times: Ints) -> tuple[Stretch, Past]:
    """Means over the previous local day, and what the days before that one say of them."""
    width = sum(len(names) for names in DAILY.values())
    days = [calendar.day(int(t)) for t in times]
    begins = [int(w["time_us"].min()) for m, w in windows.items() if m in DAILY and w.height]  # type: ignore[arg-type]
    first = calendar.day(min(begins)) if begins else None
    if first is None or not days or max(days) <= first:
        nothing = np.full((len(times), width), np.nan)
        return Stretch(nothing, np.zeros(len(times))), Past(nothing, nothing, np.zeros(len(times), dtype=np.int64))
    grid = [first + timedelta(days=n) for n in range((max(days) - first).days)]
    daily = _daily(windows, np.array([calendar.span_us(d) for d in grid], dtype=np.int64))
    index = np.array([(d - first).days - 1 for d in days])
    known, there = past(daily.values), index >= 0
    at = np.maximum(index, 0)
    values, mean, sd = (np.where(there[:, None], x[at], np.nan) for x in (daily.values, known.mean, known.sd))
    return Stretch(values, np.where(there, daily.coverage[at], 0.0)), Past(mean, sd, np.where(there, known.n[at], 0))


def _daily(windows: Mapping[str, pl.DataFrame], spans: Ints) -> Stretch:
    """Daily means of the chosen features; the coverage is that of the best covered modality."""
    parts = [window_means(windows[m], names, spans[:, 0], spans[:, 1]) for m, names in DAILY.items()]
    return Stretch(np.hstack([p.values for p in parts]), np.max([p.coverage for p in parts], axis=0))


def _columns(modality: str, features: Sequence[str], stretch: Stretch, known: Past) -> dict[str, pl.Series]:
    columns = {
        f"{modality}.coverage": _series(stretch.coverage),
        f"{modality}.past_n": pl.Series(known.n, dtype=pl.Int64()),
    }
    for n, feature in enumerate(features):
        name = f"{modality}.{feature}"
        columns[name] = _series(stretch.values[:, n])
        columns[f"{name}.past_mean"], columns[f"{name}.past_sd"] = _series(known.mean[:, n]), _series(known.sd[:, n])
    return columns


def _series(values: Floats) -> pl.Series:
    return pl.Series(values, dtype=pl.Float64()).fill_nan(None)
