"""Controls: what must come out when there is nothing to find.

Answers permuted within each person keep who answers how and lose when: every honest method then falls to the personal
mean, in closed form CCC = 2·ICC/(1 + ICC). A method that stays above it sees what it may not see.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.cohort import Cohort, Floats


def permuted(cohort: Cohort, seed: int = 0) -> Cohort:
    """The cohort with each person's answered rows in random order; which rows are answered stays."""
    random = np.random.default_rng(seed)
    answers, rows = cohort.answers.copy(), np.flatnonzero(cohort.labelled)
    # Sorted by person, then by a random number: each person's rows in a random order, all people at once.
    order = rows[np.lexsort((random.random(len(rows)), cohort.person[rows]))]
    answers[rows] = cohort.answers[order]
    return replace(cohort, answers=answers)


def personal_mean_ccc(icc: Floats) -> Floats:
    """CCC of predicting each person's true mean, where `icc` is the share of variance between people."""
    return np.asarray(2 * icc / (1 + icc))
