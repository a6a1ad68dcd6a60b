"""The macro part: a transformer over history, modality and context tokens, shared by everyone.

Any subset of modalities may be present: an absent one is masked out of attention, and during training whole
modalities are dropped, so that the network works without any of them. Normalisation is per token, never over the
batch: a prediction does not depend on who else is asked about.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.batch import Batch
from models.inputs import CONTEXT_WIDTH, HISTORY_WIDTH


class Block(nn.Module):
    """One pre-norm transformer layer with a key mask."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        """Tokens (batch, tokens, width), present (batch, tokens) → tokens."""
        batch, count, width = tokens.shape
        q, k, v = self.attend(self.before(tokens)).view(batch, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=present[:, None, None], dropout_p=dropout)
        tokens = tokens + self._drop(self.out(mixed.transpose(1, 2).reshape(batch, count, width)))
        return tokens + self._drop(self.narrow(F.gelu(self.widen(self.between(tokens)))))

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


class Trunk(nn.Module):
    """Inputs → one contextualised token per item, and a summary of what body and voice said."""

    def __init__(
        self,
        items: int,
        modalities: Mapping[str, int],
        *,
        width: int,
        layers: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.names = tuple(modalities)
        self.history = nn.Sequential(nn.Linear(HISTORY_WIDTH, width), nn.GELU(), nn.Linear(width, width))
        self.item = nn.Parameter(0.2 * torch.randn(items, width))
        self.context = nn.Linear(CONTEXT_WIDTH, width)
        self.modality = nn.ModuleDict({m: nn.Linear(2 * n, width) for m, n in modalities.items()})
        self.blocks = nn.ModuleList([Block(width, heads, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)

    def forward(self, inputs: Batch) -> Tensor:
        """(batch, items, width)."""
        items = self.history(inputs.history) + self.item
        batch = len(items)
        tokens = [items, self.context(inputs.context)[:, None]]
        present = [torch.ones(batch, items.shape[1] + 1, dtype=torch.bool, device=items.device)]
        for name in self.names:
            measured, here = inputs.measured[name]
            tokens.append(self.modality[name](measured)[:, None])
            present.append(here[:, None])
        x, there = torch.cat(tokens, 1), torch.cat(present, 1)
        for block in self.blocks:
            x = block(x, there)
        return torch.as_tensor(self.norm(x[:, : items.shape[1]]))
