"""Six ways to make one view of several modalities, each defined for any subset of them.

A fusion takes one token per modality, (batch, modalities, width), and which are present, (batch, modalities). The
numbers in the place of an absent modality are never read: where a form needs something there, it is a learned vector
that says "absent", and a row with nothing at all has a learned view of its own. Nothing is computed over the batch, so
a row's view does not depend on who else is asked about.

A fusion answers with views (batch, views, width) and each view's share (batch, views), which sum to 1: the early forms
make one view; late fusion keeps a view per modality and mixes the predictions.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Fused = tuple[Tensor, Tensor]


class Fusion(nn.Module):
    """What all forms share: how many views come out, and what stands for what is absent."""

    def __init__(self, modalities: int, width: int, views: int = 1) -> None:
        super().__init__()
        self.views = views
        self.absent = nn.Parameter(0.1 * torch.randn(modalities, width))
        self.norm = nn.LayerNorm(width)

    def filled(self, tokens: Tensor, present: Tensor) -> Tensor:
        """Tokens with the learned "absent" vector in the place of each absent modality."""
        return torch.where(present[..., None], tokens, self.absent)

    def single(self, view: Tensor) -> Fused:
        """One view with the whole share."""
        return self.norm(view)[:, None], view.new_ones(len(view), 1)

    @abstractmethod
    def forward(self, tokens: Tensor, present: Tensor) -> Fused:
        """Views and shares."""


class Concatenation(Fusion):
    """All tokens side by side through one layer."""

    def __init__(self, modalities: int, width: int) -> None:
        super().__init__(modalities, width)
        self.mix = nn.Sequential(nn.Linear(modalities * (width + 1), 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, tokens: Tensor, present: Tensor) -> Fused:
        """Tokens and presence, flattened."""
        return self.single(self.mix(torch.cat([self.filled(tokens, present).flatten(1), present.to(tokens.dtype)], 1)))


class Maximum(Fusion):
    """The largest value over the present modalities, dimension by dimension; the "absent" vectors where there is none.

    A modality that is missing takes no part at all: the maximum runs over the present ones.
    """

    def __init__(self, modalities: int, width: int) -> None:
        super().__init__(modalities, width)
        self.shape = nn.Linear(width, width)

    def forward(self, tokens: Tensor, present: Tensor) -> Fused:
        """Masked maximum."""
        shaped = self.shape(self.filled(tokens, present))
        counted = present | ~present.any(1, keepdim=True)
        return self.single(shaped.masked_fill(~counted[..., None], float("-inf")).amax(1))


class Gated(Fusion):
    """Gated multimodal unit (Arevalo et al. 2017): each dimension chooses among the present modalities."""

    def __init__(self, modalities: int, width: int) -> None:
        super().__init__(modalities, width)
        self.modalities = modalities
        self.value = nn.Linear(width, width)
        self.gate = nn.Linear(modalities * width, modalities * width)

    def forward(self, tokens: Tensor, present: Tensor) -> Fused:
        """Softmax gates over modalities."""
        filled = self.filled(tokens, present)
        counted = present | ~present.any(1, keepdim=True)
        gates = self.gate(filled.flatten(1)).view_as(filled).masked_fill(~counted[..., None], float("-inf")).softmax(1)
        return self.single((gates * torch.tanh(self.value(filled))).sum(1))


class Attention(Fusion):
    """A learned question looks at the present modalities, and at a learned token that is always there."""

    def __init__(self, modalities: int, width: int) -> None:  # noqa: ARG002
        super().__init__(1, width)  # one learned vector for all: the token that is always there
        self.question = nn.Parameter(torch.randn(width) / width**0.5)
        # A bias of the keys would fall out of the softmax.
        self.key, self.value = nn.Linear(width, width, bias=False), nn.Linear(width, width)

    def forward(self, tokens: Tensor, present: Tensor) -> Fused:
        """Weights by the question, absent ones masked."""
        tokens, present = _with_sink(self.filled(tokens, present), present, self.absent)
        score = (self.key(tokens) @ self.question) / tokens.shape[-1] ** 0.5
        weight = score.masked_fill(~present, float("-inf")).softmax(1)
        return self.single((weight[..., None] * self.value(tokens)).sum(1))


class CrossAttention(Fusion):
    """Each present modality looks at the other present ones (Tsai et al. 2019); their mean is the view."""

    def __init__(self, modalities: int, width: int) -> None:
        super().__init__(modalities, width)
        self.ask, self.value = nn.Linear(width, width), nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)  # a bias would fall out of the softmax
        self.always = nn.Parameter(0.1 * torch.randn(1, 1, width))
        self.register_buffer("itself", F.pad(torch.eye(modalities, dtype=torch.bool), (0, 1)), persistent=False)

    def forward(self, tokens: Tensor, present: Tensor) -> Fused:
        """Masked attention from each modality to the others and to the learned token."""
        filled = self.filled(tokens, present)
        keys, there = _with_sink(filled, present, self.always)
        score = self.ask(filled) @ self.key(keys).transpose(1, 2) / filled.shape[-1] ** 0.5
        blocked = self.get_buffer("itself") | ~there[:, None, :]
        seen = filled + score.masked_fill(blocked, float("-inf")).softmax(2) @ self.value(keys)
        counted = (present | ~present.any(1, keepdim=True)).to(seen.dtype)
        return self.single((counted[..., None] * seen).sum(1) / counted.sum(1, keepdim=True))


class Late(Fusion):
    """A view and a prediction per modality; predictions are mixed by a learned trust in the present ones."""

    def __init__(self, modalities: int, width: int) -> None:
        super().__init__(modalities, width, views=modalities)
        self.shape = nn.Linear(width, width)
        self.trust = nn.Parameter(torch.zeros(modalities))

    def forward(self, tokens: Tensor, present: Tensor) -> Fused:
        """One view a modality; the shares of absent ones are 0."""
        counted = present | ~present.any(1, keepdim=True)
        share = self.trust.expand_as(counted).masked_fill(~counted, float("-inf")).softmax(1)
        return self.norm(self.shape(self.filled(tokens, present))), share


FUSIONS: dict[str, Callable[[int, int], Fusion]] = {
    "concatenation": Concatenation,
    "max": Maximum,
    "gated": Gated,
    "attention": Attention,
    "cross_attention": CrossAttention,
    "late": Late,
}


def _with_sink(tokens: Tensor, present: Tensor, always: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens and presence with a token after them that is always there."""
    sink = always.expand(len(tokens), 1, -1)
    return torch.cat([tokens, sink], 1), torch.cat([present, present.new_ones(len(present), 1)], 1)
