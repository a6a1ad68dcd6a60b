"""Guards against evaluations that flatter themselves: what a split alone cannot show.

`protocols.py` refuses rows and views that leak. Here stand the leaks that hide elsewhere: features standardised or
filled with what came later, look-back windows that reach over the border between training and test, and a method that
learned anything from answers of the test stretch (their means, for instance), which only shows when those answers are
changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from models.cohort import Cohort, Floats, Ints, Mask, Modality, filled
from models.errors import LeakageError
from models.history import NONE, After, Grid, by_length
from models.protocols import BY_DAY, GAP_H, Split, day_of_training

HOUR_US = 3_600_000_000
MOVED = 0.37  # of the scale: how far answers that nobody may see are moved
SAME = 1e-6  # of an SD: nearer to a mean lie only numbers that were made of it
ENOUGH = 5  # differing values of a person, from which on their mean tells where they come from
FAR = 50  # days from which on the step of a mean no longer tells how many there are
ROUNDED = 0.006  # how far mean and SD of standardised values lie off when these were stored with two digits
NEARLY_ALL = 0.9  # of the people, if there are several: chance centres somebody, never almost everybody
Method = Callable[[Split], Floats]
"""Fits on a split's training rows and predicts every row, (rows, items)."""


def guard_past(cohort: Cohort) -> None:
    """What a row says of the past is mean, SD and count of the person's earlier moments (or days), nothing more.

    For cohorts with all moments of their people: earlier rows that are left out look like a count that is too high. The
    past of what is measured over days runs over all days, also those without a moment, and cannot be recomputed; from
    one day with moments to the next, what is told must have moved as the day between moved it. What was measured must
    itself hold nothing of the whole period: it was not brought to a common mean, spread or range person by person, and
    no gaps are filled with a mean or median.

    Raises:
        LeakageError: a feature's past mean, SD or count does not follow from earlier rows, or its values were made with
            figures of the whole period.
    """
    starts = (np.diff(cohort.person, prepend=-1) != 0) | (np.diff(cohort.day, prepend=-1) != 0)
    for name, modality in cohort.modalities.items():
        by_day = name in BY_DAY
        (_guard_days if by_day else _guard_moments)(cohort, name, modality)
        rows = starts if by_day else np.ones_like(starts)
        _guard_values(name, modality, cohort.person, rows)
        # Who exports answered moments alone has standardised over these alone.
        if (rows & ~cohort.labelled).any():
            _guard_values(name, modality, cohort.person, rows & cohort.labelled)


def _guard_days(cohort: Cohort, name: str, modality: Modality) -> None:
    later = np.flatnonzero((np.diff(cohort.person) == 0) & (np.diff(cohort.day) > 0)) + 1
    known, n = ~np.isnan(modality.values), modality.past_n
    grown, days = n[later] - n[later - 1], cohort.day[later] - cohort.day[later - 1]
    wrong = (grown < known[later - 1].any(axis=1)) | (grown > days)
    # The day that one more is told of moves each mean towards it, by its share at least.
    one = later[grown == 1]
    was, now, added = modality.past_mean[one - 1], modality.past_mean[one], modality.values[one - 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        least = np.abs(added - was) / (n[one][:, None] + 1)
        still = (now - was) * np.sign(added - was) < least - 1e-6 * (np.abs(was) + np.abs(added))
        # By what share tells of how many days that mean is, and so what SD the day makes of the one before (Welford).
        days_of = np.round((added - was) / (now - was))
        sd, before = modality.past_sd[one], modality.past_sd[one - 1]
        variance = (before**2 * (days_of - 2) + (added - was) * (added - now)) / (days_of - 1)
        allowed = 1e-3 * variance + 1e-6 * (was**2 + added**2) + 1e-12
        other = (days_of > 2) & (days_of <= FAR) & (np.abs(sd**2 - variance) > allowed)
    rows = int(wrong.sum() + (still | other).any(axis=1).sum())
    if rows:
        message = (
            f"{rows} rows of {name} tell of earlier days what does not follow from them: they were "
            "standardised with later ones. Take a person's past from strictly earlier days"
        )
        raise LeakageError(message)


def _guard_values(name: str, modality: Modality, person: Ints, rows: Mask) -> None:
    """No feature is standardised over a whole period, person by person or over all, or has its gaps filled from it."""
    values, whose = modality.values[rows], person[rows]
    if not len(values) or not values.shape[1]:
        return
    told, scaled, stuffed, repeated, by_middle = np.zeros((5, values.shape[1]))
    overall, spread = _mean_and_sd(values)
    for one in np.split(values, np.flatnonzero(np.diff(whose)) + 1):
        ordered, (mean, sd) = np.sort(one, axis=0), _mean_and_sd(one)  # NaN last
        differing, middle = _differing(ordered), _quantile(ordered, 0.5)
        varied = differing >= ENOUGH
        told += varied
        scaled += varied & _standardised(ordered, mean, sd)
        for centre, width in ((mean, sd), (overall, spread)):
            here, others, left = _without(one, centre, width)
            stuffed += (others >= np.maximum(ENOUGH, 0.8 * left)) & (here > 1)
        # A median was measured, so that it alone comes more than once tells nothing of one person; nor does it of
        # anybody where it is the least or the most, such as 0 of what mostly is not there.
        inside = (np.fmin.reduce(one) < middle) & (middle < np.fmax.reduce(one))
        here, others, left = _without(one, np.where(inside, middle, np.nan), sd)
        repeated += varied & (differing < here + left)
        by_middle += (others == left) & (others >= ENOUGH) & (here > 1)
    everybody = (np.abs(overall) <= ROUNDED) & (np.abs(spread - 1) <= SAME)
    leaky = (scaled >= NEARLY_ALL * np.maximum(told, 2)) | (stuffed > 0) | (everybody & (told > 1))
    leaky |= by_middle >= NEARLY_ALL * np.maximum(repeated, 2)
    if leaky.any():
        first = modality.names[int(np.argmax(leaky))]
        message = (
            f"{int(leaky.sum())} features of {name} (the first is {first}) were centred, standardised or filled over "
            "the whole period, of which later moments are a part. Give what was measured, missing where it was not; "
            "people's own past is taken away from it here"
        )
        raise LeakageError(message)


def _without(one: Floats, centre: Floats, width: Floats) -> tuple[Ints, Ints, Ints]:
    """Of each column: how many values are the centre, how many different others there are, and how many others."""
    here = np.abs(one - centre) <= SAME * width
    others = np.sort(np.where(here, np.nan, one), axis=0)
    return here.sum(0), _differing(others), (~np.isnan(others)).sum(0)


def _standardised(ordered: Floats, mean: Floats, sd: Floats) -> Mask:
    """Columns whose mean, spread or range is what standardising makes of one person's values; NaN last in each."""
    n = np.maximum((~np.isnan(ordered)).sum(0), 2)
    of_sample = sd * np.sqrt(n / (n - 1))
    unit = np.minimum(np.abs(sd - 1), np.abs(of_sample - 1))
    z = (np.abs(mean) <= SAME * sd) | (unit <= SAME) | ((np.abs(mean) <= ROUNDED) & (unit <= ROUNDED))
    low, middle, high = (_quantile(ordered, share) for share in (0.25, 0.5, 0.75))
    counted = (filled(ordered) % 1 == 0).all(0)  # whole numbers have whole quartiles
    by_quartiles = ~counted & (np.abs(middle) <= SAME) & (np.abs(high - low - 1) <= SAME)
    # A share has many zeros or ones, a range brought to 0 … 1 has one of each.
    ends = [(np.abs(ordered - end) <= SAME).sum(0) == 1 for end in (0, 1)]
    within = (filled(ordered) >= -SAME).all(0) & (filled(ordered) <= 1 + SAME).all(0)
    return np.asarray(z | by_quartiles | (ends[0] & ends[1] & within))


def _quantile(ordered: Floats, share: float) -> Floats:
    """Of each sorted column, NaN last, between its two nearest values; NaN where nothing is there."""
    count = (~np.isnan(ordered)).sum(0)
    place = share * np.maximum(count - 1, 0)
    below, above = (np.take_along_axis(ordered, f(place).astype(int)[None], 0)[0] for f in (np.floor, np.ceil))
    return np.asarray(below + (above - below) * (place % 1))


def _mean_and_sd(values: Floats) -> tuple[Floats, Floats]:
    """Of each column, without what is missing; an SD of 0 where nothing is there."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(0), 1)
    mean = filled(values).sum(0) / count
    return mean, np.sqrt((np.where(known, values - mean, 0.0) ** 2).sum(0) / count)


def _differing(ordered: Floats) -> Ints:
    """How many different values each sorted column has; missing ones, which are last, do not count."""
    return np.asarray((np.diff(ordered, axis=0) > 0).sum(0) + ~np.isnan(ordered[0]))


def _guard_moments(cohort: Cohort, name: str, modality: Modality) -> None:
    known = ~np.isnan(modality.values)
    before = _before(cohort, known.any(axis=1).astype(float)[:, None])[:, 0]
    beyond = int((modality.past_n > before).sum())
    if beyond:
        message = (
            f"{beyond} rows of {name} claim more earlier moments than there are (past_n): they were standardised with "
            "later ones. Take a person's past from strictly earlier rows"
        )
        raise LeakageError(message)
    values = filled(modality.values)
    total, square, count = (_before(cohort, v) for v in (values, values**2, known.astype(float)))
    size = np.maximum(_before(cohort, np.abs(values)) / np.maximum(count, 1), 1e-9)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    _follows(name, "mean", modality.past_mean, mean, 1e-6 * size + 1e-9)
    # Sums of squares lose digits where values lie far from 0, hence in variances and with more allowance.
    variance = np.where(count > 1, np.maximum(square - count * mean**2, 0) / np.maximum(count - 1, 1), np.nan)
    _follows(name, "SD", modality.past_sd**2, variance, 1e-3 * variance + 1e-9 * square + 1e-12)


def _follows(name: str, what: str, told: Floats, expected: Floats, allowed: Floats) -> None:
    """What is told of the past is what earlier moments give; NaN, nothing told, is always allowed."""
    with np.errstate(invalid="ignore"):
        wrong = ~np.isnan(told) & ~(np.abs(told - expected) <= allowed)
    if wrong.any():
        message = (
            f"{int(wrong.any(axis=1).sum())} rows of {name} hold a past {what} that earlier moments do not give: they "
            "were standardised with later ones. Take a person's past from strictly earlier rows"
        )
        raise LeakageError(message)


def guard_windows(split: Split, hours: float = GAP_H) -> None:
    """No look-back of a test row reaches over the last training row of its person: P1 needs a gap.

    Raises:
        LeakageError: a test row lies closer behind training than `hours` or the cohort's look-back, or holds something
            that was measured over a day of training.
    """
    hours = max(hours, split.cohort.lookback_h)
    border = split.cohort.largest(split.cohort.time_us, split.train, np.iinfo(np.int64).min)[split.cohort.person]
    trained = border > np.iinfo(np.int64).min
    near = split.test & trained & (split.cohort.time_us - np.where(trained, border, 0) < hours * HOUR_US)
    if near.any():
        message = (
            f"{split.name}: {int(near.sum())} test rows lie within {hours:g} h of training rows of their person, so "
            "their look-back windows overlap. Leave a gap"
        )
        raise LeakageError(message)
    reaches = split.test & day_of_training(split.cohort, split.train)
    for name in BY_DAY:
        if name in split.cohort.modalities and not np.isnan(split.cohort.modalities[name].values[reaches]).all():
            message = f"{split.name}: {name} of test rows was measured over a day of training. Mask it"
            raise LeakageError(message)


def guard_method(method: Method, split: Split) -> Floats:
    """Run a method twice, the second time with every answer changed that no test row may see; nothing may move.

    Under P1 those are the gap and the whole test stretch; online, each person's last answers; for unseen people, all
    but the first k. A method that used a mean of the test period, standardised labels over everything or trained on
    test rows is caught.

    Returns:
        The method's predictions.

    Raises:
        LeakageError: a test row's prediction moved.
    """
    hidden = split.cohort.labelled & ~split.train & ~_seen_by_any(split)
    said = method(split)
    span, low = split.cohort.span, split.cohort.low
    # Moved round the scale, not mirrored: a method that read how far answers lie from the middle is caught as well.
    moved_on = low + (split.cohort.answers - low + MOVED * span) % span
    turned = np.where(hidden[:, None], moved_on, split.cohort.answers)
    again = method(replace(split, cohort=replace(split.cohort, answers=turned)))
    moved = split.test & (np.nan_to_num(said) != np.nan_to_num(again)).any(axis=1)
    if moved.any():
        message = (
            f"{split.name}: {int(moved.sum())} predictions move when answers change that they may not see: the method "
            "uses answers of the test period"
        )
        raise LeakageError(message)
    return said


def _seen_by_any(split: Split) -> np.ndarray:
    """Rows that some test row may see: everything of the person up to the last row seen."""
    last = split.cohort.largest(split.seen, split.test, NONE)
    return np.asarray(np.arange(len(split.cohort)) <= last[split.cohort.person])


def _before(cohort: Cohort, values: Floats) -> Floats:
    """Sums over the person's rows before each row, (rows, …), whatever the size of other people's values."""

    def summed(part: Cohort, rows: Ints | slice) -> After:
        grid = Grid.of(part)
        laid = filled(grid.spread(values[rows]))
        return {"sums": grid.gather(np.concatenate([np.zeros_like(laid[:1]), np.cumsum(laid, axis=0)[:-1]]))}

    return by_length(cohort, summed)["sums"]
