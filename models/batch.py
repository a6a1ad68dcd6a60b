"""What the network reads while it learns: rows of inputs as tensors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from models.inputs import Inputs, Rows


@dataclass(frozen=True)
class Batch(Rows):
    """Tensors over rows; names and shapes are those of `Inputs`, whose memory they share."""

    baseline: Tensor
    history: Tensor
    context: Tensor
    person: Tensor
    values: dict[str, Tensor]
    masks: dict[str, Tensor]

    @classmethod
    def of(cls, inputs: Inputs) -> Batch:
        """The same rows."""
        return cls(*inputs.each(torch.from_numpy))

    def to(self, device: torch.device) -> Batch:
        """The same rows where a network learns."""
        return Batch(*self.each(lambda part: part.to(device)))

    def without_some(self, share: float) -> Batch:
        """The same rows, from each of which every modality is left out by a chance of `share`, as if not measured."""
        values, masks = dict(self.values), dict(self.masks)
        for name, mask in self.masks.items():
            # Drawn where all seeds are kept, so that what is dropped is the same on every device.
            kept = (torch.rand(len(self)) >= share).to(mask.device)[:, None]
            values[name], masks[name] = torch.where(kept, self.values[name], 0.0), mask & kept
        return replace(self, values=values, masks=masks)

    @cached_property
    def measured(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Of each modality its values and mask side by side (rows, 2 · features), and whether any is there (rows,)."""
        return {
            name: (torch.cat([values, self.masks[name].to(values.dtype)], 1), self.masks[name].any(1))
            for name, values in self.values.items()
        }


def mixed(rows: Tensor, one: Batch, other: Batch, of_other: Tensor) -> Batch:
    """Rows of two views of the same moments: of `other` where `of_other` (batch,), else of `one`."""
    a, b = one.take(rows), other.take(rows)

    def pick(x: Tensor, y: Tensor) -> Tensor:
        return torch.where(of_other.view(-1, *[1] * (x.dim() - 1)), y, x)

    return Batch(
        pick(a.baseline, b.baseline),
        pick(a.history, b.history),
        pick(a.context, b.context),
        a.person,
        {m: pick(v, b.values[m]) for m, v in a.values.items()},
        {m: pick(v, b.masks[m]) for m, v in a.masks.items()},
    )
