"""How far people differ in what is kept of each of them: a variance per group of parameters, learned beside them.

Neural mixed effects (Wörtwein et al. 2023): parameters are drawn to the shared model, at 0, as strongly as people are
alike. A variance at which the joint density were largest would fall to 0 together with its parameters. So it is learned
as EM does for variance components (Dempster, Laird & Rubin 1977): what the parameters are, squared, and how uncertain
the answers leave them, on average over people; beside a weak prior around where it starts.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

HOLD = 5.0  # how many parameters' worth of belief keep each variance near its start


class Spread(nn.ParameterDict):
    """The logarithm of each group's SD by name, which no optimiser moves; `start` are the SDs at first."""

    def __init__(self, start: Mapping[str, float]) -> None:
        super().__init__({n: nn.Parameter(torch.tensor(sd).log(), requires_grad=False) for n, sd in start.items()})
        self.start = dict(start)

    def variance(self, name: str) -> Tensor:
        """A group's variance over people."""
        return torch.as_tensor((2 * self[name]).exp())

    def density(self, tables: Mapping[str, Tensor]) -> Tensor:
        """Minus the log density of people's parameters under the variances as they are, up to a constant."""
        return torch.stack([0.5 * (tables[n] ** 2).sum() / self.variance(n) for n in self.start]).sum()

    def learn(self, tables: Mapping[str, Tensor], information: Mapping[str, float]) -> None:
        """One step of EM from people's parameters as they are.

        Args:
            tables: each group's parameters of all people.
            information: for each group, the curvature h of the log likelihood that one person's answers bring; a
                parameter keeps a variance of σ²/(1 + hσ²).
        """
        with torch.no_grad():
            for name, start in self.start.items():
                values, variance = tables[name], self.variance(name)
                unsure = values.numel() * variance / (1 + information[name] * variance)
                total = (values**2).sum() + unsure + HOLD * start**2
                self[name].copy_(0.5 * (total / (values.numel() + HOLD)).log())
