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


def squared(predicted: Tensor, answers: Tensor, answered: Tensor) -> Tensor:
    """Mean squared error per item (items,); 0 for an item without answers in the batch."""
    return _mean(torch.where(answered, predicted - answers, 0.0) ** 2, answered)


def gaussian(predicted: Tensor, log_sd: Tensor, answers: Tensor, answered: Tensor) -> Tensor:
    """Minus the log likelihood of a normal error per item (items,), without ½ log 2π; `log_sd` broadcasts."""
    gone = torch.where(answered, predicted - answers, 0.0)
    return _mean(torch.where(answered, 0.5 * (gone * torch.exp(-log_sd)) ** 2 + log_sd, 0.0), answered)


def ordinal_probabilities(score: Tensor, cuts: Tensor) -> Tensor:
    """P(level k) = σ(c_k − s) − σ(c_{k−1} − s), (batch, items, levels); cut points are (items, levels − 1)."""
    below = torch.sigmoid(cuts - score[..., None])
    ends = below.new_zeros(*below.shape[:-1], 1)
    return torch.cat([ends, below, ends + 1], -1).diff(dim=-1)


def ordinal(score: Tensor, cuts: Tensor, level: Tensor, answered: Tensor) -> Tensor:
    """Minus the log likelihood of levels (batch, items) under a cumulative logit link (McCullagh 1980), per item."""
    chance = ordinal_probabilities(score, cuts).gather(-1, level[..., None])[..., 0]
    return _mean(torch.where(answered, -chance.clamp(min=1e-7).log(), 0.0), answered)


def _mean(values: Tensor, answered: Tensor) -> Tensor:
    return values.sum(0) / answered.to(values.dtype).sum(0).clamp(min=1)
