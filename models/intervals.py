"""Prediction intervals by split conformal calibration, per item and scaled to the person.

A residual is divided by how far off the person's answers usually lie (`error_scale`, from the past only), so that
steady people get narrow intervals and variable ones wide ones; the lower and upper ends are conformal quantiles of
the scaled residuals of held-out answers (Lei et al. 2018; Romano et al. 2019), because answers near an end of the
scale err to one side. Ends are kept inside the scale.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from models.cohort import Cohort, Floats

FEWEST = 30  # held-out answers below which an item uses all items' residuals
FINEST = 0.01  # of the scale: answers are not told apart more finely
TAIL, USUALLY = 0.1, 2.06  # so many errors are larger than so many times the mean error, if errors are normal
QUICK, PATIENT = 80.0, 200.0  # an answer moves a person's width by QUICK / (PATIENT + answers so far)
STEADY = 0.2  # and a moment, all its answers together, by this at least: people change, however long they are known
FASTEST = 0.8  # nor by more than this: a newcomer's first moment, however many items it has, is one moment
LEAST, MOST = -1.5, 1.5  # logarithms of how narrow and how wide a person's intervals become


@dataclass(frozen=True)
class Intervals:
    """Scaled residual quantiles per item, each (items,)."""

    below: Floats
    above: Floats

    def around(self, value: Floats, scale: Floats, low: Floats, span: Floats) -> tuple[Floats, Floats]:
        """Lower and upper ends around values (rows, items), in scale units.

        They lie at least `FINEST` of the scale to either side: where everybody always answers alike, errors are smaller
        than what sets a fit apart from the next, and quantiles of them would hold nothing.
        """
        lower = np.minimum(self.below * scale, -FINEST * span)
        upper = np.maximum(self.above * scale, FINEST * span)
        return np.clip(value + lower, low, low + span), np.clip(value + upper, low, low + span)


def own_width(cohort: Cohort, off: Floats) -> Floats:
    """How much wider than usual a person's errors spread, after each row, (rows,); 1 before any answer.

    The person's own quantile of errors, tracked answer by answer over all items together (Robbins and Monro 1951; as
    adaptive conformal inference does, Gibbs and Candès 2021): an error beyond the width so far widens it, one within
    narrows it nine times less.

    Args:
        cohort: the moments.
        off: (rows, items) absolute errors of the personal baseline over their usual size, NaN where unanswered. The
            baseline has no parameter of a person's own, so its errors are of the same kind before and after training.
    """
    with np.errstate(divide="ignore"):
        ordered = np.sort(np.log(off / USUALLY), axis=1)  # NaN last
    given, (rank, _), out = (~np.isnan(off)).sum(1), cohort.rank(), np.empty(len(cohort))
    log, told = 0.0, 0
    # One by one in plain Python: for one person's answers, steps of arrays take seven times as long.
    for row, (errors, count, place) in enumerate(zip(ordered.tolist(), given.tolist(), rank.tolist(), strict=True)):
        log, told = (log, told + count) if place else (0.0, count)
        beyond = count - bisect_right(errors, log, 0, count)
        step = max(min(QUICK / (PATIENT + told), FASTEST / max(count, 1)), STEADY / max(count, 1))
        log = min(max(log + step * (beyond - TAIL * count), LEAST), MOST)
        out[row] = log
    return np.exp(out)


def calibrate(value: Floats, scale: Floats, answers: Floats, coverage: float) -> Intervals:
    """Quantiles from held-out rows; unanswered cells are NaN. With too few answers, those of a normal error."""
    score = (answers - value) / scale
    pool = score[~np.isnan(score)]
    tail = (1 - coverage) / 2
    ends = []
    for item in range(score.shape[1]):
        own = score[:, item][~np.isnan(score[:, item])]
        ends.append(_ends(own if len(own) >= FEWEST else pool, tail))
    below, above = np.array(ends).T
    return Intervals(below, above)


def _ends(score: Floats, tail: float) -> tuple[float, float]:
    n = len(score)
    if n < FEWEST:
        end = NormalDist().inv_cdf(1 - tail) * (np.pi / 2) ** 0.5  # of a normal error whose mean size is 1
        return -end, end
    # The k-th smallest of n holds a new one with a chance of k / (n + 1).
    ordered, k = np.sort(score), min(n, int(np.ceil((n + 1) * (1 - tail))))
    return float(ordered[n - k]), float(ordered[k - 1])
