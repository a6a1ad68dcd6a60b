"""How good predictions are: agreement, errors and lift, from sufficient statistics per person and item.

Everything pooled over people follows from seven sums per person and item, so a bootstrap over people is a matrix
product and 300 people cost no more than a table of them: every metric of all people takes `drawn` too, how often each
person comes up in each draw (`models/bootstrap.py`), and is then told of every draw. CCC is Lin's concordance
correlation coefficient (Biometrics 1989;45:255), with population (1/n) moments. Which rows are compared is decided by
`models/protocols.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.cohort import Floats, Ints, Mask

Sums = NDArray[np.float64]
N, P, Y, PP, YY, PY, ABS = range(7)
MIN_ANSWERS = 5  # a person's own CCC over fewer answers is noise
ROUNDING = 1e-10  # of the mean square: a variance below it is what rounding leaves of none


def sums(predicted: Floats, answers: Floats, person: Ints, people: int) -> Sums:
    """n, Σp, Σy, Σp², Σy², Σpy, Σ|p−y| per person and item, (people, items, 7); NaN answers are left out."""
    parts = np.stack(_terms(predicted, answers), axis=-1)
    out = np.zeros((people, *parts.shape[1:]))
    np.add.at(out, person, parts)
    return out


def sums_over_all(predicted: Floats, answers: Floats) -> Sums:
    """The same sums over all rows, (items, 7)."""
    return np.stack([term.sum(0) for term in _terms(predicted, answers)], axis=-1)


def _terms(predicted: Floats, answers: Floats) -> list[Floats]:
    """What is summed, seven times (rows, items); 0 where there is no answer."""
    both = ~np.isnan(answers) & ~np.isnan(predicted)
    p, y = np.where(both, predicted, 0.0), np.where(both, answers, 0.0)
    return [both.astype(float), p, y, p * p, y * y, p * y, np.abs(p - y)]


def ccc(total: Sums) -> Floats:
    """Concordance from sums, (…, 7) → (…); NaN where answers do not vary, whatever is said of them."""
    n = np.where(total[..., N] > 1, total[..., N], np.nan)
    mean_p, mean_y = total[..., P] / n, total[..., Y] / n
    var_p, var_y = total[..., PP] / n - mean_p**2, total[..., YY] / n - mean_y**2
    covariance, told = total[..., PY] / n - mean_p * mean_y, _varied(var_y, total[..., YY] / n)
    spread = np.maximum(var_p, 0.0) + np.where(told, var_y, 1.0) + (mean_p - mean_y) ** 2
    return np.asarray(np.where(told, 2 * covariance / spread, np.nan))


def correlation(total: Sums) -> Floats:
    """Pearson's r from sums, (…, 7) → (…); 0 where either side does not vary, NaN without answers."""
    n = np.where(total[..., N] > 1, total[..., N], np.nan)
    var_p, var_y = total[..., PP] - total[..., P] ** 2 / n, total[..., YY] - total[..., Y] ** 2 / n
    both = (_varied(var_p, total[..., PP]) & _varied(var_y, total[..., YY])) | np.isnan(n)
    covariance = total[..., PY] - total[..., P] * total[..., Y] / n
    return np.asarray(np.where(both, covariance / np.sqrt(np.where(both, var_p * var_y, 1.0)), 0.0))


def mae(total: Sums) -> Floats:
    """Mean absolute error from sums, (…, 7) → (…), in scale units."""
    return np.asarray(total[..., ABS] / np.where(total[..., N] > 0, total[..., N], np.nan))


def _varied(variance: Floats, square: Floats) -> Mask:
    """Whether numbers vary, by their variance and mean square (or the sums of both)."""
    return np.asarray(variance > ROUNDING * square)


def pooled_ccc(predicted: Floats, answers: Floats) -> Floats:
    """CCC per item over all rows, (items,)."""
    return ccc(sums_over_all(predicted, answers))


def together(parts: Floats, drawn: Floats | None = None) -> Floats:
    """What is known of each person, (people, …), summed: (…); of people as they are `drawn`, (draws, …)."""
    if drawn is None:
        return np.asarray(parts.sum(0))
    return np.asarray((drawn @ parts.reshape(len(parts), -1)).reshape(len(drawn), *parts.shape[1:]))


def mean_of_people(values: Floats, drawn: Floats | None = None) -> Floats:
    """Mean of numbers (people, …) over people, (…) or (draws, …); people without a number count nowhere."""
    known = ~np.isnan(values)
    count = together(known.astype(float), drawn)
    return np.asarray(together(np.where(known, values, 0.0), drawn) / np.where(count > 0, count, np.nan))


def person_ccc(each: Sums, drawn: Floats | None = None) -> Floats:
    """Mean over people of their own CCC, per item; people with few answers or constant ones are left out."""
    return mean_of_people(own_ccc(each), drawn)


def own_ccc(each: Sums) -> Floats:
    """Each person's own CCC, (people, items); NaN with few answers or constant ones."""
    return np.where(each[..., N] >= MIN_ANSWERS, ccc(each), np.nan)


def within_r(each: Sums, drawn: Floats | None = None) -> Floats:
    """Correlation of predictions and answers after taking each person's means away, pooled, per item.

    0 where nobody's predictions move, NaN where nobody's answers do.
    """
    n = np.maximum(each[..., N], 1)
    products = each[..., (PY, PP, YY)] - each[..., (P, P, Y)] * each[..., (Y, P, Y)] / n[..., None]
    parts = np.concatenate([products, each[..., (PP, YY)]], -1)
    cross, var_p, var_y, square_p, square_y = np.moveaxis(together(parts, drawn), -1, 0)
    moved, told = _varied(var_p, square_p), _varied(var_y, square_y)
    r = np.where(moved, cross, 0.0) / np.sqrt(np.where(moved & told, var_p * var_y, 1.0))
    return np.asarray(np.where(told, r, np.nan))


def icc(each: Sums, drawn: Floats | None = None) -> Floats:
    """Share of the answers' variance that lies between people, per item: one-way ANOVA, unequal group sizes.

    NaN where nothing tells: of one person, or where nobody answers twice or any answer differs.
    """
    n = each[..., N]
    mean = each[..., Y] / np.maximum(n, 1)
    away = mean - each[..., Y].sum(0) / np.maximum(n.sum(0), 1)
    parts = np.stack([n > 0, n, n**2, each[..., YY] - n * mean**2, n * away, n * away**2, each[..., YY]], -1)
    groups, total, squares, inside, sum_away, squares_away, square = np.moveaxis(together(parts, drawn), -1, 0)
    within = inside / np.maximum(total - groups, 1)
    between = (squares_away - sum_away**2 / np.maximum(total, 1)) / np.maximum(groups - 1, 1)
    size = (total - squares / np.maximum(total, 1)) / np.maximum(groups - 1, 1)
    level = np.maximum((between - within) / np.maximum(size, 1e-9), 0.0)
    told = (total > groups) & (groups > 1) & _varied(level + within, square / np.maximum(total, 1))
    return np.asarray(np.where(told, level / np.where(told, level + within, 1.0), np.nan))


def implied_q(concordance: Floats, share_between: Floats) -> Floats:
    """Share of within-person variance that a calibrated predictor with this CCC explains.

    Solves CCC = 2(ICC + q(1−ICC)) / (1 + ICC + q(1−ICC)) for q; 0 is a personal mean known without error, negative is
    worse. NaN where answers do not vary within people.
    """
    explained, within = concordance / (2 - concordance), 1 - share_between
    return np.asarray(np.where(within > 1e-6, (explained - share_between) / np.where(within > 1e-6, within, 1), np.nan))


def person_mae(each: Sums) -> Floats:
    """Each person's mean absolute error over all their answers of all items, (people,); NaN without answers.

    Items are summed in the units given; give scale units divided by the span where spans differ.
    """
    n = each[..., N].sum(-1)
    return np.asarray(each[..., ABS].sum(-1) / np.where(n > 0, n, np.nan))


def worst_decile(lift: Floats) -> float:
    """Mean lift of the tenth of people who gain least (at least one person)."""
    return float(worst_deciles(lift, np.ones((1, len(lift))))[0])


def worst_deciles(lift: Floats, drawn: Floats) -> Floats:
    """The same of every draw, (draws,)."""
    ascending = np.argsort(lift)[: np.isfinite(lift).sum()]  # NaN sorts last
    often = drawn[:, ascending]
    tenth = np.maximum(1, often.sum(1) // 10)
    taken = np.clip(tenth[:, None] - (np.cumsum(often, axis=1) - often), 0, often)
    count = taken.sum(1)
    return np.asarray(taken @ lift[ascending] / np.where(count > 0, count, np.nan))


def held(inside: Mask, answers: Floats, person: Ints, people: int) -> tuple[Floats, Floats]:
    """How many of each person's answers lie inside their intervals, and how many there are, each (people,)."""
    answered = ~np.isnan(answers)
    hits, count = np.zeros((2, people))
    np.add.at(hits, person, (inside & answered).sum(1))
    np.add.at(count, person, answered.sum(1))
    return hits, count
