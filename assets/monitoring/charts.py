"""The charts of this stage: pure drawings of small tables, for the report and for Dagster's pages alike.

Each takes its numbers and a palette and returns a figure; none shows a participant's answers. How a figure becomes a
PNG or an SVG is `drawing.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date as Date
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from assets.monitoring.drawing import ON_WHITE, Palette, dress, legend, new_figure
from assets.monitoring.tables import YIELDS
from assets.monitoring.yields import Grid
from models.cohort import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE = 5.2  # inches: as wide as a phone shows with readable text; wider screens show two side by side
FEW_DAYS = 8
MOST_NAMES = 70  # more participants than this are drawn in thinner rows, with only some of their codes


def heat_map(
    grid: Grid, title: str, palette: Palette = ON_WHITE, links: Mapping[tuple[str, Date], str] | None = None
) -> Figure:
    """How much each participant gave on each day: participants down, days across; nothing where nothing came.

    Args:
        grid: the numbers.
        title: above it.
        palette: colours.
        links: addresses of participant-days that can be looked at; their cells lead there (in an SVG).
    """
    people, days = max(1, len(grid.participants)), len(grid.days)
    row = 0.17 if people <= MOST_NAMES else 0.17 * MOST_NAMES / people
    figure = new_figure(WIDE, 0.9 + row * people, palette)
    axes = figure.add_subplot()
    values = grid.values if len(grid.participants) else np.full((1, days), np.nan)
    image = axes.imshow(values, aspect="auto", cmap="viridis", vmin=0, interpolation="nearest")
    dress(axes, palette, title=title)
    axes.grid(visible=False)
    named = range(0, len(grid.participants), max(1, -(-people // MOST_NAMES)))
    axes.set_yticks(list(named), [grid.participants[n] for n in named], fontsize=7 if people <= MOST_NAMES else 5)
    marks = range(days - 1, -1, -7)
    axes.set_xticks(list(marks), [f"{grid.days[n]:%d %b}" for n in marks])
    _link(axes, grid, links or {})
    bar = figure.colorbar(image, ax=axes, label=grid.unit, fraction=0.04, pad=0.01)
    bar.ax.tick_params(colors=palette.ink, labelsize=7)
    bar.ax.yaxis.label.set(color=palette.ink, size=8)
    bar.outline.set_visible(False)
    return figure


def _link(axes: Axes, grid: Grid, links: Mapping[tuple[str, Date], str]) -> None:
    """Frame every cell that has an address, and make it lead there."""
    from matplotlib.patches import Rectangle

    for row, participant in enumerate(grid.participants):
        for column, day in enumerate(grid.days):
            address = links.get((participant, day))
            if address and not np.isnan(grid.values[row, column]):
                cell = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=(0, 0, 0, 0), edgecolor="#ffffff", lw=0.5)
                cell.set_url(address)
                axes.add_patch(cell)


def totals_chart(totals: pl.DataFrame, palette: Palette = ON_WHITE) -> Figure:
    """Participants who gave anything, and what came of each modality, day by day.

    Args:
        totals: columns `date`, `participants` and one a modality (`yields.totals`).
        palette: colours.
    """
    shown = ["participants", *(m for m in YIELDS if totals[m].sum())]
    figure = new_figure(WIDE, 0.75 * len(shown) + 0.5, palette)
    panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False).ravel()
    for axes, name in zip(panels, shown, strict=True):
        unit = YIELDS[name][1] if name in YIELDS else ""
        dress(axes, palette, title=f"{name}, {unit} a day" if unit and unit != name else f"{name} a day")
        axes.bar(totals["date"].to_numpy(), totals[name].to_numpy(), width=0.9, color=palette.first)
        axes.margins(x=0.01)
    _dates(panels[-1])
    return figure


def lines_chart(
    x: Sequence[Date | datetime],
    lines: Mapping[str, Sequence[float | None]],
    label: str,
    palette: Palette = ON_WHITE,
    *,
    marked: Sequence[int] = (),
    level: float | None = None,
    since: Date | None = None,
    zero: bool = False,
    ours: bool = True,
) -> Figure:
    """Some figures over time, the first one prominent.

    Args:
        x: one date for each value.
        lines: values by name; None is a gap.
        label: what the vertical axis measures.
        palette: colours.
        marked: places of the first line to mark with a ring (champions).
        level: a horizontal line to reach.
        since: a vertical line at a date.
        zero: a line at zero, for differences.
        ours: whether the first line is the model's, whose colour none of the others takes in any chart.
    """
    figure = new_figure(WIDE, 2.4, palette)
    axes = figure.add_subplot()
    dress(axes, palette)
    colours = (palette.first, palette.second, palette.third, palette.faint)[not ours :]
    for n, (name, values) in enumerate(lines.items()):
        y = np.array([np.nan if v is None else v for v in values], dtype=float)
        style = {"color": colours[n % len(colours)], "linewidth": 1.8 if n == 0 else 1.1, "markersize": 2.5}
        axes.plot(np.array(x), y, marker="o", label=name.replace("_", " "), **style)  # type: ignore[arg-type]
        if n == 0 and len(marked):
            places = list(marked)
            axes.plot(np.array(x)[places], y[places], "o", mfc="none", mec=palette.ink, markersize=8, label="champion")
    if level is not None:
        axes.axhline(level, color=palette.good, linewidth=0.9, linestyle=(0, (4, 3)), label=f"promised {level:.0%}")
    if zero:
        axes.axhline(0, color=palette.ink, linewidth=0.8)
    if since is not None:
        axes.axvline(since, color=palette.bad, linewidth=1.0, linestyle=(0, (4, 3)), label=f"since {since}")  # type: ignore[arg-type]
    axes.set_ylabel(label)
    legend(axes, palette)
    _dates(axes)
    return figure


def people_chart(lift: Floats, palette: Palette = ON_WHITE) -> Figure:
    """Everyone's lift over their own baseline, from the least to the largest; nobody is named.

    Args:
        lift: mean absolute error of the baseline minus the model's, % of the scale, (people,).
        palette: colours.
    """
    figure = new_figure(WIDE, 2.0, palette)
    axes = figure.add_subplot()
    dress(axes, palette)
    ordered = np.sort(lift[~np.isnan(lift)])
    colours = [palette.good if v > 0 else palette.bad for v in ordered]
    axes.bar(range(len(ordered)), ordered, color=colours, width=0.9)
    axes.axhline(0, color=palette.faint, linewidth=0.8)
    axes.set_ylabel("error spared, % of scale")
    axes.set_xlabel("people, least helped first")
    axes.set_xticks([])
    return figure


def timeline_chart(steps: Sequence[tuple[str, datetime, datetime, bool]], palette: Palette = ON_WHITE) -> Figure:
    """Last night's steps as bars over the clock.

    Args:
        steps: name, start, end and whether it worked, in order.
        palette: colours.
    """
    figure = new_figure(WIDE, 0.6 + 0.22 * max(1, len(steps)), palette)
    axes = figure.add_subplot()
    dress(axes, palette)
    for n, (_, start, end, fine) in enumerate(steps):
        shown = max(end - start, timedelta(seconds=2))
        axes.barh(n, shown, left=start, height=0.62, color=palette.first if fine else palette.bad)  # type: ignore[arg-type]
    axes.set_yticks(range(len(steps)), [name for name, *_ in steps])
    axes.invert_yaxis()
    _clock(axes, steps[0][1] if steps else None)
    return figure


def _dates(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, DateLocator, DayLocator

    only, until = axes.dataLim.intervalx
    if only == until:  # one night: matplotlib would show two years to either side
        axes.set_xlim(only - 1, only + 1)
    first, last = axes.get_xlim()
    # Nights have no hours: a few of them are marked each.
    few, many = DayLocator, AutoDateLocator
    locator: DateLocator = few() if last - first < FEW_DAYS else many(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _clock(axes: Axes, start: datetime | None) -> None:
    from matplotlib.dates import AutoDateLocator, DateFormatter

    zone = start.tzinfo if start else None
    axes.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=7, tz=zone))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M:%S", tz=zone))  # type: ignore[no-untyped-call]
