"""Who is trained on, who is tested, and what a test row may see: P1, P2, P2N, P3, with guards against leakage.

| protocol | trained on | tested on | a test row sees |
|---|---|---|---|
| P1 | first 80 % of each person's answers, of which the end for choices | last 20 %, after a gap | the first 80 % |
| P2 | first 80 % | last 20 % | every earlier answer |
| P2N | first 80 % | last 20 % | answers of earlier local days; no body or voice of the moment |
| P3 | other people | a person's answers after the first 28 | the first k answers |

They answer different questions and are never mixed in one figure. A split that would let a prediction see something
of its own time or later raises `LeakageError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from models.cohort import Cohort, Ints, Mask
from models.errors import LeakageError, ModelError
from models.history import NONE, seen_before, seen_nightly, seen_online

TRAIN_SHARE = 0.8
CHOICE_SHARE = 0.25  # of what P1 trains on, the latest, to choose by: 60/20/20 of all answers
GAP_H = 12.0  # between training and test answers in P1, at least: longer than a usual look-back
ANSWERS_SHOWN = (0, 1, 3, 7, 14, 28)
FEWEST_FOLDS = 2
KNOWN_BY_NIGHT = ("yesterday", "daily")  # all else is measured at the moment or over the very day
BY_DAY = (*KNOWN_BY_NIGHT, "today")  # measured over whole days, of which the earliest is the one before the row's


@dataclass(frozen=True)
class Split:
    """One evaluation: masks over the cohort's rows, and the last row that each row sees.

    What a protocol promises besides, for the guards: `frozen`, that no test row sees an answer after training (P1);
    `shown`, that people tested are none of those trained on and show so many answers at most (P3).
    """

    name: str
    cohort: Cohort
    train: Mask
    test: Mask
    seen: Ints
    nightly: bool = False
    frozen: bool = False
    shown: int | None = None


def nightly_view(cohort: Cohort) -> tuple[Cohort, Ints]:
    """The cohort as a nightly batch knows it: answers of earlier days; body and voice of the moment masked."""
    everywhere = np.ones(len(cohort), dtype=np.bool_)
    masked = {name: m if name in KNOWN_BY_NIGHT else m.masked(everywhere) for name, m in cohort.modalities.items()}
    return replace(cohort, modalities=masked), seen_nightly(cohort)


def online(cohort: Cohort, *, nightly: bool = False, train: Mask | None = None) -> Split:
    """P2, or P2N with `nightly`: parameters from the first 80 % of each person's answers, then online.

    Args:
        cohort: the moments.
        nightly: P2N.
        train: the rows that were learnt from, where that was decided on an earlier night. Who came later is not tested:
            estimates of people nothing was learnt of are another protocol's (P3).
    """
    first = _first(cohort, TRAIN_SHARE) if train is None else train
    test = cohort.labelled & ~first & np.isin(cohort.person, cohort.person[first])
    if nightly:
        view, seen = nightly_view(cohort)
        return checked(Split("P2N", view, first, test, seen, nightly=True))
    return checked(Split("P2", cohort, first, test, seen_online(cohort)))


def frozen(cohort: Cohort, gap_h: float = GAP_H) -> Split:
    """P1: 60 % to train, 20 % to choose by (`CHOICE_SHARE`), the last 20 % after a gap, whose answers nobody sees.

    The gap must be as long as the longest look-back; what was measured over a day that training reaches into is masked.
    `guards.guard_windows` holds a split to both.
    """
    known = _first(cohort, TRAIN_SHARE)
    last = cohort.largest(cohort.time_us, known, np.iinfo(np.int64).min)
    after = cohort.time_us > last[cohort.person] + int(gap_h * 3_600_000_000)
    seen, reaches = seen_before(cohort, known, seen_online(cohort)), day_of_training(cohort, known) & ~known
    masked = {name: m.masked(reaches) if name in BY_DAY else m for name, m in cohort.modalities.items()}
    view = replace(cohort, modalities=masked)
    return checked(Split("P1", view, known, cohort.labelled & ~known & after, seen, frozen=True))


def day_of_training(cohort: Cohort, train: Mask) -> Mask:
    """Rows whose day before is no later than their person's last day of training, (rows,)."""
    return np.asarray(cohort.day - 1 <= cohort.largest(cohort.day, train, np.iinfo(np.int64).min)[cohort.person])


def unseen_people(cohort: Cohort, shown: int, folds: int = 5, seed: int = 0) -> Iterator[Split]:
    """P3: folds of people; a test person's first `shown` answers are seen, those after the 28th tested.

    Raises:
        ModelError: there would be nobody to train on, or answers shown would be tested too.
    """
    if folds < FEWEST_FOLDS or not 0 <= shown <= max(ANSWERS_SHOWN):
        message = f"P3 takes {FEWEST_FOLDS} groups of people at least and shows 0 to {max(ANSWERS_SHOWN)} answers"
        raise ModelError(message)
    people = np.random.default_rng(seed).permutation(np.unique(cohort.person))
    order = cohort.answered_before()
    for fold in range(min(folds, len(people))):
        held = np.isin(cohort.person, people[fold::folds])
        visible = ~held | (order < shown)
        seen = seen_before(cohort, visible, seen_online(cohort))
        test = held & cohort.labelled & (order >= max(ANSWERS_SHOWN))
        yield checked(Split(f"P3 k={shown}", cohort, ~held & cohort.labelled, test, seen, shown=shown))


def checked(split: Split) -> Split:
    """Refuse a split in which a prediction could see its own time or later.

    Raises:
        LeakageError: a row is both trained on and tested; a test row comes before a training row of its person; a row
            sees itself, a later row or another person; a nightly row sees its own day or a body of the moment; a test
            row of P1 sees an answer after training; a person of P3 was trained on or shows too many answers.
    """
    guard_rows(split)
    guard_seen(split.cohort, split.seen)
    guard_promises(split)
    if split.nightly:
        guard_nightly(split.cohort, split.seen)
    return split


def guard_rows(split: Split) -> None:
    """Training and test rows are apart, and within a person training comes first."""
    if (split.train & split.test).any():
        message = f"{split.name}: {int((split.train & split.test).sum())} rows are both trained on and tested"
        raise LeakageError(message)
    early = split.test & (np.arange(len(split.cohort)) < _last_trained(split))
    if early.any():
        message = (
            f"{split.name}: {int(early.sum())} test rows lie before training rows of the same person; "
            "split each person's answers by time, never at random"
        )
        raise LeakageError(message)


def guard_seen(cohort: Cohort, seen: Ints) -> None:
    """A row sees earlier rows of its own person only."""
    rows = np.flatnonzero(seen != NONE)
    if (seen[rows] >= rows).any():
        message = "a row sees its own answer or a later one"
        raise LeakageError(message)
    if (cohort.person[seen[rows]] != cohort.person[rows]).any():
        message = "a row sees another person's answers"
        raise LeakageError(message)
    if (cohort.time_us[seen[rows]] >= cohort.time_us[rows]).any():
        message = "a row sees an answer of its own time or later; sort the rows of each person by time"
        raise LeakageError(message)


def guard_promises(split: Split) -> None:
    """What P1 and P3 promise of answers that test rows see."""
    cohort, rows = split.cohort, np.flatnonzero(split.test & (split.seen != NONE))
    late = int((split.seen > _last_trained(split))[rows].sum())
    if split.frozen and late:
        message = f"{split.name}: {late} test rows see answers of the test stretch; show them those of training only"
        raise LeakageError(message)
    if split.shown is None:
        return
    both = np.intersect1d(cohort.person[split.train], cohort.person[split.test])
    if len(both):
        message = f"{split.name}: {len(both)} people are both trained on and tested; test people never trained on"
        raise LeakageError(message)
    answers = (cohort.answered_before() + cohort.labelled)[split.seen[rows]]
    if (answers > split.shown).any():
        message = f"{split.name}: test rows see {int(answers.max())} answers of their person instead of {split.shown}"
        raise LeakageError(message)


def guard_nightly(cohort: Cohort, seen: Ints) -> None:
    """A nightly row sees nothing of its own local day."""
    rows = np.flatnonzero(seen != NONE)
    if (cohort.day[seen[rows]] >= cohort.day[rows]).any():
        message = "a nightly prediction sees an answer of its own day"
        raise LeakageError(message)
    for name, modality in cohort.modalities.items():
        if name not in KNOWN_BY_NIGHT and not np.isnan(modality.values).all():
            message = f"a nightly prediction sees {name} of the moment it is asked about"
            raise LeakageError(message)


def _last_trained(split: Split) -> Ints:
    """The last training row of each row's person, (rows,); NONE where there is none."""
    cohort = split.cohort
    return cohort.largest(np.arange(len(cohort)), split.train, NONE)[cohort.person]


def _first(cohort: Cohort, share: float) -> Mask:
    """The first share of each person's answered rows (rounded)."""
    answered = np.zeros(len(cohort.participants), dtype=np.int64)
    np.add.at(answered, cohort.person, cohort.labelled)
    return np.asarray(cohort.labelled & (cohort.answered_before() < np.round(share * answered)[cohort.person]))
