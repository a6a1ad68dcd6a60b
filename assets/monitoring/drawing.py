"""How a picture of this stage gets its colours and its form: a PNG for Dagster's pages, an inline SVG for the report.

A chart is drawn once with a `Palette`. For the report the colours are stand-ins that become CSS variables, so that
one drawing serves light and dark; text stays text in the reader's own font. What is drawn stands in `charts.py`.
"""

from __future__ import annotations

import io
import re
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Palette:
    """Colours by what they are for."""

    ink: str
    faint: str
    ground: str
    first: str
    second: str
    third: str
    good: str
    bad: str


ON_WHITE = Palette("#1f2430", "#8a8f99", "#eceef1", "#2b6cb0", "#b7641c", "#6b4fa0", "#2f7d4f", "#b83232")
AS_VARIABLES = Palette("#0102f1", "#0102f2", "#0102f3", "#0102f4", "#0102f5", "#0102f6", "#0102f7", "#0102f8")
"""Stand-ins that no drawing uses by itself; `inline` turns each into `var(--<name>)`."""


def new_figure(width: float, height: float, palette: Palette) -> Figure:
    """An empty figure (inches) without a background of its own, in the report."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0.0 if palette is AS_VARIABLES else 1.0)
    return figure


def dress(axes: Axes, palette: Palette, *, title: str = "") -> None:
    """Quiet axes: no box, faint ticks, a left title."""
    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(palette.faint)
        spine.set_linewidth(0.6)
    axes.tick_params(colors=palette.ink, labelsize=8, length=2.5, width=0.6)
    axes.xaxis.label.set(color=palette.ink, size=8)
    axes.yaxis.label.set(color=palette.ink, size=8)
    axes.xaxis.get_offset_text().set(color=palette.ink, size=8)
    axes.grid(visible=True, color=palette.ground, linewidth=0.7)
    axes.set_axisbelow(True)
    if title:
        axes.set_title(title, loc="left", fontsize=9, color=palette.ink)


def legend(axes: Axes, palette: Palette) -> None:
    """A legend without a box, in the chart's ink."""
    axes.legend(frameon=False, fontsize=8, labelcolor=palette.ink, handlelength=1.6, loc="best")


def inline(figure: Figure, alt: str) -> str:
    """The figure as an SVG element that stands in a page of its own colours.

    Args:
        figure: drawn with `AS_VARIABLES`.
        alt: what it shows, for readers who cannot see it.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    data = io.StringIO()
    figure.set_dpi(100)
    # The salt names clip paths and markers, so that several drawings on one page do not share them.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": alt, "font.family": "sans-serif"}):
        # Not by `savefig`, which draws twice.
        FigureCanvasSVG(figure).print_svg(data, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    svg = data.getvalue()
    svg = svg[svg.index("<svg") :]
    for field, colour in zip(fields(AS_VARIABLES), astuple(AS_VARIABLES), strict=True):
        svg = svg.replace(colour, f"var(--{field.name})")
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    width, height = (float(v) for v in re.findall(r'(?:width|height)="([\d.]+)pt"', svg)[:2])
    opening = f'<svg viewBox="0 0 {width:g} {height:g}" role="img" style="max-width:{width * 1.7:.0f}px"'
    return re.sub(r"<svg [^>]*?viewBox=\"[^\"]*\"[^>]*>", f"{opening}><title>{_escaped(alt)}</title>", svg, count=1)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
