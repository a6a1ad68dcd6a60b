"""What a cell is trained to: concordance, squared error, a Gaussian or an ordinal likelihood, one loss per item.

A criterion also says what a network's raw score means as a value in units of the span: the score itself, or, for the
ordinal likelihood, the expected level. What it learns (spreads, cut points) is registered, so it moves and is stored.
The formulas are in `models/losses.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from models.losses import concordance, gaussian, ordinal, ordinal_probabilities, squared

LEVELS = 11  # a slider answer is cut into so many levels for the ordinal likelihood
ROUNDING = 1e-4  # an answer at the edge of two levels is always of the upper one
LEAST = 1e-3  # between two cut points, so that no level is lost to rounding


class Criterion(nn.Module):
    """1 − CCC per item: the paper's loss."""

    def losses(self, score: Tensor, answers: Tensor, answered: Tensor) -> Tensor:
        """Loss per item, (items,), of scores (batch, items); `answered` masks missing labels."""
        return concordance(score, answers, answered)

    def value(self, score: Tensor) -> Tensor:
        """Scores as values in units of the span."""
        return score

    def look_at(self, answers: Tensor) -> None:
        """See all training answers (rows, items) once, NaN where there is none, in units of the span."""


class Squared(Criterion):
    """Mean squared error relative to that of the overall mean."""

    def losses(self, score: Tensor, answers: Tensor, answered: Tensor) -> Tensor:
        """Squared errors, a tenth of the span as their unit."""
        return squared(score, answers, answered) / 0.1**2


class Gaussian(Criterion):
    """Gaussian likelihood with a learned spread per item."""

    def __init__(self, items: int) -> None:
        super().__init__()
        self.log_sd = nn.Parameter(torch.full((items,), 0.2).log())

    def losses(self, score: Tensor, answers: Tensor, answered: Tensor) -> Tensor:
        """Minus the log likelihood per answer."""
        return gaussian(score, self.log_sd, answers, answered)


class Ordinal(Criterion):
    """Cumulative-link likelihood (McCullagh 1980) over levels of the scale, with learned cut points per item.

    A level says the mean of the training answers in it: on a rating scale they lie at its edge, or are of two kinds.
    """

    means: Tensor

    def __init__(self, items: int) -> None:
        super().__init__()
        start = torch.logit(torch.arange(1, LEVELS) / LEVELS)
        self.first = nn.Parameter(start[:1].repeat(items, 1))
        self.steps = nn.Parameter((start.diff() - LEAST).expm1().log().repeat(items, 1))
        self.register_buffer("means", ((torch.arange(LEVELS) + 0.5) / LEVELS).repeat(items, 1))

    def cuts(self) -> Tensor:
        """Increasing cut points, (items, LEVELS − 1)."""
        steps = LEAST + nn.functional.softplus(self.steps)
        return torch.cat([self.first, self.first + steps.cumsum(1)], 1)

    def losses(self, score: Tensor, answers: Tensor, answered: Tensor) -> Tensor:
        """Minus the log likelihood of the levels."""
        return ordinal(_stretched(score), self.cuts(), _level(answers), answered)

    def value(self, score: Tensor) -> Tensor:
        """What is expected, each level as the mean of the answers in it."""
        return (ordinal_probabilities(_stretched(score), self.cuts()) * self.means).sum(-1)

    def look_at(self, answers: Tensor) -> None:
        """Learn what each level says; its middle where nobody answered so."""
        inside = nn.functional.one_hot(_level(answers), LEVELS) * ~torch.isnan(answers)[..., None]
        count, total = inside.sum(0), (inside * torch.nan_to_num(answers)[..., None]).sum(0)
        self.means.copy_(torch.where(count > 0, total / count.clamp(min=1), self.means))


def _level(answers: Tensor) -> Tensor:
    return (torch.nan_to_num(answers) * LEVELS + ROUNDING).long().clamp(0, LEVELS - 1)


def _stretched(score: Tensor) -> Tensor:
    """Scores start around the middle of the unit span; the link wants them around 0."""
    return 10 * (score - 0.5)


CRITERIA: dict[str, Callable[[int], Criterion]] = {
    "ccc": lambda _items: Criterion(),
    "mse": lambda _items: Squared(),
    "gaussian": Gaussian,
    "ordinal": Ordinal,
}
