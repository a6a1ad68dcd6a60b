"""The macro part: a transformer over history, modality and context tokens, shared by everyone.

Any subset of modalities may be present: an absent one is masked out of attention, and during training whole
modalities are dropped, so that the network works without any of them. Normalisation is per token, never over the
batch: a prediction does not depend on who else is asked about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.inputs import CONTEXT_WIDTH, HISTORY_WIDTH, Inputs


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
        dropout = self.dropout if self.training else 0.0
        mixed = _mixed(self.attend(self.before(tokens)), self.heads, present[:, None, None], dropout)
        tokens = tokens + self._drop(self.out(mixed))
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
        modality_dropout: float,
    ) -> None:
        super().__init__()
        self.names, self.modality_dropout = tuple(modalities), modality_dropout
        self.history = nn.Sequential(nn.Linear(HISTORY_WIDTH, width), nn.GELU(), nn.Linear(width, width))
        self.item = nn.Parameter(0.2 * torch.randn(items, width))
        self.context = nn.Linear(CONTEXT_WIDTH, width)
        self.modality = nn.ModuleDict({m: nn.Linear(2 * n, width) for m, n in modalities.items()})
        self.blocks = nn.ModuleList([Block(width, heads, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)

    def forward(self, inputs: Inputs) -> Tensor:
        """(batch, items, width)."""
        items = self.history(inputs.history) + self.item
        batch = len(items)
        tokens = [items, self.context(inputs.context)[:, None]]
        present = [torch.ones(batch, items.shape[1] + 1, dtype=torch.bool)]
        for name in self.names:
            measured, here = inputs.measured[name]
            if self.training:
                here = here & (torch.rand(batch) >= self.modality_dropout)
            tokens.append(self.modality[name](measured)[:, None])
            present.append(here[:, None])
        x, there = torch.cat(tokens, 1), torch.cat(present, 1)
        for block in self.blocks:
            x = block(x, there)
        return torch.as_tensor(self.norm(x[:, : items.shape[1]]))


class Trunks:
    """Several trunks side by side, as they say without dropout: one pass, since for few rows calls cost the most.

    Their parameters are copied, stacked along a first axis; `current` tells whether they are still the same.
    """

    def __init__(self, trunks: Sequence[Trunk]) -> None:
        self.names, self.heads = trunks[0].names, [b.heads for b in trunks[0].blocks if isinstance(b, Block)]
        self.read = [p for trunk in trunks for p in trunk.parameters()]
        self.versions = _versions(self.read)
        each = [dict(trunk.named_parameters()) for trunk in trunks]
        self.stacked = {name: torch.stack([own[name].detach() for own in each]) for name in each[0]}

    @property
    def current(self) -> bool:
        """Whether no parameter was changed since."""
        return self.versions == _versions(self.read)

    def __call__(self, inputs: Inputs) -> Tensor:
        """(trunks, batch, items, width)."""
        item = self.stacked["item"]
        items = self._linear("history.2", F.gelu(self._linear("history.0", self._each(inputs.history)))) + item[:, None]
        said = {"context": inputs.context, **{f"modality.{m}": inputs.measured[m][0] for m in self.names}}
        x = torch.cat([items, *(self._linear(name, self._each(x))[:, :, None] for name, x in said.items())], 2)
        always = torch.ones(len(inputs), item.shape[1] + 1, dtype=torch.bool)
        there = torch.cat([always, *(inputs.measured[m][1][:, None] for m in self.names)], 1)
        mask = there[:, None, None].repeat(len(item), 1, 1, 1)
        for number, heads in enumerate(self.heads):
            x = self._block(f"blocks.{number}", heads, x, mask)
        return self._norm("norm", x[:, :, : item.shape[1]])

    def _each(self, x: Tensor) -> Tensor:
        return x.expand(len(self.stacked["item"]), *x.shape)

    def _block(self, name: str, heads: int, x: Tensor, mask: Tensor) -> Tensor:
        mixed = _mixed(self._linear(f"{name}.attend", self._norm(f"{name}.before", x)), heads, mask)
        x = x + self._linear(f"{name}.out", mixed)
        return x + self._linear(
            f"{name}.narrow", F.gelu(self._linear(f"{name}.widen", self._norm(f"{name}.between", x)))
        )

    def _linear(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self.stacked[f"{name}.weight"], self.stacked[f"{name}.bias"]
        return torch.baddbmm(bias[:, None], x.flatten(1, -2), weight.transpose(1, 2)).view(*x.shape[:-1], -1)

    def _norm(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self.stacked[f"{name}.weight"], self.stacked[f"{name}.bias"]
        return F.layer_norm(x, x.shape[-1:]) * weight[:, None, None] + bias[:, None, None]


def _mixed(attended: Tensor, heads: int, mask: Tensor, dropout: float = 0.0) -> Tensor:
    """What each token takes from those that are there: (…, tokens, 3 · width) → (…, tokens, width)."""
    *several, count, triple = attended.shape
    q, k, v = attended.view(-1, count, 3, heads, triple // 3 // heads).permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
    return mixed.transpose(1, 2).reshape(*several, count, -1)


def _versions(parameters: Sequence[Tensor]) -> list[int]:
    """How often each was written to in place."""
    return [p._version for p in parameters]  # noqa: SLF001 (what autograd itself goes by; there is no public name)
