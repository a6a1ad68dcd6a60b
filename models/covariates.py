"""The plain table of features that the linear mixed model and the boosted trees learn from.

Body and voice as deviations from the person's own past with a flag per modality that is there, the clock, and how long
the person has been answering. What earlier answers say is added by whoever wants it. All of it was known at the row's
time, and population figures come from training rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.cohort import Cohort, Floats, Mask
from models.standardise import Standard, learn, standardised

HOUR_US = 3_600_000_000
FEWEST_PRESENT = 20  # moments that a modality needs to be learned from


@dataclass(frozen=True)
class Covariates:
    """Which modalities count, with their population figures."""

    standards: dict[str, Standard]

    @classmethod
    def learned(cls, cohort: Cohort, train: Mask) -> Covariates:
        """From the training rows; a modality that is hardly ever there is left out."""
        rows = train & cohort.labelled
        return cls(
            {
                name: learn(m, rows, cohort.person)
                for name, m in cohort.modalities.items()
                if int((~np.isnan(m.values[rows])).any(axis=1).sum()) >= FEWEST_PRESENT
            }
        )

    def table(self, cohort: Cohort, missing: float = 0.0) -> Floats:
        """(rows, covariates); features that are not there are `missing`."""
        columns = [cohort.clock, _elapsed(cohort)[:, None]]
        for name, standard in self.standards.items():
            z, present = standardised(cohort.modalities[name], standard)
            columns += [np.where(present, z, missing), present.any(1, keepdims=True).astype(float)]
        return np.concatenate(columns, axis=1)


def _elapsed(cohort: Cohort) -> Floats:
    """How long since the person's first moment: log days, 0 at the first."""
    rank, _ = cohort.rank()
    first = cohort.time_us[np.arange(len(cohort)) - rank]
    return np.asarray(np.log1p((cohort.time_us - first) / (24 * HOUR_US)))
