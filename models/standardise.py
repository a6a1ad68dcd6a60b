"""Features as deviations from what is usual for the person, from the past only.

The person's own mean and SD over earlier moments come with the cohort; both are shrunk towards the population's,
which are learned on training rows alone, by how many earlier moments the person has. So a new person is compared
with everyone, and each moment moves the comparison to the person. Values stay bounded: artefacts in the wild exceed
any normal range. Choosing features does not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.cohort import Floats, Ints, Mask, Modality

BOUND = 4.0
PRIOR_SD = 4.0  # moments that the population's SD weighs


@dataclass(frozen=True)
class Standard:
    """Population figures of one modality's features, each (features,): mean, variance within and between people."""

    mean: Floats
    within: Floats
    between: Floats


def learn(modality: Modality, rows: Mask, person: Ints) -> Standard:
    """Population figures from the rows in `rows`; `person` (rows,) says whose they are."""
    values = np.where(rows[:, None], modality.values, np.nan)
    people = int(person.max(initial=-1)) + 1
    known = ~np.isnan(values)
    count, total = np.zeros((people, values.shape[1])), np.zeros((people, values.shape[1]))
    np.add.at(count, person, known)
    np.add.at(total, person, np.nan_to_num(values))
    means = total / np.maximum(count, 1)
    n, groups = count.sum(0), (count > 0).sum(0)
    mean = total.sum(0) / np.maximum(n, 1)
    gone = np.where(known, values - means[person], 0.0)
    within = (gone**2).sum(0) / np.maximum(n - groups, 1)
    spread = np.where(count > 0, (means - mean) ** 2, 0.0).sum(0) / np.maximum(groups - 1, 1)
    between = np.maximum(spread - within * groups / np.maximum(n, 1), 0.0)
    tiny = 1e-12 + 1e-6 * mean**2
    return Standard(mean, np.maximum(within, tiny), np.maximum(between, 0.01 * np.maximum(within, tiny)))


def standardised(modality: Modality, standard: Standard) -> tuple[Floats, Mask]:
    """Deviations in personal SDs, bounded, 0 where missing, and which are present; both (rows, features)."""
    present = ~np.isnan(modality.values)
    if not present.any():
        return np.zeros(present.shape), present
    n = modality.past_n[:, None].astype(float)
    past_mean = np.where(np.isnan(modality.past_mean), 0.0, modality.past_mean)
    n_mean = np.where(np.isnan(modality.past_mean), 0.0, n)
    prior = standard.within / standard.between
    usual = (n_mean * past_mean + prior * standard.mean) / (n_mean + prior)
    doubt = standard.within * standard.between / (n_mean * standard.between + standard.within)
    n_sd = np.where(np.isnan(modality.past_sd), 0.0, np.maximum(n - 1, 0.0))
    past_var = np.where(np.isnan(modality.past_sd), 0.0, modality.past_sd**2)
    variance = (n_sd * past_var + PRIOR_SD * standard.within) / (n_sd + PRIOR_SD) + doubt
    z = np.where(present, (modality.values - usual) / np.sqrt(variance), 0.0)
    return np.clip(z, -BOUND, BOUND), present
