"""A linear mixed model per item: a random intercept per person over body, voice and clock.

y = μ + x'β + b_person + e with b ~ N(0, λσ²), β ~ N(0, τσ²), e ~ N(0, σ²). λ and τ maximise the marginal likelihood of
the training answers (Laird & Ware 1982; a normal prior on β, because features may outnumber answers). With one
intercept per person everything needs sums per person only: V0 = I + λZZ' is inverted in closed form, and after one
eigendecomposition of X'V0⁻¹X every τ costs a line. So hundreds of people take no longer than the features do. A row's
intercept is the best linear unbiased prediction from the answers it may see; a person without any has 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from models.cohort import Cohort, Floats, Ints, Mask
from models.covariates import Covariates
from models.history import Grid, seen_online, select

INTERCEPT = np.concatenate([[0.0], np.geomspace(0.02, 20, 25)])  # λ: variance between people over that within
SLOPES = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, 25)])  # τ: variance of a coefficient over that within
FEWEST = 10  # answers of an item below which only its mean is kept


@dataclass(frozen=True)
class Line:
    """One item's fit: overall mean, coefficients, λ, and the variance within people σ²."""

    mean: float
    slopes: Floats
    intercept: float
    noise: float


@dataclass
class MixedModel:
    """The baseline `linear_mixed`."""

    covariates: Covariates | None = None
    lines: list[Line] = field(default_factory=list)

    def fit(self, cohort: Cohort, train: Mask, seen: Ints | None = None) -> Self:  # noqa: ARG002
        """Maximise the marginal likelihood of the training answers, item by item."""
        self.covariates = Covariates.learned(cohort, train)
        table, middle = self.covariates.table(cohort), cohort.low + cohort.span / 2
        self.lines = []
        for item in range(len(cohort.items)):
            rows = train & ~np.isnan(cohort.answers[:, item])
            self.lines.append(fit_line(table[rows], cohort.answers[rows, item], cohort.person[rows], middle[item]))
        return self

    def predict(self, cohort: Cohort, seen: Ints | None = None) -> Floats:
        """Fixed part plus the person's intercept as the answers seen tell it, kept inside the scale."""
        if self.covariates is None:
            message = "fit the mixed model before predicting"
            raise ValueError(message)
        table = self.covariates.table(cohort)
        fixed = np.stack([line.mean + table @ line.slopes for line in self.lines], -1)
        gone = cohort.answers - fixed
        total, count = _running(cohort, np.nan_to_num(gone)), _running(cohort, (~np.isnan(gone)).astype(float))
        seen = seen_online(cohort) if seen is None else seen
        ratio = np.array([line.intercept for line in self.lines])
        own = ratio * select(total, seen, 0.0) / (1 + ratio * select(count, seen, 0.0))
        return np.asarray(np.clip(fixed + own, cohort.low, cohort.low + cohort.span))


def fit_line(table: Floats, answers: Floats, person: Ints, middle: float = 0.0) -> Line:
    """Fit one item: covariates (answers, covariates), answers (answers,) and whose they are; `middle` where unknown."""
    n = len(answers)
    if n < FEWEST:
        return Line(float(answers.mean()) if n else middle, np.zeros(table.shape[1]), 1.0, 1.0)
    people, place = np.unique(person, return_inverse=True)
    x = np.concatenate([np.ones((n, 1)), table], axis=1)
    start = answers.mean()
    y = answers - start
    size = np.bincount(place, minlength=len(people)).astype(float)
    sum_x, sum_y = np.zeros((len(people), x.shape[1])), np.bincount(place, y, minlength=len(people))
    np.add.at(sum_x, place, x)
    plain = (x.T @ x, x.T @ y, float(y @ y))
    found = []
    for ratio in INTERCEPT:
        weight = ratio / (1 + ratio * size)
        inner = plain[0] - (sum_x * weight[:, None]).T @ sum_x
        cross = plain[1] - (sum_x * weight[:, None]).T @ sum_y
        square = plain[2] - float((weight * sum_y**2).sum())
        likelihood, slopes, noise = _best_slopes(inner, cross, square, n, float(np.log1p(ratio * size).sum()))
        found.append((likelihood, Line(float(start + slopes[0]), slopes[1:], float(ratio), noise)))
    return max(found, key=lambda pair: pair[0])[1]


def _best_slopes(inner: Floats, cross: Floats, square: float, n: int, spread: float) -> tuple[float, Floats, float]:
    """For one λ, the τ of highest likelihood: restricted log likelihood, coefficients (the mean first) and σ².

    With A = X'V0⁻¹X and b = X'V0⁻¹y: log|V| = log|V0| + log|I + τA| and y'V⁻¹y = y'V0⁻¹y − τb'(I + τA)⁻¹b (Woodbury).
    The mean, which has no prior, is projected out of A, b and y'V0⁻¹y first (REML).
    """
    level, level_cross = inner[0, 0], cross[0]
    rest = inner[1:, 1:] - np.outer(inner[1:, 0], inner[0, 1:]) / level
    rest_cross = cross[1:] - inner[1:, 0] * level_cross / level
    square = square - level_cross**2 / level
    values, vectors = np.linalg.eigh(rest)
    values, along = np.maximum(values, 0.0), vectors.T @ rest_cross
    scale = SLOPES[:, None] / (1 + SLOPES[:, None] * values)
    left = np.maximum(square - scale @ along**2, 1e-9 * n)
    noise = left / (n - 1)
    likelihood = -0.5 * ((n - 1) * np.log(noise) + spread + np.log(level) + np.log1p(np.outer(SLOPES, values)).sum(1))
    place = int(np.argmax(likelihood))
    slopes = vectors @ (scale[place] * along)
    mean = (level_cross - inner[0, 1:] @ slopes) / level
    return float(likelihood[place]), np.concatenate([[mean], slopes]), float(noise[place])


def _running(cohort: Cohort, values: Floats) -> Floats:
    """Sums over the person's rows up to and with each row, (rows, items)."""
    grid = Grid.of(cohort)
    return grid.gather(np.cumsum(np.nan_to_num(grid.spread(values)), axis=0))
