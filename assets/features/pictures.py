"""Pictures of the features for the UI: how much usable data each participant gave on each day."""

from __future__ import annotations

from datetime import date as Date
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PEOPLE, MOST_DAYS = 60, 60


def yield_hours(frame: pl.DataFrame) -> pl.DataFrame:
    """Hours of usable data per participant and day.

    Args:
        frame: rows of a windowed table with `participant` and `date`; windows that overlap count by their step.
    """
    window = (pl.col("end_us") - pl.col("time_us")).min() / 3.6e9
    step = pl.col("time_us").sort().diff().min().over("participant", "date") / 3.6e9
    weight = pl.min_horizontal(window, step.fill_null(window))
    return (
        frame.with_columns(hours=pl.col("coverage").fill_null(0.0) * weight)
        .group_by("participant", "date")
        .agg(pl.col("hours").sum())
        .sort("participant", "date")
    )


def _days(present: list[Date]) -> list[Date]:
    """Every day from the first to the last."""
    return [present[0] + timedelta(days=n) for n in range((present[-1] - present[0]).days + 1)] if present else []


def yield_picture(hours: pl.DataFrame, title: str, unit: str = "hours of usable data") -> Figure:
    """A heat map, participants down and days across, of the last 60 days of up to 60 people.

    Args:
        hours: columns `participant`, `date`, `hours`.
        title: what it shows.
        unit: what the colours mean.
    """
    from matplotlib.figure import Figure

    people = hours["participant"].unique().sort().to_list()[:MOST_PEOPLE]
    days = _days(hours["date"].unique().sort().to_list())[-MOST_DAYS:]
    grid = np.full((max(1, len(people)), max(1, len(days))), np.nan)
    rows, columns = ({value: n for n, value in enumerate(values)} for values in (people, days))
    for participant, day, value in hours.select("participant", "date", "hours").iter_rows():
        if participant in rows and day in columns:
            grid[rows[participant], columns[day]] = value
    figure = Figure(figsize=(2.5 + 0.18 * grid.shape[1], 1.4 + 0.18 * grid.shape[0]), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(grid, aspect="auto", cmap="viridis", vmin=0, interpolation="nearest")
    axes.set_facecolor("0.9")
    axes.set_yticks(range(len(people)), people, fontsize=7)
    marks = list(range(0, len(days), max(3, len(days) // 8)))  # closer labels would run into each other
    axes.set_xticks(marks, [days[m].strftime("%d %b") for m in marks], fontsize=7)
    axes.set_title(title, fontsize=9)
    figure.colorbar(image, ax=axes, label=unit)
    return figure
