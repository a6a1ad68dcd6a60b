"""Whether days from some day on differ from people's own past, and how sure that is.

A person's day becomes a distance from the median of their own days before the supposed change, in their own day-to-day
SDs; the mean of these over people is one number a night. The change is tested against the variance that it would have
without any change, from two sources: people's own days, and what whole nights have in common (so that a heat wave or
an exam week counts as noise), both widened for days that resemble the day before. The limit shares one false-alarm
rate among all features, days and groups tried. Tests measure both. Arrays only; who is compared belongs to `drift.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assets.monitoring.panel import PAST_DAYS, middle, own_sd
from models.cohort import Floats, Mask

FEWEST_DAYS = 7  # of a person's own past, and of the study's nights, before anything is compared
FEWEST_PEOPLE = 4
LEAST_SHIFT = 0.5  # own SDs: smaller changes are not worth a look however certain
LEAST_AGREEING = 2 / 3
ALPHA = 0.005  # a night's chance of any false alarm, at most
CLIP = 6.0  # own SDs: one bad day of one person moves the mean by no more than this, and five people tell a jump in one


@dataclass(frozen=True)
class Found:
    """The change that fits best, per feature: arrays (features,); `at` indexes the panel's days."""

    at: NDArray[np.int64]
    shift: Floats
    score: Floats
    limit: Floats
    people: NDArray[np.int64]
    agreeing: Floats

    @property
    def drifted(self) -> Mask:
        """Which features count as drifted."""
        large = (np.abs(self.score) > self.limit) & (np.abs(self.shift) >= LEAST_SHIFT)
        return np.asarray(large & (self.agreeing >= LEAST_AGREEING) & (self.people >= FEWEST_PEOPLE))


def scan(values: Floats, starts: Sequence[int], groups: int = 1) -> Found:
    """The day among `starts` from which on each feature differs most from people's own past.

    Args:
        values: (people, days, features).
        starts: candidate first days of a change, as indices of days.
        groups: how many such scans share the false-alarm rate.
    """
    features = values.shape[2]
    best = _nothing(features)
    tests = max(1, features * len(starts) * groups)
    for start in starts:
        best = _better(_compare(values, start, tests), best)
    return best


def _nothing(features: int) -> Found:
    none, no_people = np.zeros(features), np.zeros(features, dtype=np.int64)
    return Found(no_people, none, none, np.full(features, np.inf), no_people, none)


def _better(new: Found, old: Found) -> Found:
    """Per feature the one whose score goes further towards its limit, or beyond."""

    def pick(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
        return np.where(np.abs(new.score) / new.limit > np.abs(old.score) / old.limit, one, other)

    return Found(
        pick(new.at, old.at),
        pick(new.shift, old.shift),
        pick(new.score, old.score),
        pick(new.limit, old.limit),
        pick(new.people, old.people),
        pick(new.agreeing, old.agreeing),
    )


def _compare(values: Floats, start: int, tests: int) -> Found:
    """Days from `start` on against people's own past before it, per feature."""
    from scipy.stats import t

    past = values[:, max(0, start - PAST_DAYS) : start]
    centre, spread = middle(past), own_sd(past)
    known = (~np.isnan(past)).sum(1)
    centre = np.where(known >= FEWEST_DAYS, centre, np.nan)
    before = np.clip((past - centre[:, None]) / spread[:, None], -CLIP, CLIP)
    after = np.clip((values[:, start:] - centre[:, None]) / spread[:, None], -CLIP, CLIP)
    given = (~np.isnan(after)).sum(1)
    total = np.maximum(given.sum(0), 1)
    shift = np.nansum(after, axis=(0, 1)) / total - np.nansum(before, axis=(0, 1)) / np.maximum(
        (~np.isnan(before)).sum((0, 1)), 1
    )
    variance, freedom = _uncertainty(before, after, known)
    own = np.nansum(after, axis=1) / np.maximum(given, 1)
    people = (given > 0).sum(0)
    agreeing = ((np.sign(own) == np.sign(shift)) & (given > 0)).sum(0) / np.maximum(people, 1)
    enough = (people >= FEWEST_PEOPLE) & ((~np.isnan(before)).any(0).sum(0) >= FEWEST_DAYS)
    score = np.where(enough, shift / np.sqrt(variance), 0.0)
    limit = np.asarray(t.isf(ALPHA / 2 / tests, np.maximum(freedom, 2.0)))
    return Found(np.full(len(shift), start), shift, score, limit, np.where(enough, people, 0), agreeing)


def _mean(z: Floats) -> Floats:
    """Mean over people and days, per feature; 0 without any."""
    return np.asarray(np.nansum(z, axis=(0, 1)) / np.maximum((~np.isnan(z)).sum((0, 1)), 1))


def _uncertainty(before: Floats, after: Floats, known: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Variance of the mean shift under no change, and its degrees of freedom, per feature.

    Two sources: people's own days (variance `person`), and what whole nights have in common (`night`, by the method of
    moments, plus one standard error since a short past says little of it). Both are carried on by the resemblance of
    neighbouring days. The error of a person's median, π/2n, is part of every later day of that person.
    """
    n_before, n_after = (~np.isnan(before)).sum(0), (~np.isnan(after)).sum(0)
    nights = np.maximum((n_before > 0).sum(0), 2)
    total, later = np.maximum(n_before.sum(0), 2), np.maximum(n_after.sum(0), 1)
    nightly = np.nansum(before, axis=0) / np.maximum(n_before, 1)
    person = np.maximum(np.nansum((before - nightly) ** 2, axis=(0, 1)) / np.maximum(total - nights, 1), 1.0)
    mean = np.nansum(before, axis=(0, 1)) / total
    between = (n_before * (nightly - mean) ** 2).sum(0) / (nights - 1)
    size = (total - (n_before**2).sum(0) / total) / (nights - 1)
    night = np.maximum((between - person) / np.maximum(size, 1.0), 0.0)
    night = night + (person / np.maximum(size, 1.0) + night) * np.sqrt(2 / (nights - 1))
    rho = np.maximum(_resemblance(before), _resemblance(np.where(n_before > 0, nightly, np.nan)[None]))
    short, long = _stretch(rho, (n_after > 0).sum(0)), _stretch(rho, nights)
    given = (~np.isnan(after)).sum(1)
    medians = (np.pi / 2 / np.maximum(known, 1) * given**2).sum(0) / later**2
    of_nights = night * (short * (n_after**2).sum(0) / later**2 + long / nights)
    of_people = person * (short / later + long * medians)
    variance = of_nights + of_people
    return variance, variance**2 / (of_nights**2 / (nights - 1) + of_people**2 / total)


def _resemblance(values: Floats) -> Floats:
    """Correlation of neighbouring days over all people, (people, days, features) → (features,), within 0 and 0.9."""
    one, two = values[:, :-1], values[:, 1:]
    both = ~np.isnan(one) & ~np.isnan(two)
    cross = np.where(both, one * two, 0.0).sum((0, 1))
    power = np.where(both, (one**2 + two**2) / 2, 0.0).sum((0, 1))
    return np.asarray(np.clip(cross / np.maximum(power, 1e-12), 0.0, 0.9))


def _stretch(rho: Floats, days: NDArray[np.int64]) -> Floats:
    """How much larger the variance of a mean of that many days is than without resemblance (AR(1))."""
    n = np.maximum(days, 1)
    return np.asarray((1 + rho) / (1 - rho) - 2 * rho * (1 - rho**n) / (n * (1 - rho) ** 2))
