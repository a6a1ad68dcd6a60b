"""What a person wants to see of learning: how a fit went, and what was predicted beside what was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from models.cohort import Floats, Ints
from models.mix import steps_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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


def reliability_picture(tested: pl.DataFrame, meant: float) -> Figure:
    """How many answers the intervals hold: per person, and over all by how sure the model was.

    Args:
        tested: the lake's prequential table, answered rows only.
        meant: the share that intervals are made to hold.
    """
    from matplotlib.figure import Figure

    inside = tested.with_columns(
        inside=(pl.col("low") <= pl.col("answer")) & (pl.col("answer") <= pl.col("high")),
        width=pl.col("high") - pl.col("low"),
    )
    people = inside.group_by("participant").agg(pl.col("inside").mean())["inside"].sort().to_list()
    tenth = (pl.col("width").rank("ordinal") - 1) * 10 // pl.len()
    by_width = inside.group_by(tenth.alias("tenth")).agg(pl.col("inside").mean()).sort("tenth")
    figure = Figure(figsize=(7.5, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    left.plot([(n + 0.5) / len(people) for n in range(len(people))], people, ".", color="#4c72b0")
    left.set_xlabel("people, from the worst held")
    left.set_ylabel("share of answers inside")
    right.plot((by_width["tenth"] + 0.5) / 10, by_width["inside"], "o-", color="#4c72b0")
    right.set_xlabel("estimates, from the narrowest interval")
    for axes in (left, right):
        axes.axhline(meant, color="#c44e52", linewidth=1)
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
    left.text(0.02, meant - 0.06, f"meant: {meant:.0%}", color="#c44e52", fontsize=8)
    return figure


def lifts_picture(tested: pl.DataFrame, scales: Mapping[str, tuple[float, float]]) -> Figure:
    """How much closer than the personal baseline the model came to each person's answers, as shares of the scale."""
    from matplotlib.figure import Figure

    span = pl.col("item").replace_strict({i: high - low for i, (low, high) in scales.items()}, return_dtype=pl.Float64)
    closer = (pl.col("baseline") - pl.col("answer")).abs() - (pl.col("value") - pl.col("answer")).abs()
    lifts = tested.group_by("participant").agg((100 * closer / span).mean().alias("lift"))["lift"].sort().to_list()
    figure = Figure(figsize=(6.5, 3.0), layout="constrained")
    axes = figure.add_subplot()
    axes.bar(range(len(lifts)), lifts, color=["#4c72b0" if lift > 0 else "#c44e52" for lift in lifts], width=0.9)
    axes.axhline(0, color="#888888", linewidth=0.8)
    axes.set_xticks([])
    axes.set_xlabel(f"{len(lifts)} people, {sum(lift > 0 for lift in lifts)} of them closer than their baseline")
    axes.set_ylabel("error saved, % of the scale")
    return figure


def levels_picture(tested: pl.DataFrame, scales: Mapping[str, tuple[float, float]]) -> Figure:
    """Answered against predicted level, as shares of each row: every level of rating scales, thirds of other scales.

    Items of as many levels stand in one panel.
    """
    from matplotlib.figure import Figure

    panels: dict[int, list[tuple[Floats, Floats]]] = {}
    for item, (low, high) in scales.items():
        own = (tested.filter(item=item).select("answer", "value").to_numpy() - low) / (high - low)
        panels.setdefault(int(steps_of(own[:, :1])[0]), []).append((own[:, 0], own[:, 1]))
    figure = Figure(figsize=(4.0 * len(panels), 3.4), layout="constrained")
    for axes, (steps, items) in zip(np.ravel(figure.subplots(1, len(panels))), sorted(panels.items()), strict=True):
        answered, said = (np.concatenate(units) for units in zip(*items, strict=True))
        _confusion(axes, _level(answered, steps), _level(said, steps), steps)
    return figure


def _level(unit: Floats, steps: int) -> Ints:
    """Which level a value in units of the span is of, or which third where there are no steps."""
    return (np.round(unit * steps) if steps else np.clip(np.floor(unit * 3), 0, 2)).astype(np.int64)


def _confusion(axes: Axes, answered: Ints, said: Ints, steps: int) -> None:
    names = [str(level) for level in range(1, steps + 2)] if steps else ["low", "middle", "high"]
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (answered, said), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for a, v in np.ndindex(counts.shape):
        text = f"{shares[a, v]:.0%}\n{counts[a, v]}" if len(names) < 6 else f"{shares[a, v]:.0%}"
        axes.text(v, a, text, ha="center", va="center", color="white" if shares[a, v] > 0.5 else "black", fontsize=8)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    what = "level of the scale" if steps else "third of the scale"
    axes.set_xlabel(f"predicted {what}")
    axes.set_ylabel(f"answered {what}")
