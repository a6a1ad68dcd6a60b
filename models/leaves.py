"""Which leaf a line of numbers ends in, of many small trees at once, without walking down any of them.

Every inner node of every tree is asked; one whose answer is "right" rules out all leaves left of it, as bits of one
word. The first leaf that is not ruled out is the one a walk would reach (QuickScorer: Lucchese et al. 2015). That is
more comparisons than a walk makes, but each is one of many on numbers that lie side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.cohort import Floats, Ints, Singles

Places = NDArray[np.int32]
MOST = 32  # leaves of a tree, a bit each
TOGETHER = 50_000  # comparisons at once: calls cost time, what is compared costs memory


@dataclass(frozen=True)
class Leaves:
    """Trees side by side; where a tree has fewer nodes than others, the rest never answers "right".

    Shapes: `column`, `threshold` and `gone`, the leaves ruled out, (inner nodes, trees); `value` (trees, leaves).
    """

    column: Places
    threshold: Singles
    gone: NDArray[np.uint32]
    value: Floats

    @classmethod
    def of(
        cls, column: Ints | Places, threshold: Floats, left: Places, right: Places, value: Floats, root: Places
    ) -> Leaves:
        """From nodes in preorder, tree after tree; a leaf's children are itself."""
        here = np.arange(len(column))
        leaf, tree = left == here, np.repeat(np.arange(len(root)), np.diff(np.r_[root, len(column)]))
        leaves = np.cumsum(leaf) - leaf
        leaves -= leaves[root][tree]  # of this tree, before each node
        nodes, inner = here - root[tree] - leaves, np.flatnonzero(~leaf)
        at = nodes[inner], tree[inner]
        shape = int(nodes[inner].max(initial=-1)) + 1, len(root)
        out = cls(
            np.zeros(shape, np.int32),
            np.full(shape, np.inf, np.float32),
            np.zeros(shape, np.uint32),
            np.zeros((len(root), MOST)),
        )
        out.column[at], out.threshold[at] = column[inner], _not_above(threshold[inner])
        out.gone[at] = (1 << leaves[right[inner]]) - (1 << leaves[left[inner]])
        out.value[tree[leaf], leaves[leaf]] = value[leaf]
        return out

    def take(self, trees: Ints) -> Leaves:
        """These trees only."""
        used = self.gone[:, trees].any(axis=1)
        at = np.ix_(used, trees)
        return Leaves(self.column[at], self.threshold[at], self.gone[at], self.value[trees])

    def say(self, lines: Singles) -> Floats:
        """The value that each tree gives each line, (lines, trees); `lines` (lines, columns) holds no NaN."""
        numbers = np.ascontiguousarray(lines.T)
        ruled_out = np.zeros((len(self.value), len(lines)), np.uint32)
        step = max(1, TOGETHER // max(ruled_out.size, 1))
        for node in range(0, len(self.column), step):
            some = slice(node, node + step)
            right = numbers.take(self.column[some], axis=0) > self.threshold[some, :, None]
            ruled_out |= np.bitwise_or.reduce(right * self.gone[some, :, None])
        first = np.bitwise_count(ruled_out & ~(ruled_out + np.uint32(1)))  # ones at the right end
        return self.value.take(first.T + MOST * np.arange(len(self.value)))


def _not_above(threshold: Floats) -> Singles:
    """The largest float32 not above each threshold, which divides float32 numbers alike."""
    near = threshold.astype(np.float32)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)
