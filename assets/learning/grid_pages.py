"""What a person wants to see of the grid: a figure of all designs beside the personal mean, and a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from assets.learning import honest_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEADER = ("model", "pooled CCC", "95 % over people", "over the personal mean", "MAE", "per-person CCC", "implied q")
AGREEMENT, ERROR = (0, 1, 2, 5), (0, 3, 4, 6)
"""Columns of the same table in two, where a line has room for 80 characters."""
BEGIN, END = "<!-- paper-grid:begin -->", "<!-- paper-grid:end -->"
LABELLED = 40  # lines that still have room for a name each
NAME = 6  # so many lines without names are as high as one with its name


def table_rows(rows: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """The table's lines as text, under HEADER."""
    return [
        [
            str(row["name"]).replace("_", " "),
            _agreement(row),
            interval(row["pooled_ccc_ci"]),
            f"{number(row['over'])} ({interval(row['over_ci'])})",
            number(row["mae"]),
            number(row["person_ccc"]),
            number(row["implied_q"]),
        ]
        for row in rows
    ]


def _agreement(row: Mapping[str, Any]) -> str:
    """The pooled CCC, of several seeds with their SD."""
    apart = "" if row["seed_sd"] is None else f" ± {number(row['seed_sd'])}"
    return number(row["pooled_ccc"]) + apart


def grid_picture(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Pooled CCC of every design with its interval, sorted; baselines apart in colour; a line at the personal mean."""
    from matplotlib.figure import Figure

    shown = [r for r in rows if r["pooled_ccc"] is not None][::-1]
    named = len(shown) <= LABELLED
    figure = Figure(figsize=(7, max(3.0, 0.16 * len(shown)) if named else 5.5), layout="constrained")
    axes = figure.add_subplot()
    # Where cells go without names, a baseline takes the height that its own name needs.
    heights = [1 if named or row["seeds"] else NAME for row in shown]
    height = [top - own / 2 for top, own in zip(accumulate(heights), heights, strict=True)]
    for cells, colour, label in ((True, "#4c72b0", "designs of the grid"), (False, "#c44e52", "baselines")):
        mine = [(place, row) for place, row in zip(height, shown, strict=True) if bool(row["seeds"]) == cells]
        value = [row["pooled_ccc"] for _, row in mine]
        reach = [[abs(v - (row[_CI][end] or v)) for v, (_, row) in zip(value, mine, strict=True)] for end in (0, 1)]
        places = [place for place, _ in mine]
        axes.errorbar(value, places, xerr=reach, fmt="o", markersize=3, linewidth=0.7, color=colour, label=label)
    usual = next((row["pooled_ccc"] for row in shown if row["name"] == "personal_mean"), None)
    if usual is not None:
        axes.axvline(usual, color="#888888", linestyle="--", linewidth=0.8, label="personal mean")
    labelled = {place: str(row["name"]) for place, row in zip(height, shown, strict=True) if named or not row["seeds"]}
    axes.set_yticks(list(labelled), [name.replace("_", " ") for name in labelled.values()], fontsize=6)
    axes.set_xlabel("pooled CCC, mean over items, with 95 % interval over people")
    axes.legend(fontsize=7, loc="lower right")
    return figure


_CI = "pooled_ccc_ci"


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """Where the grid stands against the personal mean, in a sentence."""
    cells = [r for r in rows if r["seeds"]]
    above = sum((r["over_ci"][0] or 0) > 0 for r in cells)
    below = sum((r["over_ci"][1] or 0) < 0 for r in cells)
    best = max(cells, key=lambda r: r["pooled_ccc"] or -1.0)
    return (
        f"Of {len(cells)} designs {above} lie above the personal mean with their whole interval and {below} below. "
        f"The best is {best['name'].replace('_', ' ')} with a pooled CCC of {number(best['pooled_ccc'])}, "
        f"{number(best['over'])} ({interval(best['over_ci'])}) over it."
    )


def page_section(text: str, section: str) -> str:
    """A page with the part between the grid's markers replaced; added at the end where there is none yet."""
    block = f"{BEGIN}\n{section.strip()}\n{END}\n"
    if BEGIN not in text:
        return f"{text.rstrip()}\n\n{block}"
    before, rest = text.split(BEGIN, 1)
    return before + block + rest.split(END, 1)[1].removeprefix("\n")


def number(value: float | None) -> str:
    """Three digits, or a dash where a figure is not defined."""
    return honest_table.number(value, 3 if value is None or abs(value) < 10 else 1)


def interval(ends: Sequence[float | None]) -> str:
    """`low … high`."""
    return f"{number(ends[0])} … {number(ends[1])}"
