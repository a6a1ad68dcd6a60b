"""How much network, trees, recent answers and habits say, and how far the result is spread: chosen once, openly.

A cautious estimate lies too close to the centre: it has the smaller absolute error and the smaller concordance.
Spreading estimates raises CCC and worsens MAE, so that either is easily bought with the other. All is chosen on
held-back answers where the *product* of the two gains over an exponentially weighted mean of past answers is largest
(Nash's bargain, 1950, between two parties with one thing to divide): no unit weighs one against the other, and neither
gain is given up for the other. On a rating scale the median answer is a level, and an estimate between two is right
for nobody: how far estimates are drawn to the nearest level is chosen in the same way. For newcomers only the spread is
chosen, as that of most agreement at no more error than the weighted mean's: what each part is worth to people never
seen cannot be told on people who were fitted on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from models.cohort import Floats
from models.forest import LOSSES
from models.metrics import ccc, mae, sums_over_all

PARTS = ("network", *LOSSES, "recent", "habit")  # what is mixed, last axis of `parts` everywhere
ESTIMATES = 1 + len(LOSSES)  # so many of them are divided between for known people
EQUAL = (0.25, 0.25, 0.25, 0.25, 0.0)  # weights for newcomers, of whom little is known yet
FACTORS = np.arange(1.0, 1.25, 0.03)
WIDE = np.arange(1.0, 2.05, 0.1)  # … and their factors: what is said of them is cautious
FOLLOWED = (0.0, 0.1, 0.2, 0.3, 0.4)  # of a person's habits, beyond what network and trees follow
DRAWN = (0.0, 0.25, 0.5, 0.75, 1.0)  # to the nearest level of a rating scale
MOST_STEPS = 10  # between the ends of a rating scale; one with more levels is a slider
FEWEST = 30  # answers that show a scale's levels

Weights = tuple[float, ...]


@dataclass(frozen=True)
class Mix:
    """Parts by their `weights`, which is 1 in all but for the habit, then spread by `factor` around `centre` (items,).

    The habit is what it moves estimates by; the other parts are estimates. On items with `steps` (items,), see
    `steps_of`, estimates are then `drawn` so far to the nearest level.
    """

    weights: Weights
    factor: float
    centre: Floats
    steps: Floats
    drawn: float = 0.0

    def of(self, parts: Floats) -> Floats:
        """Estimates (rows, items) of parts (rows, items, PARTS), in units of the span, kept inside the scale."""
        together: Floats = (parts * self.weights).sum(-1)
        value = np.clip(self.centre + self.factor * (together - self.centre), 0.0, 1.0)
        if not self.drawn:
            return value
        nearest = np.where(self.steps > 0, np.round(value * self.steps) / np.maximum(self.steps, 1), value)
        return value + self.drawn * (nearest - value)


def choose(parts: Floats, reference: Floats, answers: Floats) -> Mix:
    """The mix with the largest product of gains over a reference; the network as it is where none gains in both.

    First weights of network and trees with their spread, then how far habits are followed besides, with theirs, then
    how far estimates are drawn to the levels of rating scales, with theirs.

    Args:
        parts: (rows, items, PARTS) of held-back rows, in units of the span.
        reference: (rows, items) what is to be gained over.
        answers: (rows, items), NaN where there is none.
    """
    first = _best(parts, reference, answers, [(*shares, 0.0, 0.0) for shares in divided()], FACTORS, _product)
    followed = [(*first.weights[:-1], habit) for habit in FOLLOWED]
    best = _best(parts, reference, answers, followed, FACTORS, _product)
    if not best.steps.any():
        return best
    return _best(parts, reference, answers, [best.weights], FACTORS, _product, DRAWN)


def choose_for_newcomers(parts: Floats, reference: Floats, answers: Floats) -> Mix:
    """Equal weights, hard to beat where weights cannot be told (Smith and Wallis 2009), spread to agree the most.

    A spread with more error than the reference is out; where none is left that agrees more, nothing is spread.
    Arguments as in `choose`.
    """
    return _best(parts, reference, answers, [EQUAL], WIDE, _agreement_without_error)


def steps_of(answers: Floats) -> Floats:
    """How many equal steps the scale of each item has, by its answers in units of the span; 0 for a slider, (items,).

    Items answered by yes or no count as sliders too: an estimate between the two is a share, and is meant.
    """
    out = np.zeros(answers.shape[1])
    for item, column in enumerate(answers.T):
        own = column[~np.isnan(column)]
        fits = (n for n in range(1, MOST_STEPS + 1) if np.allclose(own * n, np.round(own * n), atol=1e-6))
        steps = next(fits, 0) if len(own) >= FEWEST else 0
        out[item] = steps if steps > 1 else 0
    return out


def divided(tenths: int = 10, parts: int = ESTIMATES) -> list[Weights]:
    """Every way to divide ten tenths among the parts, those that leave most to the first ones first."""
    if parts == 1:
        return [(tenths / 10,)]
    return [(mine / 10, *rest) for mine in range(tenths, -1, -1) for rest in divided(tenths - mine, parts - 1)]


def _product(agreed: float, spared: float) -> float:
    return max(agreed, 0.0) * max(spared, 0.0)


def _agreement_without_error(agreed: float, spared: float) -> float:
    return agreed if spared >= 0 else 0.0


def _best(
    parts: Floats,
    reference: Floats,
    answers: Floats,
    weights: Sequence[Weights],
    factors: Floats,
    worth: Callable[[float, float], float],
    drawn: Sequence[float] = (0.0,),
) -> Mix:
    """The mix of most worth by what it gains in agreement and spares in error; the first, unspread, if none has any."""
    usual, centre = _agreement_and_error(reference, answers), parts[..., :ESTIMATES].mean((0, -1))
    steps = steps_of(answers)
    best, most = Mix(weights[0], 1.0, centre, steps), 0.0
    for factor, each, far in product(factors, weights, drawn):
        mix = Mix(each, round(float(factor), 2), centre, steps, far)
        agreement, error = _agreement_and_error(mix.of(parts), answers)
        gain = worth(agreement - usual[0], usual[1] - error)
        if gain > most:
            best, most = mix, gain
    return best


def _agreement_and_error(unit: Floats, answers: Floats) -> tuple[float, float]:
    total = sums_over_all(unit, answers)
    return float(np.nan_to_num(ccc(total)).mean()), float(np.nanmean(mae(total)))
