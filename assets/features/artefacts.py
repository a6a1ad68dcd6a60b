"""Which RR intervals are artefacts: physiological limits, local deviation, and Lipponen & Tarvainen's classes.

Intervals are judged within contiguous runs of beats and only marked: nothing is moved, inserted or deleted, because
HRV here can leave out what is wrong. The classification equals NeuroKit2's first pass of `signal_fixpeaks`, without
its loop over every beat.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from assets.features.segments import Floats, Ints, Mask

RR_LOW_MS, RR_HIGH_MS = 300.0, 2000.0  # 200 to 30 beats per minute
LOCAL_DEVIATION = 0.2  # from the median of the neighbours
NEIGHBOURS = 11
WIDTH = 91  # beats of the running thresholds
FEWEST_TO_CLASSIFY = 12


def normal(rr_ms: Floats, trusted: Mask) -> Mask:
    """Which intervals are taken as normal-to-normal, (beats,).

    Args:
        rr_ms: the interval each beat ends, NaN after a gap.
        trusted: whether both beats of the interval look like beats.
    """
    plausible = (rr_ms >= RR_LOW_MS) & (rr_ms <= RR_HIGH_MS) & trusted
    index = np.flatnonzero(plausible)
    good = np.zeros(len(rr_ms), dtype=bool)
    if len(index):
        local = running_median(rr_ms[index], NEIGHBOURS)
        good[index] = np.abs(rr_ms[index] - local) <= LOCAL_DEVIATION * local
    good &= ~lipponen_tarvainen(rr_ms / 1e3)
    return good


def runs(rr_ms: Floats) -> Ints:
    """First and last+1 index of each run of intervals without a null, (runs, 2)."""
    known = np.isfinite(rr_ms)
    return np.flatnonzero(np.diff(np.r_[False, known, False].astype(np.int8))).reshape(-1, 2)


def running_median(values: Floats, width: int) -> Floats:
    """Median of the `width` values around each one, fewer at the ends; NaN are left out, (n,)."""
    import pandas as pd

    return np.asarray(pd.Series(values).rolling(width, center=True, min_periods=1).median(), dtype=np.float64)


def lipponen_tarvainen(rr_s: Floats) -> Mask:
    """Intervals touched by an ectopic, long, short, missed or extra beat, (beats,).

    Args:
        rr_s: the interval each beat ends (s), NaN after a gap; each run without a gap is judged by itself.
    """
    marked = np.zeros(len(rr_s), dtype=bool)
    long_runs = [(a, b) for a, b in runs(rr_s).tolist() if b - a >= FEWEST_TO_CLASSIFY]
    for (first, last), found in zip(long_runs, classify([rr_s[a:b] for a, b in long_runs]), strict=True):
        for kind, beats in found.items():
            index = first - 1 + np.array(beats, dtype=np.int64)  # beat 0 of a run is the one that begins it
            marked[index[index >= first]] = True
            if kind != "missed":  # a beat out of place spoils the interval before it and the one after
                marked[index[index + 1 < last] + 1] = True
    return marked


def classify(rr_s: Sequence[Floats]) -> list[dict[str, list[int]]]:
    """Indices of ectopic, missed, extra and long or short beats of each run of beats.

    Args:
        rr_s: each run's successive intervals (s); beat 0 begins the first of them.
    """
    # The running thresholds of all runs are taken in one go: parted by NaN, no window reaches into another run.
    parts = [np.r_[rr.mean(), rr, np.full(WIDTH, np.nan)] for rr in rr_s]
    if not parts:
        return []
    borders = np.cumsum([0, *(len(p) for p in parts)])
    spaces = _subspaces(np.concatenate(parts), borders[:-1])
    return [_classes(*(s[a : b - WIDTH] for s in spaces)) for a, b in pairwise(borders.tolist())]


def _classes(rr_s: Floats, drr: Floats, mrr: Floats, median: Floats, threshold: Floats) -> dict[str, list[int]]:
    """Lipponen & Tarvainen 2019, figure 1, as NeuroKit2 reads it, for one run."""
    s12, s22 = _neighbours(drr)
    found: dict[str, list[int]] = {"ectopic": [], "missed": [], "extra": [], "longshort": []}
    suspects = np.flatnonzero(~(np.abs(drr[:-2]) <= 1)).tolist()
    reached = 0
    for i in suspects:
        if i < reached:
            continue
        reached = i + 1
        if (drr[i] > 1 and s12[i] < -0.13 * drr[i] - 0.17) or (drr[i] < -1 and s12[i] > -0.13 * drr[i] + 0.17):
            found["ectopic"].append(i)
            continue
        if not (abs(drr[i]) > 1 or abs(mrr[i]) > 3):
            continue
        candidates = [i, i + 1] if abs(drr[i + 1]) < abs(drr[i + 2]) else [i]
        reached = i + len(candidates)
        for j in candidates:
            long, short = drr[j] > 1 and s22[j] < -1, drr[j] < -1 and s22[j] > 1
            if long or short or abs(mrr[j]) > 3:
                extra = short and abs(rr_s[j] + rr_s[j + 1] - median[j]) < threshold[j]
                missed = long and abs(rr_s[j] / 2 - median[j]) < threshold[j]
                found["extra" if extra else "missed" if missed else "longshort"].append(j)
    return found


def _subspaces(rr_s: Floats, starts: Ints) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Intervals, their scaled differences and deviations, their medians and thresholds; runs parted by NaN."""
    drr = np.ediff1d(rr_s, to_begin=0)
    for first, last in pairwise([*starts.tolist(), len(rr_s)]):
        drr[first] = drr[first + 1 : last - WIDTH].mean()
    median = running_median(rr_s, NEIGHBOURS)
    mrr = rr_s - median
    mrr[mrr < 0] *= 2
    threshold = _threshold(mrr)
    return rr_s, _scaled(drr, _threshold(drr)), _scaled(mrr, threshold), median, threshold


def _neighbours(drr: Floats) -> tuple[Floats, Floats]:
    """The subspaces S12 and S22: the differences beside each one."""
    padded = np.pad(drr, 2, "reflect")
    before, after, second = padded[1:-3], padded[3:-1], padded[4:]
    s12 = np.where(drr > 0, np.maximum(before, after), np.where(drr < 0, np.minimum(before, after), 0.0))
    s22 = np.where(drr >= 0, np.minimum(after, second), np.where(drr < 0, np.maximum(after, second), 0.0))
    return s12, s22


def _threshold(values: Floats) -> Floats:
    """5.2 quartile deviations of the 91 values around each one."""
    import pandas as pd

    window = pd.Series(np.abs(values)).rolling(WIDTH, center=True, min_periods=1)
    return np.asarray(5.2 * (window.quantile(0.75) - window.quantile(0.25)) / 2, dtype=np.float64)


def _scaled(values: Floats, threshold: Floats) -> Floats:
    return np.asarray(np.divide(values, threshold, out=np.full(len(values), np.nan), where=threshold != 0))
