"""Asking every node at once ends in the leaf that a walk reaches."""

import numpy as np
import pytest

from models.leaves import MOST, Leaves


def grown(random: np.random.Generator, leaves: int, columns: int) -> dict[str, np.ndarray]:
    """One tree in preorder, split at random; thresholds lie on, beside and far from what lines hold."""
    nodes: dict[str, list[float]] = {name: [] for name in ("column", "threshold", "left", "right", "value")}

    def grow(count: int) -> int:
        here = len(nodes["column"])
        near = random.integers(-3, 4) + random.choice([0.0, 1e-12, -1e-12, 0.3])
        row = {"column": random.integers(columns), "threshold": near, "left": here, "right": here}
        for name, value in {**row, "value": random.normal()}.items():
            nodes[name].append(value)
        if count > 1:
            left = int(random.integers(1, count))
            nodes["left"][here] = grow(left)
            nodes["right"][here] = grow(count - left)
        return here

    grow(leaves)
    return {name: np.array(values) for name, values in nodes.items()}


def walked(tree: dict[str, np.ndarray], line: np.ndarray) -> float:
    here = 0
    while tree["left"][here] != here:
        right = line[tree["column"][here]] > tree["threshold"][here]
        here = int(tree["right" if right else "left"][here])
    return float(tree["value"][here])


@pytest.mark.parametrize("seed", range(5))
def test_every_line_gets_the_value_of_the_leaf_it_would_walk_to(seed: int) -> None:
    random = np.random.default_rng(seed)
    trees = [grown(random, leaves, 4) for leaves in (1, 2, 31, MOST, 7)]
    sizes = np.array([len(tree["column"]) for tree in trees])
    root = np.cumsum(sizes) - sizes
    joined = {name: np.concatenate([tree[name] for tree in trees]) for name in trees[0]}
    below = {side: joined[side] + np.repeat(root, sizes) for side in ("left", "right")}
    leaves = Leaves.of(
        joined["column"].astype(np.int32),
        joined["threshold"],
        below["left"].astype(np.int32),
        below["right"].astype(np.int32),
        joined["value"],
        root.astype(np.int32),
    )
    lines = random.integers(-3, 4, (200, 4)).astype(np.float32) + np.float32(0.3) * random.integers(0, 2, (200, 4))
    lines = lines.astype(np.float32)
    expected = [[walked(tree, line) for tree in trees] for line in lines]
    np.testing.assert_array_equal(leaves.say(lines), expected)
    some = np.array([4, 2])
    np.testing.assert_array_equal(leaves.take(some).say(lines), np.array(expected)[:, some])
    assert leaves.take(np.zeros(0, int)).say(lines).shape == (200, 0)
