"""Numbers behind a moment: means over a stretch of windows, and what the past says of a feature.

Arrays in, arrays out; missing is NaN. Every sum runs over exactly the rows it is about, in their order, so a result
does not depend, to the last bit, on anything that comes later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.cohort import Floats, Ints, Mask


@dataclass(frozen=True)
class Stretch:
    """Means of features over stretches of time: `values` (stretches, features), `coverage` (stretches,) 0–1."""

    values: Floats
    coverage: Floats

    @property
    def present(self) -> Mask:
        """Which stretches have any value, (stretches,)."""
        return np.asarray(~np.isnan(self.values).all(axis=1))


@dataclass(frozen=True)
class Past:
    """Mean and SD (n − 1) of strictly earlier rows, (rows, features), and how many had any value, (rows,)."""

    mean: Floats
    sd: Floats
    n: Ints


def numbers(frame: pl.DataFrame, names: tuple[str, ...]) -> Floats:
    """Columns as (rows, names) float64; nulls are NaN."""
    if not names:
        return np.zeros((frame.height, 0))
    return frame.select(pl.col(n).cast(pl.Float64).fill_null(np.nan) for n in names).to_numpy()


def window_means(windows: pl.DataFrame, names: tuple[str, ...], start_us: Ints, end_us: Ints) -> Stretch:
    """Mean of each feature over the windows that lie wholly inside each stretch, weighted by their coverage.

    Args:
        windows: a windowed table (`time_us`, `end_us`, `coverage`, features), any order.
        names: features to average.
        start_us: first moment of each stretch; a window may start at it.
        end_us: last moment of each stretch; a window may end at it.

    Returns:
        The means (NaN where no window has a value) and the share of each stretch that usable windows cover;
        where windows overlap, each counts for what it adds to those before it.
    """
    windows = windows.sort("time_us")
    starts = windows["time_us"].to_numpy()
    # A window that lasts longer than those after it holds them back: what has not ended is never used.
    ends = np.maximum.accumulate(windows["end_us"].to_numpy()) if len(starts) else starts
    coverage = numbers(windows, ("coverage",))[:, 0]
    coverage = np.nan_to_num(coverage, nan=0.0)
    values = numbers(windows, names)
    weights = np.where(np.isnan(values), 0.0, coverage[:, None])
    first, last = np.searchsorted(starts, start_us, "left"), np.searchsorted(ends, end_us, "right")
    total = _sums(weights, first, last)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(total > 0, _sums(np.nan_to_num(values) * weights, first, last) / total, np.nan)
    advance = ends - np.maximum(starts, np.r_[starts[:1], ends[:-1]])
    covered = _sums((coverage * advance)[:, None], first, last)[:, 0]
    return Stretch(means, np.minimum(covered / np.maximum(end_us - start_us, 1), 1.0))


def past(values: Floats) -> Past:
    """What the rows before each row say of every feature.

    Args:
        values: (rows, features) in order of time, NaN where missing.
    """
    there = ~np.isnan(values)
    count = np.cumsum(there, axis=0) - there
    # Centred on the first value, which is past wherever it matters: keeps digits, and nothing later moves it.
    first = values[np.argmax(there, axis=0), np.arange(values.shape[1])] if len(values) else np.zeros(values.shape[1])
    centred = np.where(there, values - first, 0.0)
    total, squares = (np.cumsum(x, axis=0) - x for x in (centred, centred**2))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, first + total / count, np.nan)
        variance = (squares - total**2 / count) / (count - 1)
        sd = np.where(count > 1, np.sqrt(np.maximum(variance, 0.0)), np.nan)
    any_value = there.any(axis=1)
    return Past(mean, sd, np.cumsum(any_value) - any_value)


def _sums(values: Floats, first: Ints, last: Ints) -> Floats:
    """Sum of `values[first:last]` for each pair, (pairs, columns); an empty range sums to 0."""
    padded = np.vstack([values, np.zeros((1, values.shape[1]))])
    bounds = np.stack([first, np.maximum(first, last)], axis=1).ravel()
    if not len(bounds) or not values.shape[1]:
        return np.zeros((len(first), values.shape[1]))
    sums = np.add.reduceat(padded, bounds, axis=0)[::2]
    return np.asarray(np.where((last > first)[:, None], sums, 0.0))
