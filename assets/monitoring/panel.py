"""People's days as arrays, and robust statistics of each person's own days.

What drift and the report compare stands here once: NaN is missing, medians and median absolute deviations are used
throughout so that one bad day of one person moves nothing. What counts as a change belongs to `shift.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date as Date
from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.monitoring.tables import FEATURES
from models.cohort import Floats

HORIZON_DAYS = 28  # changes older than this are part of everyone's past
PAST_DAYS = 60
WORN_H = 1.0  # hours of wear from which a day's body features count
SHRINK = 5.0  # a person's own SD counts like this many days of the others' SDs


@dataclass(frozen=True)
class Panel:
    """Days of people: values (people, days, features), NaN where missing; `labels` (people, days) name devices."""

    people: tuple[str, ...]
    days: tuple[Date, ...]
    values: Floats
    labels: dict[str, NDArray[np.object_]]


def panel_of(daily: pl.DataFrame, last: Date, features: Sequence[str] = FEATURES) -> Panel:
    """The last weeks as arrays. Body features of a day count only where the band was worn for an hour."""
    first = last - timedelta(days=HORIZON_DAYS + PAST_DAYS - 1)
    rows = daily.filter(pl.col("date").is_between(first, last))
    people = tuple(rows["participant"].unique().sort())
    place = {code: n for n, code in enumerate(people)}
    days = tuple(first + timedelta(days=n) for n in range((last - first).days + 1))
    values = np.full((len(people), len(days), len(features)), np.nan)
    labels = {name: np.full((len(people), len(days)), None, dtype=object) for name in ("device", "firmware")}
    worn = rows["worn_h"].fill_null(0.0).to_numpy() >= WORN_H
    at = (
        np.array([place[p] for p in rows["participant"]], dtype=int),
        (rows["date"] - first).dt.total_days().to_numpy(),
    )
    for n, feature in enumerate(features):
        column = rows[feature].cast(pl.Float64).fill_null(np.nan).to_numpy()
        values[(*at, n)] = column if feature.startswith("voice.") else np.where(worn, column, np.nan)
    for name, label in labels.items():
        label[at] = rows[name].to_numpy()
    return Panel(people, days, values, labels)


def level_weekends(panel: Panel) -> Panel:
    """Take from Saturdays and Sundays what sets them apart for people in general, in each person's own SDs."""
    weekend = np.array([day.weekday() >= 5 for day in panel.days])
    centre, spread = middle(panel.values), own_sd(panel.values)
    z = (panel.values - centre[:, None]) / spread[:, None]
    features = z.shape[2]
    apart = median(z[:, weekend].reshape(-1, features)) - median(z[:, ~weekend].reshape(-1, features))
    values = panel.values - np.where(weekend[None, :, None], np.nan_to_num(apart) * spread[:, None], 0.0)
    return Panel(panel.people, panel.days, values, panel.labels)


def middle(values: Floats) -> Floats:
    """Median over days, (people, days, features) → (people, features); NaN without any day."""
    return median(np.swapaxes(values, 0, 1))


def own_sd(values: Floats) -> Floats:
    """Each person's day-to-day SD by median absolute deviation, shrunk to that of the others, (people, features)."""
    centre = middle(values)
    own = 1.4826 * middle(np.abs(values - centre[:, None]))
    count = (~np.isnan(values)).sum(1)
    others = np.nan_to_num(median(own), nan=1.0)
    pooled = np.sqrt((count * np.nan_to_num(own) ** 2 + SHRINK * others**2) / (count + SHRINK))
    return np.asarray(np.maximum(pooled, 1e-6 * np.abs(np.nan_to_num(centre)) + 1e-9))


def median(values: Floats) -> Floats:
    """Median over the first axis, leaving NaN out; much faster than numpy's nanmedian."""
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    ordered = np.sort(values, axis=0)
    count = (~np.isnan(values)).sum(0)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    high = np.minimum(high, len(values) - 1)
    picked = [np.take_along_axis(ordered, at[None], 0)[0] for at in (low, high)]
    return np.asarray((picked[0] + picked[1]) / 2)
