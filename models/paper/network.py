"""The network of one cell: encoders, an emotion transformer, a fusion, shared heads and what is kept per person.

The emotion transformer looks at the tokens of all present modalities and gives an embedding that the fusion takes as
one modality among the others. Absent modalities are masked everywhere; whole modalities are dropped in training. No
past answers are read: what a person usually says is learned in what is kept of them, as in the paper.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from models.paper.design import Design, PaperSettings
from models.paper.fusion import FUSIONS
from models.paper.inputs import Signals
from models.paper.personal import PERSONALISATIONS
from models.trunk import Block


class EmotionTransformer(nn.Module):
    """Tokens of any present modalities → one embedding, there where any modality is."""

    def __init__(self, modalities: int, settings: PaperSettings) -> None:
        super().__init__()
        width = settings.width
        self.question = nn.Parameter(0.2 * torch.randn(1, 1, width))
        self.kind = nn.Parameter(0.2 * torch.randn(modalities, width))
        self.blocks = nn.ModuleList([Block(width, settings.heads, settings.dropout) for _ in range(settings.layers)])
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        """(batch, modalities, width), (batch, modalities) → (batch, width)."""
        x = torch.cat([self.question.expand(len(tokens), 1, -1), tokens + self.kind], 1)
        there = torch.cat([present.new_ones(len(present), 1), present], 1)
        for block in self.blocks:
            x = block(x, there)
        return torch.as_tensor(self.norm(x[:, 0]))


class PaperNetwork(nn.Module):
    """Signals → scores (batch, items); with the concordance loss a score is a value in units of the span."""

    def __init__(
        self, design: Design, settings: PaperSettings, items: int, people: int, modalities: Mapping[str, int]
    ) -> None:
        super().__init__()
        self.names, self.drop = tuple(modalities), settings.modality_dropout
        width = settings.width
        self.encoders = nn.ModuleDict({m: _encoder(n, width, settings.dropout) for m, n in modalities.items()})
        self.emotion = EmotionTransformer(len(modalities), settings)
        self.fusion = FUSIONS[design.fusion](len(modalities) + 1, width)
        self.head = nn.Parameter(0.02 * torch.randn(self.fusion.views, items, width))
        self.bias = nn.Parameter(torch.full((items,), 0.5))
        self.personal = PERSONALISATIONS[design.personalisation](people, items, width, settings.rank)

    def forward(self, signals: Signals) -> Tensor:
        """Scores of every item."""
        return self.scores(*self.views(signals), signals.person)

    def views(self, signals: Signals) -> tuple[Tensor, Tensor]:
        """What is shared by all people: views (batch, views, width) and their shares (batch, views)."""
        tokens, present = [], []
        for name in self.names:
            values, mask = signals.values[name], signals.masks[name]
            here = mask.any(1)
            if self.training:
                here = here & (torch.rand(len(here)) >= self.drop)
            values = torch.where(mask & here[:, None], values, 0.0)
            tokens.append(self.encoders[name](torch.cat([values, mask.to(values.dtype)], 1)))
            present.append(here)
        token, there = torch.stack(tokens, 1), torch.stack(present, 1)
        emotion = self.emotion(token, there)[:, None]
        fused: tuple[Tensor, Tensor] = self.fusion(
            torch.cat([token, emotion], 1), torch.cat([there, there.any(1, keepdim=True)], 1)
        )
        return fused

    def scores(self, views: Tensor, shares: Tensor, person: Tensor) -> Tensor:
        """Shared heads over each view, mixed, plus what the person adds."""
        views = self.personal.modulate(views, person)
        shared = torch.einsum("bv,bvw,viw->bi", shares, views, self.head) + self.bias
        own = self.personal.correction(torch.einsum("bv,bvw->bw", shares, views), person)
        return shared if own is None else shared + own

    def shared(self) -> list[nn.Parameter]:
        """Every parameter that is learned but the tables per person, which no decay may draw anywhere."""
        mine = {id(p) for p in self.personal.tables.values()}
        return [p for p in self.parameters() if p.requires_grad and id(p) not in mine]


def _encoder(features: int, width: int, dropout: float) -> nn.Module:
    return nn.Sequential(
        nn.Linear(2 * features, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width), nn.LayerNorm(width)
    )
