"""The micro part: what is particular to a person, batched over people.

Each known person has a bias per item, a low-rank FiLM of the item tokens and a small matrix of slopes from body and
voice to the items; all start at zero, so that a new person *is* the shared model and each answer moves them. A row
looks its person up (gather) and multiplies (bmm): there is no loop over people. How far people differ is learned: a
variance per group of parameters, under which they are penalised (`spread.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from models.batch import Batch
from models.spread import Spread

START_SD = {"bias": 0.05, "film": 0.3, "slopes": 0.1}


class Micro(nn.Module):
    """Per-person parameters; place `people` (the last) stands for everyone unknown and stays at zero."""

    def __init__(
        self, people: int, items: int, modalities: Mapping[str, int], *, width: int, rank: int, slopes: int
    ) -> None:
        super().__init__()
        self.people, self.names = people, tuple(modalities)
        self.bias = nn.Parameter(torch.zeros(people, items))
        self.film = nn.Parameter(torch.zeros(people, rank))
        self.scale, self.shift = nn.Linear(rank, width, bias=False), nn.Linear(rank, width, bias=False)
        features = 2 * sum(modalities.values())
        self.slopes = nn.Parameter(torch.zeros(people, slopes if features else 0, 3))
        self.body = nn.Linear(features, slopes, bias=False) if features else None
        self.loading = nn.Parameter(torch.randn(3, items) / 2)
        self.log_sd = Spread(START_SD)

    def modulate(self, tokens: Tensor, person: Tensor) -> Tensor:
        """FiLM of item tokens (batch, items, width) by the row's person."""
        own = self._of(self.film, person)
        return torch.as_tensor(tokens * (1 + self.scale(own))[:, None] + self.shift(own)[:, None])

    def correction(self, inputs: Batch) -> Tensor:
        """What the person's bias and slopes add, (batch, items)."""
        out = self._of(self.bias, inputs.person)
        if self.body is None:
            return out
        summary = self._summary(inputs, self.body)
        moved = torch.bmm(summary[:, None], self._of(self.slopes, inputs.person))[:, 0]
        return torch.as_tensor(out + moved @ self.loading)

    def design(self, tokens: Tensor, weight: Tensor, inputs: Batch) -> Tensor:
        """How much each of a person's parameters moves each item's estimate, (batch, items, parameters).

        Everything shared being fixed, estimates are linear in what is personal: `tokens` (batch, items, width) are the
        trunk's, `weight` (items, width) reads them out. Parameters lie in the order of `table`.
        """
        batch, items = len(tokens), tokens.shape[1]
        bias = torch.eye(items, dtype=tokens.dtype).expand(batch, items, items)
        film = (tokens * weight) @ self.scale.weight + weight @ self.shift.weight
        if self.body is None:
            return torch.cat([bias, film], -1)
        summary = self._summary(inputs, self.body)
        slopes = torch.einsum("bs,ki->bisk", summary, self.loading).flatten(2)
        return torch.cat([bias, film, slopes], -1)

    def table(self) -> Tensor:
        """Everybody's parameters side by side, (people, parameters): bias, FiLM, slopes."""
        return torch.cat([getattr(self, name).flatten(1) for name in START_SD], 1)

    def prior(self) -> Tensor:
        """The learned variance of each parameter over people, (parameters,)."""
        sizes = {name: getattr(self, name)[:0].flatten(1).shape[1] for name in START_SD}
        return torch.cat([self.log_sd.variance(name).expand(size) for name, size in sizes.items()])

    def become(self, table: Tensor) -> None:
        """Take other parameters, (people, parameters), for as many people as the table has."""
        self.people, start = len(table), 0
        for name in START_SD:
            shape = getattr(self, name).shape[1:]
            values = table[:, start : start + shape.numel()].reshape(len(table), *shape)
            setattr(self, name, nn.Parameter(values.detach().clone()))
            start += shape.numel()

    def density(self) -> Tensor:
        """Minus the log density of the personal parameters under the variances as they are."""
        return self.log_sd.density(self._groups())

    def learn_spread(self, information: Mapping[str, float]) -> None:
        """Learn each group's variance from the parameters as they are; `information` as in `Spread.learn`."""
        self.log_sd.learn(self._groups(), information)

    def _groups(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in START_SD}

    def _summary(self, inputs: Batch, body: nn.Linear) -> Tensor:
        """What slopes are multiplied with, (batch, slopes)."""
        return torch.tanh(body(torch.cat([inputs.measured[name][0] for name in self.names], 1)))

    def _of(self, values: Tensor, person: Tensor) -> Tensor:
        padded = (
            torch.cat([values, torch.zeros_like(values[:1])]) if self.people else values.new_zeros(1, *values.shape[1:])
        )
        return padded[person]
