"""How much the network says, how much the trees of each loss, and how far the result is spread: chosen once, openly.

A cautious estimate lies too close to the centre: it has the smaller absolute error and the smaller concordance.
Spreading estimates raises CCC and worsens MAE, so that either is easily bought with the other. All is chosen
on held-back answers where the *product* of the two gains over an exponentially weighted mean of past answers is
largest, the gain in agreement counted twice (Nash's bargain between two parties with one thing to divide, of whom one
has twice the say; Kalai 1977): no unit weighs one against the other, and neither gain is given up for the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from models.cohort import Floats
from models.forest import LOSSES
from models.metrics import mae, pooled_ccc, sums

Shares = tuple[float, ...]  # of the network, then of the trees of each loss; their sum is 1
FACTORS = np.arange(1.0, 1.25, 0.03)
WIDE = np.arange(1.0, 2.05, 0.1)  # factors for people of whom little is known yet: what is said of them is cautious
SAY = 2  # of agreement, where error has 1
CLEARLY = 1.02  # how much more a smaller share or a wider spread must bring


@dataclass(frozen=True)
class Mix:
    """Network and trees by their `shares`, then spread by `factor` around `centre` (items,)."""

    shares: Shares
    factor: float
    centre: Floats

    def of(self, network: Floats, trees: Floats) -> Floats:
        """Estimates (rows, items) in units of the span, kept inside the scale; trees are (rows, items, losses)."""
        together = self.shares[0] * network
        for kind, share in enumerate(self.shares[1:]):
            together = together + share * trees[..., kind]
        return np.clip(self.centre + self.factor * (together - self.centre), 0.0, 1.0)


def divided(tenths: int = 10, parts: int = 1 + len(LOSSES)) -> list[Shares]:
    """Every way to divide ten tenths among the parts, those that leave most to the first ones first."""
    if parts == 1:
        return [(tenths / 10,)]
    return [(mine / 10, *rest) for mine in range(tenths, -1, -1) for rest in divided(tenths - mine, parts - 1)]


def choose(
    network: Floats,
    trees: Floats,
    reference: Floats,
    answers: Floats,
    *,
    shares: Sequence[Shares] | None = None,
    factors: Floats = FACTORS,
) -> Mix:
    """The mix with the largest product of gains over a reference; the plainest of those about as good.

    All are (rows, items) in units of the span, trees (rows, items, losses): what network, trees and reference say of
    held-back rows, and their answers, NaN where there is none. Shares (any by default) and factors, from small to
    large, are chosen among.
    """
    shares = shares or divided()
    usual, centre = _agreement_and_error(reference, answers), (network + trees.mean(-1)).mean(0) / 2
    best, most = Mix(shares[0], 1.0, centre), 0.0
    for factor, share in product(factors, shares):
        mix = Mix(share, round(float(factor), 2), centre)
        agreement, error = _agreement_and_error(mix.of(network, trees), answers)
        gain = max(agreement - usual[0], 0.0) ** SAY * max(1 - error / usual[1], 0.0)
        if gain > CLEARLY * most:
            best, most = mix, gain
    return best


def _agreement_and_error(unit: Floats, answers: Floats) -> tuple[float, float]:
    error = mae(sums(unit, answers, np.zeros(len(unit), dtype=np.int64), 1)[0])
    return float(np.nan_to_num(pooled_ccc(unit, answers)).mean()), float(np.nanmean(error))
