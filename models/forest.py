"""Boosted trees as plain arrays: what the default model asks beside its network (`docs/decisions/0003`).

One ensemble says medians (grown on absolute errors), which are right where people answer 0 for days; one says means
(grown on squared errors). Each is grown over all items at once: what an answer's history says of the next one is much
the same whatever was asked, and the trees are told which item they are asked about. A network trained on agreement says
means that are spread as far as answers are; together they err less than each, because they err differently.
scikit-learn grows the trees on what the personal baseline leaves; the nodes are then kept as arrays, so that a forest
is stored as numbers, runs without scikit-learn and holds no code. The trees read what the network reads, and know
nobody: what body and voice mean for one person is the network's part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.cohort import Floats, Mask
from models.inputs import Inputs

LOSSES = MEDIANS, MEANS = "absolute_error", "squared_error"
FEWEST = 100  # answers, below which no tree grows
LEAF = 100  # answers of each view that a leaf needs
ROWS = 1024  # rows at once: bounds memory

Places = NDArray[np.int32]


@dataclass(frozen=True)
class Forest:
    """Nodes of all trees in a row; a leaf's children are itself.

    Shapes: `feature`, `threshold`, `left`, `right`, `value` (nodes,); `root` (trees,); `kind` (trees,), the place of a
    tree's loss among `LOSSES`; `start` (losses,) is what the trees of a loss add to. Values are in units of the span.
    """

    feature: Places
    threshold: Floats
    left: Places
    right: Places
    value: Floats
    root: Places
    kind: Places
    start: Floats

    def correction(self, inputs: Inputs) -> Floats:
        """What medians and means add to the baseline, (rows, items, losses) in units of the span."""
        shape = inputs.baseline.shape
        out = np.zeros((*shape, len(self.start)))
        for first in range(0, len(inputs), ROWS):
            rows = slice(first, first + ROWS)
            read = table(inputs, rows)
            for kind, start in enumerate(self.start):
                said = start + self._summed(read, self.root[self.kind == kind])
                out[rows, :, kind] = said.reshape(-1, shape[1])
        return out

    def _summed(self, read: NDArray[np.float32], roots: Places) -> Floats:
        at = np.broadcast_to(roots, (len(read), len(roots)))
        row = np.arange(len(read))[:, None]
        while len(roots):
            goes_left = read[row, self.feature[at]] <= self.threshold[at]
            below = np.where(goes_left, self.left[at], self.right[at])
            if np.array_equal(below, at):
                break
            at = below
        return np.asarray(self.value[at].sum(axis=1))


def table(inputs: Inputs, rows: slice = slice(None)) -> NDArray[np.float32]:
    """What the trees read, (rows · items, numbers), never NaN: the item's history, which item, and what all share.

    Shared are the clock, the mean of all items' baselines, body and voice (0, what is usual, where not measured).
    Whether something was measured the trees are not told: it would stand for other things (no yesterday: a first day;
    no body: a nightly view), and what a modality is worth could no longer be told by leaving it out.
    """
    own, baseline = inputs.history[rows], inputs.baseline[rows]
    parts = [baseline.mean(1, keepdim=True), inputs.context[rows], *(v[rows] for v in inputs.values.values())]
    shared = torch.cat(parts, 1)[:, None].expand(-1, own.shape[1], -1)
    which = torch.arange(own.shape[1], dtype=own.dtype)[:, None].expand(len(own), -1, 1)
    return torch.cat([own, which, shared], -1).flatten(0, 1).numpy()


def grow(views: Sequence[Inputs], unit: Floats, rows: Mask, *, rounds: int, seed: int) -> Forest:
    """Grow a forest on some rows of several views of the same moments.

    Args:
        views: inputs of every row, as different protocols see them.
        unit: answers (rows, items) in units of the span, NaN where there is none.
        rows: which rows to learn from.
        rounds: trees of each loss.
        seed: of the features that each split may choose from.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    given = (rows[:, None] & ~np.isnan(unit)).ravel()
    parts, start = [], np.zeros(len(LOSSES))
    if given.sum() >= FEWEST:
        read = np.concatenate([table(view)[given] for view in views])
        left = np.concatenate([(unit - view.baseline.double().numpy()).ravel()[given] for view in views])
        for kind, loss in enumerate(LOSSES):
            trees = HistGradientBoostingRegressor(
                loss=loss, max_iter=rounds, learning_rate=0.08, max_leaf_nodes=31, min_samples_leaf=LEAF * len(views),
                l2_regularization=5.0, max_features=0.5, max_bins=63, early_stopping=False, random_state=seed,
            )  # fmt: skip
            with threadpool_limits(1):  # the order of sums, and so the last digit, must not depend on the machine
                trees.fit(read, left)
            start[kind] = float(trees._baseline_prediction.ravel()[0])  # noqa: SLF001 (a test holds it to `predict`)
            parts += [(kind, predictor.nodes) for (predictor,) in trees._predictors]  # noqa: SLF001
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
        kind=np.array([kind for kind, _ in parts], np.int32),
        start=start,
    )
