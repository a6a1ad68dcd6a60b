"""Boosted trees on the same history and features: the strongest plain learner that the model must be compared with.

One histogram gradient boosting per item (scikit-learn), fitted to what an exponentially weighted mean of earlier
answers leaves. Their loss is the absolute error, which was seen to be strong on real self-reports: residuals have heavy
tails. Inputs are earlier answers relative to that mean, their ages and counts, the other items' means, the clock, and
body and voice where they are there; trees take what is missing as missing. Growth is bounded, so is time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from models.cohort import Cohort, Floats, Ints, Mask
from models.covariates import Covariates
from models.history import SHORT, History, history
from models.population import moments
from models.threads import each, one_openmp_thread

FEWEST = 100  # answers of an item below which no tree grows


@dataclass
class Trees:
    """The baseline `boosted_trees`; `loss` is scikit-learn's `absolute_error` or `squared_error`."""

    loss: str = "absolute_error"
    rounds: int = 120
    seed: int = 0
    threads: int = 2
    mean: Floats | None = None
    covariates: Covariates | None = None
    trees: list[tuple[Any, Mask] | None] = field(default_factory=list)

    def fit(self, cohort: Cohort, train: Mask, seen: Ints | None = None) -> Self:
        """Grow the trees on the training rows, each seeing answers up to `seen`."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        self.mean, self.covariates = moments(cohort, train).mean, Covariates.learned(cohort, train)
        base, shared, own = self._features(cohort, seen)

        def grown(item: int) -> tuple[Any, Mask] | None:
            rows = train & ~np.isnan(cohort.answers[:, item])
            if rows.sum() < FEWEST:
                return None
            tree = HistGradientBoostingRegressor(
                loss=self.loss, max_iter=self.rounds, learning_rate=0.05, max_leaf_nodes=15, min_samples_leaf=40,
                l2_regularization=1.0, max_features=0.3, max_bins=63, early_stopping=False, random_state=self.seed,
            )  # fmt: skip
            left = (cohort.answers - base)[rows, item]
            table = np.concatenate([own[rows, item], shared[rows]], 1)
            # scikit-learn fails on a column that no row has, such as the fifth answer before this one.
            had = ~np.isnan(table).all(axis=0)
            with one_openmp_thread():
                return tree.fit(table[:, had], left), had

        self.trees = each(grown, range(len(cohort.items)), self.threads)
        return self

    def predict(self, cohort: Cohort, seen: Ints | None = None) -> Floats:
        """The weighted mean plus what the trees add, kept inside the scale."""
        base, shared, own = self._features(cohort, seen)
        value = base.copy()
        for item, grown in enumerate(self.trees):
            if grown is not None and len(value):
                tree, had = grown
                value[:, item] += tree.predict(np.concatenate([own[:, item], shared], 1)[:, had])
        return np.asarray(np.clip(value, cohort.low, cohort.low + cohort.span))

    def _features(self, cohort: Cohort, seen: Ints | None) -> tuple[Floats, Floats, Floats]:
        """The base (rows, items), what all items share (rows, …), and what is each item's own (rows, items, …)."""
        if self.mean is None or self.covariates is None:
            message = "fit the trees before predicting"
            raise ValueError(message)
        past = history(cohort, seen)
        known = past.ewma[..., SHORT]
        base = np.where(np.isnan(known), self.mean, known)
        shared = np.concatenate([self.covariates.table(cohort, missing=np.nan), base], axis=1)
        return base, shared, _own(past, base)


def _own(past: History, base: Floats) -> Floats:
    """Numbers of each item's earlier answers, (rows, items, numbers); NaN where there are none."""
    near = base[..., None]
    return np.concatenate(
        [
            near,
            past.mean[..., None] - near,
            past.ewma - near,
            past.last - near,
            past.age_h,
            np.stack([past.deviation, past.at_low, past.at_high, past.count], -1),
        ],
        -1,
    )
