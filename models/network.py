"""Macro trunk and micro layers together: the correction to the personal baseline.

The last layer and every personal parameter start at zero, so an untrained network says exactly what the baseline
says. Here networks learn; what they learnt is told by `ensemble.py`. What the numbers mean in scale units, and
training, belong to `macro_micro.py` and `fitting.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from models.batch import Batch
from models.ensemble import Ensemble
from models.micro import Micro
from models.settings import Settings
from models.trunk import Trunk


class Network(nn.Module):
    """Batch → predictions (batch, items) in units of the span above the scale's low end."""

    def __init__(self, settings: Settings, items: int, people: int, modalities: Mapping[str, int]) -> None:
        super().__init__()
        self.trunk = Trunk(
            items,
            modalities,
            width=settings.width,
            layers=settings.layers,
            heads=settings.heads,
            dropout=settings.dropout,
        )
        self.modality_dropout = settings.modality_dropout
        self.micro = Micro(people, items, modalities, width=settings.width, rank=settings.rank, slopes=settings.slopes)
        self.head = nn.Linear(settings.width, 1)
        self.own_head = nn.Parameter(torch.zeros(items, settings.width))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, inputs: Batch) -> Tensor:
        """Baseline plus correction."""
        if self.training:
            inputs = inputs.without_some(self.modality_dropout)
        return self.read_out(self.trunk(inputs), inputs)

    def read_out(self, tokens: Tensor, inputs: Batch) -> Tensor:
        """The same from the trunk's tokens (batch, items, width)."""
        tokens = self.micro.modulate(tokens, inputs.person)
        shared = self.head(tokens)[..., 0] + (tokens * self.own_head).sum(-1)
        return inputs.baseline + torch.as_tensor(shared) + self.micro.correction(inputs)

    def design(self, tokens: Tensor, inputs: Batch) -> Tensor:
        """How much each personal parameter moves each estimate, (batch, items, parameters); see `Micro.design`."""
        return self.micro.design(tokens, self.head.weight + self.own_head, inputs)


def together(networks: Sequence[Network], heads: int) -> Ensemble:
    """What several networks learnt, as numbers, which are copies."""
    return Ensemble.of(
        [{name: v.detach().cpu().numpy() for name, v in each.state_dict().items()} for each in networks], heads
    )


def apart(
    ensemble: Ensemble, settings: Settings, items: int, people: int, features: Mapping[str, int]
) -> list[Network]:
    """The networks of an ensemble, to go on learning from; arguments as of a network's."""
    networks = [Network(settings, items, people, features) for _ in range(len(ensemble))]
    for place, network in enumerate(networks):
        network.load_state_dict({name: torch.as_tensor(v[place]) for name, v in ensemble.numbers.items()})
    return networks
