"""The figures that a scientist and the person on call follow from night to night, drawn for the report and for Dagster.

Which curves there are is decided here, once; how a curve is drawn is `charts.py`, where it is shown `sections.py` (the
report) and `report_assets.py` (Dagster's pages).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date as Date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from assets.monitoring import charts
from assets.monitoring.drawing import Palette
from assets.monitoring.history import RIVALS, Night
from assets.monitoring.operations import Operations

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEWEST_NIGHTS = 2  # one night is a table, not a curve
OURS = "macro_micro"
CCC, MAE = "Agreement by night", "Error by night"
LIFT, COVERAGE = "Lift over baselines by night", "Coverage of the intervals by night"


def night_curves(history: Sequence[Night], promised: float, palette: Palette) -> dict[str, Figure]:
    """What became of the model from night to night, by title; curves of which too few nights are known are left out.

    Args:
        history: the versions, oldest first.
        promised: the share of answers that intervals are made to hold.
        palette: colours.
    """
    nights = [n for n in history if n.trained_until]
    dates: list[Date] = [n.trained_until for n in nights if n.trained_until]
    champions = [place for place, n in enumerate(nights) if n.gate == "promoted"]
    if len(dates) < FEWEST_NIGHTS:
        return {}

    def lines(figure: str) -> dict[str, list[float | None]]:
        return _known({model: [n.metric(model, figure) for n in nights] for model in (OURS, *RIVALS)})

    found = {}
    for title, figure, label in ((CCC, "pooled_ccc", "pooled CCC"), (MAE, "mae", "mean absolute error")):
        if lines(figure):
            found[title] = charts.lines_chart(dates, lines(figure), label, palette, marked=champions)
    spared = _known({rival: [_spared(n, rival) for n in nights] for rival in RIVALS})
    if spared:
        found[LIFT] = charts.lines_chart(dates, spared, "% of its error spared", palette, zero=True, ours=False)
    covered = _known({"coverage": [n.metric(OURS, "coverage") for n in nights]})
    if covered:
        found[COVERAGE] = charts.lines_chart(dates, covered, "share of answers inside", palette, level=promised)
    return found


def timeline(operations: Operations, zone: ZoneInfo, palette: Palette) -> Figure | None:
    """The last night's steps over the study's clock; None where no step is known."""
    steps = [(s.name, s.start.astimezone(zone), s.end.astimezone(zone), s.error is None) for s in operations.steps]
    return charts.timeline_chart(steps, palette) if steps else None


def _spared(night: Night, rival: str) -> float | None:
    """How much of a baseline's error a version spares, %; None where either was not measured."""
    ours, theirs = night.metric(OURS, "mae"), night.metric(rival, "mae")
    return None if ours is None or not theirs else 100 * (1 - ours / theirs)


def _known(lines: dict[str, list[float | None]]) -> dict[str, list[float | None]]:
    """The lines of which anything is known."""
    return {name: values for name, values in lines.items() if any(v is not None for v in values)}
