"""Boosted trees as plain arrays: what the default model asks beside its network (`docs/decisions/0003`).

Trees grown on absolute errors say medians, and say them well where people answer 0 for days; a network trained on
agreement says means that are spread as far as answers are. Together they err less than either, because they err
differently. scikit-learn grows one ensemble per item on what the personal baseline leaves; the nodes are then kept as
arrays, so that a forest is stored as numbers, runs without scikit-learn and holds no code. The trees read what the
network reads, and know nobody: what body and voice mean for one person is the network's part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.cohort import Floats, Mask
from models.inputs import Inputs

FEWEST = 100  # answers of an item below which no tree grows
ROWS = 2048  # rows at once: bounds memory

Places = NDArray[np.int32]


@dataclass(frozen=True)
class Forest:
    """Nodes of all trees in a row; a leaf's children are itself.

    Shapes: `feature`, `threshold`, `left`, `right`, `value` (nodes,); `root` (trees,); `item` (trees,); `start`
    (items,) is what every tree of an item adds to. Values are in units of the span.
    """

    feature: Places
    threshold: Floats
    left: Places
    right: Places
    value: Floats
    root: Places
    item: Places
    start: Floats

    def correction(self, inputs: Inputs) -> Floats:
        """What the trees add to the baseline, (rows, items) in units of the span."""
        out = np.zeros((len(inputs), len(self.start)))
        for first in range(0, len(inputs), ROWS):
            rows = slice(first, first + ROWS)
            shared = everyones(inputs, rows)
            for item, start in enumerate(self.start):
                read = np.concatenate([own(inputs, item, rows), shared], axis=1)
                out[rows, item] = start + self._summed(read, self.root[self.item == item])
        return out

    def _summed(self, table: Floats, roots: Places) -> Floats:
        at = np.broadcast_to(roots, (len(table), len(roots)))
        row = np.arange(len(table))[:, None]
        while len(roots):
            goes_left = table[row, self.feature[at]] <= self.threshold[at]
            below = np.where(goes_left, self.left[at], self.right[at])
            if np.array_equal(below, at):
                break
            at = below
        return np.asarray(self.value[at].sum(axis=1))


def own(inputs: Inputs, item: int, rows: slice = slice(None)) -> Floats:
    """What the trees of one item read of its history, (rows, numbers); never NaN."""
    return np.asarray(inputs.history[rows, item].double().numpy())


def everyones(inputs: Inputs, rows: slice = slice(None)) -> Floats:
    """What the trees of all items read: clock, baselines, body and voice (0, what is usual, where not measured).

    Whether something was measured they are not told: it would stand for other things (no yesterday: a first day; no
    body: a nightly view), and what a modality is worth could no longer be told by leaving it out.
    """
    parts = [inputs.context[rows], inputs.baseline[rows], *(v[rows] for v in inputs.values.values())]
    return np.concatenate([part.double().numpy() for part in parts], axis=1)


def grow(views: Sequence[Inputs], unit: Floats, rows: Mask, *, rounds: int, seed: int) -> Forest:
    """Grow a forest on some rows of several views of the same moments.

    Args:
        views: inputs of every row, as different protocols see them.
        unit: answers (rows, items) in units of the span, NaN where there is none.
        rows: which rows to learn from.
        rounds: trees per item.
        seed: of the features that each split may choose from.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    shared = [everyones(view) for view in views]
    parts, start = [], np.zeros(unit.shape[1])
    for item in range(unit.shape[1]):
        used = rows & ~np.isnan(unit[:, item])
        if used.sum() < FEWEST:
            continue
        table = np.concatenate([np.c_[own(v, item), s][used] for v, s in zip(views, shared, strict=True)])
        left = np.concatenate([(unit - v.baseline.double().numpy())[used, item] for v in views])
        trees = HistGradientBoostingRegressor(
            loss="absolute_error", max_iter=rounds, learning_rate=0.05, max_leaf_nodes=15,
            min_samples_leaf=40 * len(views), l2_regularization=1.0, max_features=0.5, max_bins=63,
            early_stopping=False, random_state=seed,
        )  # fmt: skip
        with threadpool_limits(1):  # the order of sums, and so the last digit, must not depend on the machine
            trees.fit(table, left)
        start[item] = float(trees._baseline_prediction.ravel()[0])  # noqa: SLF001 (a test holds it to `predict`)
        parts += [(item, predictor.nodes) for (predictor,) in trees._predictors]  # noqa: SLF001
    return _joined(parts, start)


def _joined(parts: Sequence[tuple[int, NDArray[np.void]]], start: Floats) -> Forest:
    sizes = np.array([len(nodes) for _, nodes in parts], dtype=np.int64)
    root = np.cumsum(sizes) - sizes
    if not parts:
        none, nothing = np.zeros(0, np.int32), np.zeros(0)
        return Forest(none, nothing, none, none, nothing, none, none, start)
    nodes = np.concatenate([n for _, n in parts])
    here, offset, leaf = np.arange(len(nodes)), np.repeat(root, sizes), nodes["is_leaf"].astype(bool)
    return Forest(
        feature=nodes["feature_idx"].astype(np.int32),
        threshold=np.where(leaf, 0.0, nodes["num_threshold"]),
        left=np.where(leaf, here, nodes["left"] + offset).astype(np.int32),
        right=np.where(leaf, here, nodes["right"] + offset).astype(np.int32),
        value=nodes["value"].astype(np.float64),
        root=root.astype(np.int32),
        item=np.array([item for item, _ in parts], np.int32),
        start=start,
    )
