"""Boosted trees as plain arrays: what the default model asks beside its network (`docs/decisions/0003`).

What an answer's history says of the next one is much the same whatever was asked, so trees are grown over all items at
once: some say medians (grown on absolute errors), which are right where people answer 0 for days, some say means (on
squared errors). What body and voice say is each item's own: trees of every item follow, grown on what medians leave.
A network trained on agreement says means that are spread as far as answers are; together they err less than each,
because they err differently. scikit-learn grows the trees on what the personal baseline leaves; the nodes are then kept
as arrays, so that a forest is stored as numbers, runs without scikit-learn and holds no code. The trees read what the
network reads, and know nobody: what body and voice mean for one person is the network's part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from models.cohort import Floats, Ints, Mask, Singles
from models.inputs import CONTEXT_WIDTH, HISTORY_WIDTH, Inputs
from models.leaves import Leaves, Places
from models.threads import each, one_openmp_thread

LOSSES = MEDIANS, MEANS = "absolute_error", "squared_error"
FEWEST = 100  # answers, below which no tree grows
ALL = -1  # in place of an item
OF_ALL = {"learning_rate": 0.08, "max_leaf_nodes": 31, "min_samples_leaf": 100, "l2_regularization": 5.0}
OF_ONE = {"learning_rate": 0.05, "max_leaf_nodes": 15, "min_samples_leaf": 40, "l2_regularization": 1.0}
ROWS = 64  # rows at once: bounds memory
OF_HISTORY = HISTORY_WIDTH + 2 + CONTEXT_WIDTH  # numbers that all trees read, see `of_history`


@dataclass(frozen=True)
class Forest:
    """Nodes of all trees in a row; a leaf's children are itself.

    Shapes: `feature`, `threshold`, `left`, `right`, `value` (nodes,); `root` (trees,); `kind` (trees,), the place of a
    tree's loss among `LOSSES`; `item` (trees,), `ALL` for trees of all items; `start` (items, losses) is what the trees
    add to. Values are in units of the span.
    """

    feature: Places
    threshold: Floats
    left: Places
    right: Places
    value: Floats
    root: Places
    kind: Places
    item: Places
    start: Floats

    def correction(self, inputs: Inputs) -> Floats:
        """What medians and means add to the baseline, (rows, items, losses) in units of the span."""
        out = np.tile(self.start, (len(inputs), 1, 1))
        if len(self.root):
            first, which = _different(inputs)
            out += self._by_history(inputs.take(first))[which]
            out += self._by_body(inputs)
        return out

    def _by_history(self, inputs: Inputs) -> Floats:
        """What the trees of all items say, (rows, items, losses)."""
        out = np.zeros((len(inputs), *self.start.shape))
        for rows in _chunks(len(inputs)):
            each = self._of_all.say(of_history(inputs, rows)).reshape(-1, len(self.start), len(self._of_all.value))
            for kind, item, trees in self._groups:
                if item == ALL:
                    out[rows, :, kind] = each[..., trees].sum(-1)
        return out

    def _by_body(self, inputs: Inputs) -> Floats:
        """What the trees of one item say besides, (rows, items, losses)."""
        out = np.zeros((len(inputs), *self.start.shape))
        for rows in _chunks(len(inputs)):
            told = of_history(inputs, rows).reshape(-1, len(self.start) * OF_HISTORY)
            each = self._of_one.say(np.concatenate([told, of_body(inputs, rows)], axis=1))
            for kind, item, trees in self._groups:
                if item != ALL:
                    out[rows, item, kind] = each[:, trees].sum(-1)
        return out

    @cached_property
    def _of_all(self) -> Leaves:
        """The trees of all items, which read the history of one."""
        return self._leaves.take(np.flatnonzero(self.item == ALL))

    @cached_property
    def _of_one(self) -> Leaves:
        """The trees of one item, which read its history among all items' and, after those, the body."""
        return self._leaves.take(np.flatnonzero(self.item != ALL))

    @cached_property
    def _leaves(self) -> Leaves:
        """All trees, with the columns that either reads."""
        item = np.repeat(self.item, np.diff(np.r_[self.root, len(self.feature)]))
        before = np.where(self.feature < OF_HISTORY, item, len(self.start) - 1)
        column = self.feature + OF_HISTORY * np.where(item == ALL, 0, before)
        return Leaves.of(column, self.threshold, self.left, self.right, self.value, self.root)

    @cached_property
    def _groups(self) -> list[tuple[int, int, slice]]:
        """Loss and item of the trees whose values are summed, and where these lie among all items' or one item's."""
        groups = []
        for kind, item in np.unique(np.column_stack([self.kind, self.item]), axis=0).tolist():
            beside = (self.item == ALL) == (item == ALL)
            place = np.flatnonzero((self.kind[beside] == kind) & (self.item[beside] == item))
            groups.append((kind, item, slice(place[0], place[-1] + 1)))
        return groups


def _chunks(rows: int) -> Iterator[slice]:
    return (slice(first, first + ROWS) for first in range(0, rows, ROWS))


def _different(inputs: Inputs) -> tuple[Ints, Ints]:
    """Rows that tell different things of the past, and which of these each row is: `why` asks a row several times."""
    alike: dict[tuple[bytes, ...], int] = {}
    each = zip(inputs.history, inputs.baseline, inputs.context, strict=True)
    which = np.array([alike.setdefault(tuple(part.tobytes() for part in row), len(alike)) for row in each], np.int64)
    return np.unique(which, return_index=True)[1], which


def of_history(inputs: Inputs, rows: slice = slice(None)) -> Singles:
    """What all trees read, (rows · items, numbers): the item's history, which item, the clock, how all items stand."""
    own, baseline, clock = inputs.history[rows], inputs.baseline[rows], inputs.context[rows]
    out = np.empty((*own.shape[:2], OF_HISTORY), np.float32)
    out[..., :HISTORY_WIDTH], out[..., HISTORY_WIDTH] = own, np.arange(own.shape[1])
    out[..., HISTORY_WIDTH + 1], out[..., HISTORY_WIDTH + 2 :] = baseline.mean(1)[:, None], clock[:, None]
    return out.reshape(-1, OF_HISTORY)


def of_body(inputs: Inputs, rows: slice = slice(None)) -> Singles:
    """What the trees of one item read besides, (rows, numbers): body and voice, 0 (what is usual) where not measured.

    Whether something was measured they are not told: it would stand for other things (no yesterday: a first day; no
    body: a nightly view), and what a modality is worth could no longer be told by leaving it out.
    """
    parts = [inputs.context[rows, :0], *(values[rows] for values in inputs.values.values())]
    return np.concatenate(parts, axis=1)


def grow(views: Sequence[Inputs], unit: Floats, rows: Mask, *, rounds: int, seed: int, threads: int = 1) -> Forest:
    """Grow a forest on some rows of several views of the same moments.

    Args:
        views: inputs of every row, as different protocols see them.
        unit: answers (rows, items) in units of the span, NaN where there is none.
        rows: which rows to learn from.
        rounds: trees of each loss for all items, and as many medians for each item with body or voice.
        seed: of the features that each split may choose from.
        threads: how many groups of trees grow at once; they come out the same.
    """
    given, items = rows[:, None] & ~np.isnan(unit), unit.shape[1]
    told = np.concatenate([of_history(view)[given.ravel()] for view in views])
    left = np.concatenate([(unit - view.baseline.astype(np.float64))[given] for view in views])
    item_of = np.tile(np.nonzero(given)[1], len(views))
    if len(left) < FEWEST:
        return _joined([], items)
    of_all = each(lambda loss: _grown(told, left, loss, rounds, seed, OF_ALL, len(views)), LOSSES, threads)
    medians = LOSSES.index(MEDIANS)
    _, rest = of_all[medians]

    def of_one(item: int) -> list[_Part]:
        measured = np.concatenate([of_body(view)[given[:, item]] for view in views])
        if measured.shape[1] == 0 or len(measured) < FEWEST:
            return []
        mine = item_of == item
        part, _ = _grown(np.c_[told[mine], measured], rest[mine], MEDIANS, rounds, seed, OF_ONE, len(views))
        return [(medians, item, *part)]

    parts: list[_Part] = [(kind, ALL, *part) for kind, (part, _) in enumerate(of_all)]
    return _joined([*parts, *chain(*each(of_one, range(items), threads))], items)


_Nodes = NDArray[np.void]
_Part = tuple[int, int, float, list[_Nodes]]  # kind, item, what its trees add to, the nodes of each tree


def _grown(
    read: Singles, left: Floats, loss: str, rounds: int, seed: int, shape: Mapping[str, float], views: int
) -> tuple[tuple[float, list[_Nodes]], Floats]:
    """Trees of one loss and what they leave; each moment stands in so many views, and a leaf needs it in all."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    leaf = {"min_samples_leaf": int(shape["min_samples_leaf"]) * views}
    trees = HistGradientBoostingRegressor(
        loss=loss, max_iter=rounds, max_features=0.5, max_bins=63, early_stopping=False, random_state=seed,
        **{**shape, **leaf},
    )  # fmt: skip
    with one_openmp_thread():
        rest = left - trees.fit(read, left).predict(read)
    start = float(trees._baseline_prediction.ravel()[0])  # noqa: SLF001 (a test holds it to `predict`)
    return (start, [predictor.nodes for (predictor,) in trees._predictors]), rest  # noqa: SLF001


def _joined(parts: Sequence[_Part], items: int) -> Forest:
    start = np.zeros((items, len(LOSSES)))
    for kind, item, value, _ in parts:
        start[slice(None) if item == ALL else item, kind] += value
    trees = [(kind, item, nodes) for kind, item, _, several in parts for nodes in several]
    sizes = np.array([len(nodes) for *_, nodes in trees], dtype=np.int64)
    root = np.cumsum(sizes) - sizes
    if not trees:
        none, nothing = np.zeros(0, np.int32), np.zeros(0)
        return Forest(none, nothing, none, none, nothing, none, none, none, start)
    nodes = np.concatenate([nodes for *_, nodes in trees])
    here, offset, leaf = np.arange(len(nodes)), np.repeat(root, sizes), nodes["is_leaf"].astype(bool)
    return Forest(
        feature=nodes["feature_idx"].astype(np.int32),
        threshold=np.where(leaf, 0.0, nodes["num_threshold"]),
        left=np.where(leaf, here, nodes["left"] + offset).astype(np.int32),
        right=np.where(leaf, here, nodes["right"] + offset).astype(np.int32),
        value=nodes["value"].astype(np.float64),
        root=root.astype(np.int32),
        kind=np.array([kind for kind, *_ in trees], np.int32),
        item=np.array([item for _, item, _ in trees], np.int32),
        start=start,
    )
