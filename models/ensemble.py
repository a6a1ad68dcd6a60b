"""Several networks as numbers alone: what a fitted model asks, with numpy and without torch.

A network learns in torch (`network.py`); what it learnt is a table of numbers for each of its parameters. Here these
tables lie stacked, one network after the other, and estimates are worked out for all networks in one pass: for few rows
calls cost the most. Whoever loads a stored model so needs no torch, whose import alone takes longer than all the rest.
Tests hold the estimates to those of the networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from models.cohort import Floats, Ints, Singles
from models.inputs import CONTEXT_WIDTH, HISTORY_WIDTH, Inputs
from models.settings import Settings

ROWS = 64  # rows at once: bounds memory, and fits a cache
NEVER = np.float32(-np.inf)  # how much attention goes to what is not there, before the softmax
EPSILON = np.float32(1e-5)  # of torch's layer norm
# Half of what the error function leaves to 1, highest power first (Abramowitz and Stegun 1964, 7.1.26).
ERFC = (np.array([1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592]) / 2).astype(np.float32)
PERSONAL = "bias", "film", "slopes"  # parameters of the micro part that each person has

Shapes = dict[str, tuple[int, ...]]


def shapes(settings: Settings, items: int, people: int, features: Mapping[str, int]) -> Shapes:
    """The shape of each parameter of one network, by its name in torch; `features` counts them by modality."""
    width, rank, measured = settings.width, settings.rank, 2 * sum(features.values())
    slopes = settings.slopes if measured else 0
    linear = {
        "trunk.history.0": (width, HISTORY_WIDTH),
        "trunk.history.2": (width, width),
        "trunk.context": (width, CONTEXT_WIDTH),
        **{f"trunk.modality.{name}": (width, 2 * count) for name, count in features.items()},
        "head": (1, width),
    }
    norms = ["trunk.norm"]
    for block in (f"trunk.blocks.{n}" for n in range(settings.layers)):
        norms += [f"{block}.before", f"{block}.between"]
        linear |= {f"{block}.attend": (3 * width, width), f"{block}.out": (width, width)}
        linear |= {f"{block}.widen": (2 * width, width), f"{block}.narrow": (width, 2 * width)}
    out: Shapes = {f"{name}.weight": shape for name, shape in linear.items()}
    out |= {f"{name}.bias": shape[:1] for name, shape in linear.items()}
    out |= {f"{name}.{part}": (width,) for name in norms for part in ("weight", "bias")}
    out |= {"trunk.item": (items, width), "own_head": (items, width)}
    out |= {"micro.bias": (people, items), "micro.film": (people, rank), "micro.slopes": (people, slopes, 3)}
    out |= {"micro.scale.weight": (width, rank), "micro.shift.weight": (width, rank), "micro.loading": (3, items)}
    out |= {f"micro.log_sd.{name}": () for name in PERSONAL}
    return out | ({"micro.body.weight": (slopes, measured)} if measured else {})


@dataclass(frozen=True)
class Ensemble:
    """The mean of several networks that were trained alike from different seeds.

    `numbers` holds every parameter by its name in torch, (networks, …); see `shapes`.
    """

    numbers: dict[str, Singles]
    heads: int

    @classmethod
    def of(cls, networks: Sequence[Mapping[str, Singles]], heads: int) -> Ensemble:
        """From each network's parameters by name."""
        return cls({name: np.stack([each[name] for each in networks]) for name in networks[0]}, heads)

    def __len__(self) -> int:
        return len(self.numbers["own_head"])

    def wide(self, people: int) -> Ensemble:
        """The same with places for more people, of whom nothing is known yet."""
        numbers = dict(self.numbers)
        for name in (f"micro.{part}" for part in PERSONAL):
            table = numbers[name]
            more = np.zeros((len(table), people - table.shape[1], *table.shape[2:]), np.float32)
            numbers[name] = np.concatenate([table, more], axis=1)
        return Ensemble(numbers, self.heads)

    def say(self, inputs: Inputs) -> Floats:
        """Baseline and the mean of what the networks add, (rows, items) in units of the span above the low end."""
        out = inputs.baseline.astype(np.float64)
        for first in range(0, len(out), ROWS):
            rows = slice(first, first + ROWS)
            out[rows] += self._corrections(inputs.take(rows)).mean(0)
        return out

    def _corrections(self, inputs: Inputs) -> Singles:
        """What each network adds, (networks, rows, items)."""
        measured = {m: np.concatenate([v, inputs.masks[m]], axis=1) for m, v in inputs.values.items()}
        tokens, own = self._tokens(inputs, measured), {n: self._own(f"micro.{n}", inputs.person) for n in PERSONAL}
        tokens = tokens * (1 + self._linear("micro.scale", own["film"]))[:, :, None]
        tokens += self._linear("micro.shift", own["film"])[:, :, None]
        read = self.numbers["own_head"] + self.numbers["head.weight"]
        out = (tokens * read[:, None]).sum(-1) + self.numbers["head.bias"][:, None] + own["bias"]
        if measured:
            summary = np.tanh(self._linear("micro.body", np.concatenate(list(measured.values()), axis=1)[None]))
            out += (summary[:, :, None] @ own["slopes"])[:, :, 0] @ self.numbers["micro.loading"]
        return np.asarray(out)

    def _tokens(self, inputs: Inputs, measured: Mapping[str, Singles]) -> Singles:
        """What each trunk makes of the items' tokens, (networks, rows, items, width)."""
        items = self._linear("trunk.history.2", _gelu(self._linear("trunk.history.0", inputs.history[None])))
        items += self.numbers["trunk.item"][:, None]
        there = {m: mask.any(axis=1) for m, mask in inputs.masks.items() if mask.any()}  # nobody attends to the others
        said = {"context": inputs.context, **{f"modality.{m}": measured[m] for m in there}}
        others = [self._linear(f"trunk.{name}", x[None])[:, :, None] for name, x in said.items()]
        x, count = np.concatenate([items, *others], axis=2), items.shape[2]
        absent = np.zeros((len(inputs), 1, 1, x.shape[2]), np.float32)
        for place, here in enumerate(there.values(), count + 1):
            absent[~here, ..., place] = NEVER
        for layer in range(self._layers):
            # Of the last block only the items' tokens are read.
            x = self._block(f"trunk.blocks.{layer}", x, absent, count if layer == self._layers - 1 else x.shape[2])
        return self._norm("trunk.norm", x[:, :, :count])

    def _block(self, name: str, x: Singles, absent: Singles, count: int) -> Singles:
        """The first `count` tokens after a block."""
        attended = self._linear(f"{name}.attend", self._norm(f"{name}.before", x))
        networks, rows, tokens, width = x.shape
        q, k, v = attended.reshape(networks, rows, tokens, 3, self.heads, -1).transpose(3, 0, 1, 4, 2, 5)
        weights = q[..., :count, :] @ k.swapaxes(-1, -2)
        weights *= np.float32((width // self.heads) ** -0.5)
        weights += absent
        weights -= reduce(np.maximum, weights.transpose(4, 0, 1, 2, 3))[..., None]  # over so few, faster than `max`
        np.exp(weights, out=weights)
        mixed = weights @ v / weights.sum(-1, keepdims=True)
        mixed = mixed.swapaxes(2, 3).reshape(networks, rows, count, width)
        x = x[:, :, :count] + self._linear(f"{name}.out", mixed)
        x += self._linear(f"{name}.narrow", _gelu(self._linear(f"{name}.widen", self._norm(f"{name}.between", x))))
        return x

    def _own(self, name: str, person: Ints) -> Singles:
        """A personal parameter of each row's person, (networks, rows, …); 0 for people after the last, the unknown."""
        table = self.numbers[name]
        out = np.zeros((len(table), len(person), *table.shape[2:]), np.float32)
        known = np.flatnonzero(person < table.shape[1])
        out[:, known] = table[:, person[known]]
        return out

    def _linear(self, name: str, x: Singles) -> Singles:
        """A linear layer of each network; `x` is each network's own, or (1, …) for all alike."""
        out = x.reshape(len(x), -1, x.shape[-1]) @ self._across[name]
        bias = self.numbers.get(f"{name}.bias")
        if bias is not None:
            out += bias[:, None]
        return np.asarray(out.reshape(len(out), *x.shape[1:-1], -1))

    def _norm(self, name: str, x: Singles) -> Singles:
        weight, bias = self.numbers[f"{name}.weight"], self.numbers[f"{name}.bias"]
        out = x - np.add.reduce(x, -1, keepdims=True) / np.float32(x.shape[-1])
        out /= np.sqrt(np.einsum("...i,...i->...", out, out)[..., None] / np.float32(x.shape[-1]) + EPSILON)
        out *= weight[:, None, None]
        out += bias[:, None, None]
        return np.asarray(out)

    @cached_property
    def _layers(self) -> int:
        return sum(name.endswith(".attend.bias") for name in self.numbers)

    @cached_property
    def _across(self) -> dict[str, Singles]:
        """Weights of linear layers the way they are multiplied with, (networks, in, out)."""
        matrices = {n.removesuffix(".weight"): v for n, v in self.numbers.items() if n.endswith(".weight")}
        return {name: np.ascontiguousarray(v.swapaxes(1, 2)) for name, v in matrices.items() if v.ndim == 3}


def _gelu(x: Singles) -> Singles:
    """GELU, x · Φ(x), with the error function of Abramowitz and Stegun (1964), 7.1.26, which is at most 1.5e-7 off."""
    size = np.abs(x) * np.float32(0.5**0.5)
    share = 1 / (1 + np.float32(0.3275911) * size)
    below = np.zeros_like(x)  # half of what lies outside ± size
    for coefficient in ERFC:
        below += coefficient
        below *= share
    below *= np.exp(-np.square(size))
    return x * np.where(x < 0, below, 1 - below)
