"""What a person wants to see of learning: how a fit went, and what was predicted beside what was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 20


def curve_picture(curve: Sequence[Mapping[str, float]]) -> Figure:
    """Training loss and validation score by epoch.

    Args:
        curve: per epoch `loss` and `score`; at least one.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 3.2), layout="constrained")
    axes = figure.add_subplot()
    epochs = range(1, len(curve) + 1)
    axes.plot(epochs, [e["loss"] for e in curve], color="#4c72b0", label="training loss")
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss", color="#4c72b0")
    other = axes.twinx()
    scores = [e["score"] for e in curve]
    other.plot(epochs, scores, color="#c44e52", label="validation score")
    best = max(range(len(scores)), key=scores.__getitem__)
    other.plot([best + 1], [scores[best]], "o", color="#c44e52")
    other.set_ylabel("validation score (higher is better)", color="#c44e52")
    return figure


def answered_picture(prequential: pl.DataFrame, scales: Mapping[str, tuple[float, float]]) -> Figure:
    """Predicted against answered, per item, as counts in a grid: no single answer can be read off.

    Args:
        prequential: the lake's table, with at least one answer.
        scales: each item's low and high.
    """
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    columns = min(3, len(scales))
    rows = -(-len(scales) // columns)
    figure = Figure(figsize=(2.6 * columns, 2.5 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(scales) :]:
        axes.remove()
    for axes, (item, (low, high)) in zip(panels, scales.items(), strict=False):
        own = prequential.filter((pl.col("item") == item) & pl.col("answer").is_not_null())
        edges = [low + (high - low) * n / BINS for n in range(BINS + 1)]
        axes.hist2d(own["answer"], own["value"], bins=[edges, edges], norm=LogNorm(vmin=1), cmap="viridis")
        axes.plot([low, high], [low, high], color="#888888", linewidth=0.8)
        axes.set_title(item, fontsize=8)
        axes.tick_params(labelsize=6)
    figure.supxlabel("answered", fontsize=9)
    figure.supylabel("predicted", fontsize=9)
    return figure
