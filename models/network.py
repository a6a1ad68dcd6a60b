"""Macro trunk and micro layers together: the correction to the personal baseline.

The last layer and every personal parameter start at zero, so an untrained network says exactly what the baseline
says. What the numbers mean in scale units, and training, belong to `macro_micro.py` and `fitting.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from models.inputs import Inputs
from models.micro import Micro
from models.settings import Settings
from models.trunk import Trunk, Trunks


class Network(nn.Module):
    """Inputs → predictions (batch, items) in units of the span above the scale's low end."""

    def __init__(self, settings: Settings, items: int, people: int, modalities: Mapping[str, int]) -> None:
        super().__init__()
        self.trunk = Trunk(
            items,
            modalities,
            width=settings.width,
            layers=settings.layers,
            heads=settings.heads,
            dropout=settings.dropout,
            modality_dropout=settings.modality_dropout,
        )
        self.micro = Micro(people, items, modalities, width=settings.width, rank=settings.rank, slopes=settings.slopes)
        self.head = nn.Linear(settings.width, 1)
        self.own_head = nn.Parameter(torch.zeros(items, settings.width))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, inputs: Inputs) -> Tensor:
        """Baseline plus correction."""
        return self.read_out(self.trunk(inputs), inputs)

    def read_out(self, tokens: Tensor, inputs: Inputs) -> Tensor:
        """The same from the trunk's tokens (batch, items, width)."""
        tokens = self.micro.modulate(tokens, inputs.person)
        shared = self.head(tokens)[..., 0] + (tokens * self.own_head).sum(-1)
        return inputs.baseline + torch.as_tensor(shared) + self.micro.correction(inputs)

    def design(self, tokens: Tensor, inputs: Inputs) -> Tensor:
        """How much each personal parameter moves each estimate, (batch, items, parameters); see `Micro.design`."""
        return self.micro.design(tokens, self.head.weight + self.own_head, inputs)


class Ensemble(nn.Module):
    """The mean of several networks that were trained alike from different seeds."""

    def __init__(self, members: Sequence[Network]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self._trunks: Trunks | None = None

    @property
    def networks(self) -> list[Network]:
        """The members as what they are."""
        return [member for member in self.members if isinstance(member, Network)]

    def forward(self, inputs: Inputs) -> Tensor:
        """Mean prediction without dropout, (batch, items)."""
        if self._trunks is None or not self._trunks.current:
            self._trunks = Trunks([network.trunk for network in self.networks])
        tokens = self._trunks(inputs)
        said = [network.read_out(own, inputs) for network, own in zip(self.networks, tokens, strict=True)]
        return torch.stack(said).mean(0)


def macro_only(inputs: Inputs, people: int) -> Inputs:
    """The same rows as if nobody were known."""
    everyone = torch.full_like(inputs.person, people)
    return Inputs(inputs.baseline, inputs.history, inputs.context, everyone, inputs.values, inputs.masks)
