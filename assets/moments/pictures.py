"""What a person wants to see of the moments: who answered when. Counts only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NAMES = 60  # above this many people their codes cannot be read


def answers_picture(moments: pl.DataFrame) -> Figure:
    """Answered self-reports per participant and local day, as a heat map.

    Args:
        moments: at least `participant` and `day`; not empty.
    """
    from matplotlib.figure import Figure

    counts = moments.group_by("participant", "day").len()
    people = counts["participant"].unique().sort()
    first_day = counts["day"].sort()[0]
    day = (counts["day"] - first_day).dt.total_days().to_numpy()
    grid = np.full((len(people), int(day.max()) + 1), np.nan)
    grid[people.search_sorted(counts["participant"]).to_numpy(), day] = counts["len"].to_numpy()
    figure = Figure(figsize=(8, min(8.0, 1.2 + 0.18 * len(people))), layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("#f2f2f2")
    shown = axes.imshow(grid, aspect="auto", interpolation="nearest", cmap="viridis", vmin=0)
    axes.set_xlabel(f"days since {first_day}")
    if len(people) <= MOST_NAMES:
        axes.set_yticks(range(len(people)), people.to_list(), fontsize=7)
    axes.set_ylabel("participant")
    figure.colorbar(shown, ax=axes, label="answered self-reports")
    return figure
