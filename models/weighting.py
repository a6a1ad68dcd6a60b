"""How the losses of many items become one: DRUW and what it is compared with.

A weighting is a module: what it learns is in its parameters (so in the optimiser and the state dict), what it
remembers is in its buffers. `combine` is called once a step with the losses (tasks,); previous losses are detached.
The total is for descending, never for choosing a model.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.errors import ModelError

TEMPERATURE = 10.0  # of DRUW and DWA


class Weighting(nn.Module):
    """Equal weights, and the memory of the last two losses that others use."""

    previous: Tensor
    before_previous: Tensor
    steps: Tensor

    def __init__(self, tasks: int) -> None:
        super().__init__()
        self.tasks = tasks
        self.register_buffer("previous", torch.ones(tasks))
        self.register_buffer("before_previous", torch.ones(tasks))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def combine(self, losses: Tensor, answered: Tensor | None = None) -> Tensor:
        """The total of this step and what it remembers, of the items that were `answered` (tasks,), all by default.

        Of the others a loss is a stand-in, from which nothing may be learned.
        """
        known = torch.ones_like(losses, dtype=torch.bool) if answered is None else answered
        total = self.total(losses, known)
        self.before_previous.copy_(torch.where(known, self.previous, self.before_previous))
        self.previous.copy_(torch.where(known, losses.detach(), self.previous))
        self.steps += 1
        return total

    def total(self, losses: Tensor, known: Tensor) -> Tensor:
        """Equal weights: the sum of the losses that are `known` (tasks,)."""
        return _sum(losses, known)

    def weight(self, losses: Tensor, total: Tensor) -> Tensor:
        """How much a unit of loss counts in a total, over the items whose losses it is of."""
        return (total / losses.sum()).detach()

    def dynamic(self) -> Tensor:
        """λ_t = N·softmax_t((L_t[k−1]/L_t[k−2])/T), 1 for the first two steps."""
        if int(self.steps) < 2:
            return torch.ones_like(self.previous)
        ratio = self.previous / self.before_previous.clamp(min=1e-8)
        return self.tasks * torch.softmax(ratio / TEMPERATURE, 0)


class Dwa(Weighting):
    """Dynamic weight average (Liu et al. 2019): weights from how losses fall."""

    def total(self, losses: Tensor, known: Tensor) -> Tensor:
        """Σ λ_t L_t."""
        return _sum(self.dynamic() * losses, known)


class Random(Weighting):
    """Random loss weighting (Lin et al. 2022): softmax of normal draws each step."""

    def total(self, losses: Tensor, known: Tensor) -> Tensor:
        """N Σ softmax(ε)_t L_t."""
        return self.tasks * _sum(torch.softmax(torch.randn_like(losses), 0) * losses, known)


class Kendall(Weighting):
    """Homoscedastic uncertainty (Kendall et al. 2018), with learned log variances."""

    def __init__(self, tasks: int) -> None:
        super().__init__(tasks)
        self.log_variance = nn.Parameter(torch.zeros(tasks))

    def total(self, losses: Tensor, known: Tensor) -> Tensor:
        """Σ exp(−v_t) L_t + v_t."""
        return _sum(torch.exp(-self.log_variance) * losses + self.log_variance, known)

    def weight(self, losses: Tensor, total: Tensor) -> Tensor:  # noqa: ARG002
        """The mean of exp(−v_t): a total can be negative here, and tells nothing of weights."""
        return torch.exp(-self.log_variance).mean().detach()


class Rruw(Weighting):
    """Restrained revised uncertainty weighting (Song et al. 2022): DRUW without the dynamic part."""

    budget = 1.0

    def __init__(self, tasks: int) -> None:
        super().__init__(tasks)
        self.s = nn.Parameter(torch.full((tasks,), 1.0 / tasks))

    def weights(self) -> Tensor:
        """1/(N s_t²)."""
        return 1 / (self.tasks * self.s**2 + 1e-8)

    def total(self, losses: Tensor, known: Tensor) -> Tensor:
        """Σ w_t L_t + Σ log(1 + s_t²) + |φ − Σ|s_t||."""
        restraint = (self.budget - self.s.abs().sum()).abs()
        return _sum(self.weights() * losses, known) + _sum(torch.log1p(self.s**2), known) + restraint


class Druw(Rruw):
    """Dynamic restrained uncertainty weighting (Song et al. 2022, arXiv 2206.11049; Song et al. 2024).

    L = Σ_t (λ_t + 1/(N s_t²)) L_t + Σ_t log(1 + s_t²) + |φ − Σ_t |s_t||, s_t from 1/N, φ = 1, T = 10.
    """

    def weights(self) -> Tensor:
        """λ_t + 1/(N s_t²)."""
        return self.dynamic() + super().weights()


def _sum(terms: Tensor, known: Tensor) -> Tensor:
    return torch.where(known, terms, 0.0).sum()


KINDS: dict[str, type[Weighting]] = {
    "equal": Weighting, "kendall": Kendall, "dwa": Dwa, "random": Random, "rruw": Rruw, "druw": Druw,
}  # fmt: skip


def weighting(kind: str, tasks: int) -> Weighting:
    """Make one.

    Raises:
        ModelError: no weighting has this name.
    """
    if kind not in KINDS:
        message = f"no weighting is called {kind!r}; there are {', '.join(KINDS)}"
        raise ModelError(message)
    return KINDS[kind](tasks)
