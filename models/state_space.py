"""A state-space model of a person's answers: the strongest simple baseline.

Each item on its own: answer = a lasting personal level + a slow and a fast Ornstein–Uhlenbeck part (AR(1) in continuous
time) + noise. The level is normal around the population's, so a new person starts at the population mean and each
answer moves them (Kalman filter, all people and items side by side). A single OU part around a fixed level falls
behind an exponentially weighted mean, because levels drift over weeks; the slow part is that drift. The population's
parameters are found in `population.py`. Combining items or sensors does not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.cohort import Cohort, Floats, Ints, filled
from models.history import HOUR_US, After, Grid, by_length, seen_online, select

PARTS = 3  # lasting level, slow drift, fast swing


@dataclass(frozen=True)
class Population:
    """Population parameters: `mean`, `noise_var` (items,); `var`, `rate_h` (1/h; 0 for the level) (items, PARTS)."""

    mean: Floats
    noise_var: Floats
    var: Floats
    rate_h: Floats

    @property
    def moves(self) -> bool:
        """Whether anything drifts or swings."""
        return bool(self.var[:, 1:].any())

    @property
    def within_sd(self) -> Floats:
        """SD of a person's answers around the person's lasting level, (items,)."""
        return np.asarray(np.sqrt(self.var[:, 1:].sum(1) + self.noise_var))


@dataclass(frozen=True)
class Forecast:
    """Before each row, in scale units: expected answer, its SD (rows, items), the parts (rows, items, PARTS)."""

    value: Floats
    sd: Floats
    parts: Floats

    def take(self, rows: Ints) -> Forecast:
        """These rows only."""
        return Forecast(self.value[rows], self.sd[rows], self.parts[rows])


def hours_since(answers: Floats, times: Floats) -> Floats:
    """Hours since the answer before of the same person and item, (places, people, items); 0 where none is given."""
    then = np.roll(_latest(answers, times), 1, axis=0)
    then[:1] = np.nan
    return np.where(np.isnan(answers), 0.0, filled(times[..., None] - then))


def _latest(answers: Floats, times: Floats) -> Floats:
    """Time of each item's last answer up to and with each place, (places, people, items); NaN before the first."""
    given = np.where(np.isnan(answers), -np.inf, times[..., None])
    latest = np.maximum.accumulate(given, axis=0)
    return np.where(np.isinf(latest), np.nan, latest)


@dataclass(frozen=True)
class Filtered:
    """What a person's answers up to and with each row say of them, whoever may see it.

    Shapes: `state` (rows, items, PARTS), its covariance `spread` (…, PARTS, PARTS), and `time_h`, hours of the item's
    last answer, NaN before the first (rows, items).
    """

    state: Floats
    spread: Floats
    time_h: Floats


def filtered(p: Population, cohort: Cohort) -> Filtered:
    """Run the Kalman filter over every row, all people and items side by side."""
    return Filtered(**by_length(cohort, lambda part, _: _filtered(p, part)))


def _filtered(p: Population, cohort: Cohort) -> After:
    grid = Grid.of(cohort)
    laid, times = grid.spread(cohort.answers), grid.spread(cohort.time_us / HOUR_US)
    answered = ~np.isnan(laid)
    # What needs no state is done for all places at once; between answers nothing moves (gap 0). Parts come first, so
    # that each step is one over people and items; the state lies beside its covariance, since both are moved alike.
    decay = np.exp(-hours_since(laid, times)[:, None] * p.rate_h.T[:, None])
    fresh = ((1 - decay**2) * p.var.T[:, None])[:, :, None] * np.eye(PARTS, PARTS + 1)[:, :, None, None]
    kept = decay[:, :, None] * np.concatenate([decay, np.ones_like(decay[:, :1])], axis=1)[:, None]
    gone = np.where(answered, laid - p.mean, 0.0)
    after = np.empty(kept.shape)
    before = np.broadcast_to(np.eye(PARTS, PARTS + 1)[:, :, None, None] * p.var.T[:, None, None], kept.shape[1:])
    # Each step writes into the same few arrays: with few people, making new ones takes longer than the sums.
    moved, reach, share = np.empty(kept.shape[1:]), np.empty(kept.shape[2:]), np.empty(gone.shape[1:])
    mine, state = reach[:PARTS], reach[PARTS]
    gain = np.empty(mine.shape)
    for now, keep, new, off, known in zip(after, kept, fresh, gone, answered.astype(np.float64), strict=True):
        expected = np.multiply(before, keep, out=now)
        expected += new
        np.add.reduce(expected, out=reach)
        state -= off
        np.add.reduce(mine, out=share)
        share += p.noise_var
        np.divide(known, share, out=share)
        np.multiply(mine, share, out=gain)
        np.multiply(gain[:, None], reach, out=moved)
        before = np.subtract(expected, moved, out=now)
    rows = grid.gather(np.moveaxis(after, (1, 2), (-2, -1)))
    latest = grid.gather(_latest(laid, times))
    return {"state": rows[..., PARTS], "spread": rows[..., :PARTS], "time_h": latest}


def forecast(p: Population, cohort: Cohort, seen: Ints | None = None, after: Filtered | None = None) -> Forecast:
    """What the model expects of each row from the answers that the row may see.

    Args:
        p: the population.
        cohort: the moments.
        seen: (rows,) the last row each row may see; by default the row just before.
        after: `filtered(p, cohort)`, where it is at hand.
    """
    seen = seen_online(cohort) if seen is None else seen
    after = filtered(p, cohort) if after is None else after
    then = select(after.time_h, seen)
    fresh = np.isnan(then)
    gap = np.where(fresh, 0.0, cohort.time_us[:, None] / HOUR_US - then)
    decay = np.exp(-np.maximum(gap, 0.0)[..., None] * p.rate_h)
    parts = np.where(fresh[..., None], 0.0, decay * select(after.state, seen))
    spread = np.where(fresh[..., None, None], p.var[..., None] * np.eye(PARTS), select(after.spread, seen))
    variance = np.einsum("rik,rikl,ril->ri", decay, spread, decay) + ((1 - decay**2) * p.var).sum(-1) + p.noise_var
    return Forecast(p.mean + parts.sum(-1), np.sqrt(variance), parts)
