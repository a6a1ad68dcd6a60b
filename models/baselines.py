"""The trivial and the strong simple predictors that every model must be shown beside.

Each is fitted on training rows and then predicts any row from the answers that the row may see. All but the last two
(`mixed.py`, `trees.py`) use answers only, no sensors. Predictions are in scale units, (rows, items); a person without
answers gets the population's mean.

Conventions, as the figures in the literature of this project were made: `personal_mean` is the mean of the person's
*training* answers and stays; `ewma_0.2` starts at the person's first answer and moves by α = .2 with each answer,
through the training and the test stretch. With the last 20 % of each person's answers as test and CCC pooled over
people and then averaged over items, rowland2020 gives .559 and .683.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from models.cohort import Cohort, Floats, Ints, Mask
from models.history import ewma_after, history, seen_online, select
from models.metrics import pooled_ccc
from models.mixed import MixedModel
from models.population import fit_population, moments
from models.state_space import Population, forecast
from models.trees import Trees

ALPHAS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class Baseline(Protocol):
    """What every baseline offers."""

    def fit(self, cohort: Cohort, train: Mask, seen: Ints | None = None) -> Self:
        """Learn from the rows in `train` (rows,), each seeing answers up to `seen`."""

    def predict(self, cohort: Cohort, seen: Ints | None = None) -> Floats:
        """Predict every row, (rows, items), from answers up to `seen` (by default the row before)."""


def _mean(cohort: Cohort, train: Mask) -> Floats:
    return moments(cohort, train).mean


@dataclass
class GlobalMean:
    """The mean of all training answers of an item."""

    mean: Floats | None = None

    def fit(self, cohort: Cohort, train: Mask, seen: Ints | None = None) -> Self:  # noqa: ARG002
        """Average the training answers."""
        self.mean = _mean(cohort, train)
        return self

    def predict(self, cohort: Cohort, seen: Ints | None = None) -> Floats:  # noqa: ARG002
        """The same for every row."""
        return np.tile(_fitted(self.mean), (len(cohort), 1))


@dataclass
class PersonalMean:
    """The mean of the person's training answers; unseen people get the global mean."""

    mean: Floats | None = None
    means: dict[str, Floats] | None = None

    def fit(self, cohort: Cohort, train: Mask, seen: Ints | None = None) -> Self:  # noqa: ARG002
        """Average each person's training answers."""
        self.mean = _mean(cohort, train)
        answers = np.where(train[:, None], cohort.answers, np.nan)
        count = np.zeros((len(cohort.participants), answers.shape[1]))
        total = count.copy()
        np.add.at(count, cohort.person, ~np.isnan(answers))
        np.add.at(total, cohort.person, np.nan_to_num(answers))
        means = np.where(count > 0, total / np.maximum(count, 1), self.mean)
        self.means = dict(zip(cohort.participants, means, strict=True))
        return self

    def predict(self, cohort: Cohort, seen: Ints | None = None) -> Floats:  # noqa: ARG002
        """The person's training mean on each of their rows."""
        mean = _fitted(self.mean)
        table = np.stack([(self.means or {}).get(p, mean) for p in cohort.participants])
        return np.asarray(table[cohort.person])


@dataclass
class ShrunkenMean:
    """The running mean of the answers seen, shrunk to the global mean by the ratio of variances."""

    mean: Floats | None = None
    prior: Floats | None = None

    def fit(self, cohort: Cohort, train: Mask, seen: Ints | None = None) -> Self:  # noqa: ARG002
        """Estimate variances between and within people."""
        start = moments(cohort, train)
        self.mean = start.mean
        self.prior = (start.noise_var + start.var[:, 1:].sum(1)) / start.var[:, 0]
        return self

    def predict(self, cohort: Cohort, seen: Ints | None = None) -> Floats:
        """(n·mean + k·global) / (n + k)."""
        past = history(cohort, seen)
        mean, prior = _fitted(self.mean), _fitted(self.prior)
        total = past.count * np.nan_to_num(past.mean) + prior * mean
        return np.asarray(total / (past.count + prior))


@dataclass
class LastAnswer:
    """The person's last answer that may be seen."""

    mean: Floats | None = None

    def fit(self, cohort: Cohort, train: Mask, seen: Ints | None = None) -> Self:  # noqa: ARG002
        """Only the global mean, for rows without an earlier answer."""
        self.mean = _mean(cohort, train)
        return self

    def predict(self, cohort: Cohort, seen: Ints | None = None) -> Floats:
        """The last answer, else the global mean."""
        last = history(cohort, seen).last[..., 0]
        return np.where(np.isnan(last), _fitted(self.mean), last)


@dataclass
class Ewma:
    """The exponentially weighted mean of earlier answers; α fixed, or the one with the best CCC in training."""

    alpha: float | None = None
    mean: Floats | None = None

    def fit(self, cohort: Cohort, train: Mask, seen: Ints | None = None) -> Self:
        """Choose α on the training rows, each predicted from the answers before it."""
        self.mean = _mean(cohort, train)
        if self.alpha is None:
            seen = seen_online(cohort) if seen is None else seen
            at = select(ewma_after(cohort, ALPHAS), seen)
            truth = np.where(train[:, None] & ~np.isnan(at[..., 0]), cohort.answers, np.nan)
            agreement = np.array([pooled_ccc(np.nan_to_num(at[..., k]), truth) for k in range(len(ALPHAS))])
            known = ~np.isnan(agreement).all(axis=0)  # items answered too rarely to agree on decide nothing
            scores = np.nanmean(agreement[:, known], axis=1) if known.any() else np.zeros(len(ALPHAS))
            self.alpha = ALPHAS[int(np.argmax(np.nan_to_num(scores, nan=-1.0)))]
        return self

    def predict(self, cohort: Cohort, seen: Ints | None = None) -> Floats:
        """The weighted mean, else the global mean."""
        if self.alpha is None:
            message = "an EWMA needs its α: fit it, or give one"
            raise ValueError(message)
        seen = seen_online(cohort) if seen is None else seen
        at = select(ewma_after(cohort, (self.alpha,)), seen)[..., 0]
        return np.where(np.isnan(at), _fitted(self.mean), at)


@dataclass
class OrnsteinUhlenbeck:
    """AR(1)/OU state space per person with population priors (`models/state_space.py`)."""

    population: Population | None = None

    def fit(self, cohort: Cohort, train: Mask, seen: Ints | None = None) -> Self:  # noqa: ARG002
        """Maximise the likelihood of the training answers."""
        self.population = fit_population(cohort, train)
        return self

    def predict(self, cohort: Cohort, seen: Ints | None = None) -> Floats:
        """The filter's expectation."""
        if self.population is None:
            message = "fit the state-space baseline before predicting"
            raise ValueError(message)
        return forecast(self.population, cohort, seen).value


BASELINES: dict[str, Callable[[], Baseline]] = {
    "global_mean": GlobalMean,
    "personal_mean": PersonalMean,
    "shrunken_mean": ShrunkenMean,
    "last_answer": LastAnswer,
    "ewma_0.2": lambda: Ewma(0.2),
    "ewma": Ewma,
    "ar1_ou": OrnsteinUhlenbeck,
    "linear_mixed": MixedModel,
    "boosted_trees": Trees,
}


def _fitted(value: Floats | None) -> Floats:
    if value is None:
        message = "fit the baseline before predicting"
        raise ValueError(message)
    return value
