"""Losses per item over a batch, with missing answers masked.

The default serves agreement and error at once: 1 − CCC plus the absolute error relative to the baseline's. Either
alone is easily bought with the other: stretching predictions raises CCC and worsens MAE.
"""

from __future__ import annotations

import torch
from torch import Tensor


def concordance(predicted: Tensor, answers: Tensor, answered: Tensor) -> Tensor:
    """1 − CCC per item (items,); 1 where an item has no variance in the batch. Inputs (batch, items)."""
    weight = answered.to(predicted.dtype)
    n = weight.sum(0).clamp(min=1)
    y = torch.where(answered, answers, 0.0)
    mean_p, mean_y = (predicted * weight).sum(0) / n, y.sum(0) / n
    gone_p, gone_y = (predicted - mean_p) * weight, (y - mean_y) * weight
    spread = (gone_p**2).sum(0) / n + (gone_y**2).sum(0) / n + (mean_p - mean_y) ** 2
    return torch.as_tensor(1 - 2 * (gone_p * gone_y).sum(0) / n / (spread + 1e-6))


def absolute(predicted: Tensor, answers: Tensor, answered: Tensor) -> Tensor:
    """Mean absolute error per item (items,); 0 for an item without answers in the batch."""
    weight = answered.to(predicted.dtype)
    gone = torch.where(answered, predicted - answers, 0.0).abs()
    return gone.sum(0) / weight.sum(0).clamp(min=1)


def agreement_and_error(
    predicted: Tensor, answers: Tensor, answered: Tensor, usual_error: Tensor, mae_weight: float
) -> Tensor:
    """(1 − CCC) + mae_weight · MAE / usual_error, per item."""
    error = absolute(predicted, answers, answered) / usual_error
    return concordance(predicted, answers, answered) + mae_weight * error
