"""Uncertainty of a table by resampling participants, paired over models.

A draw is how often each person comes up; every statistic of that draw is a matrix product with sums per person
(`models/metrics.py`). The same draws serve all models, so differences are paired. Rows are never resampled: answers of
one person are not independent.
"""

from __future__ import annotations

import numpy as np

from models.cohort import Floats
from models.metrics import Sums, ccc, mae, together

DRAWS = 2_000
LEVEL = 0.95
FEWEST_PEOPLE = 2  # one person drawn again and again is always the same


def draws(people: int, count: int = DRAWS, seed: int = 0) -> Floats:
    """How often each person comes up in each draw, (draws, people); each row sums to `people`."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(people, np.full(people, 1 / people), size=count).astype(float)


def bounds(sampled: Floats, people: int) -> tuple[float, float]:
    """The central 95 % of bootstrap values; NaN where nothing is defined, or of too few `people` to tell by."""
    known = sampled[np.isfinite(sampled)]
    if not len(known) or people < FEWEST_PEOPLE:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def pooled(each: Sums, drawn: Floats) -> tuple[Floats, Floats]:
    """Pooled CCC and MAE of every draw, averaged over items: two arrays (draws,)."""
    total, sampled = together(each), together(each, drawn)
    return drawn_over_items(ccc(total), ccc(sampled)), drawn_over_items(mae(total), mae(sampled))


def over_items(values: Floats) -> Floats:
    """Mean over the items where there is any, (…, items) → (…)."""
    count = (~np.isnan(values)).sum(-1)
    return np.asarray(np.nansum(values, axis=-1) / np.where(count > 0, count, np.nan))


def drawn_over_items(whole: Floats, drawn: Floats) -> Floats:
    """The same of every draw, (draws, items) → (draws,), over the items of which there is any of all people.

    A draw that lacks one of them, because none came up whom it is of, is of something else and has no value.
    """
    there = ~np.isnan(whole)
    return np.asarray(drawn[:, there].mean(-1) if there.any() else np.full(len(drawn), np.nan))
