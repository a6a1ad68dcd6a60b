"""Whether the band is on the wrist, minute by minute, from movement, temperature, skin conductance and pulse.

Published rules, the strongest evidence first:

1. a pulse that fills half the minute with valid intervals: worn;
2. skin temperature and movement together (Zhou et al. 2015, BMJ Open 5:e007447): worn from 26 °C on; below, not worn
   where at least two axes have an SD under 13 mg or the temperature falls, worn where it moves and warms;
3. where no temperature is measured, movement alone (van Hees et al. 2013, PLoS ONE 8:e61691): an hour in which at
   least two axes keep an SD under 13 mg in every minute and a range under 50 mg is not worn, all else is;
4. such an hour is not worn in a warm place either, where skin conductance stays below 0.05 µS (Kleckner et al. 2018).

Without movement and temperature nobody can tell, and nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assets.features.segments import Floats, Mask

SKIN_C = 26.0
STILL_G, RANGE_G = 0.013, 0.050
DRY_US = 0.05
BLOCK = 60  # minutes
PULSE = 0.5


@dataclass(frozen=True)
class Skin:
    """What else tells of wear, per minute: temperature (°C), skin conductance (µS), share filled by valid beats."""

    temp_c: Floats
    eda_us: Floats
    beats: Floats


def worn_minutes(spread_g: Floats, low_g: Floats, high_g: Floats, skin: Skin) -> Floats:
    """1 worn, 0 not worn, NaN where nobody can tell, (minutes,).

    Args:
        spread_g: each axis' SD in each minute, (3, minutes).
        low_g: its lowest value, (3, minutes).
        high_g: its highest value, (3, minutes).
        skin: what else is known of each minute.
    """
    moved, warm = np.isfinite(spread_g).all(axis=0), np.isfinite(skin.temp_c)
    hour = motionless_hour(spread_g, low_g, high_g)
    still = moved & (np.sum(spread_g < STILL_G, axis=0) >= 2)
    before = np.r_[np.nan, skin.temp_c[:-1]]
    falling = skin.temp_c < before
    by_heat = (skin.temp_c >= SKIN_C) | (moved & ~still & ~falling)
    dry = hour & _all_hour(np.where(np.isfinite(skin.eda_us), skin.eda_us, np.inf) < DRY_US)
    worn = np.where(warm, by_heat & ~dry, ~hour).astype(np.float64)
    worn[~moved & ~warm] = np.nan
    worn[skin.beats >= PULSE] = 1.0
    return worn


def motionless_hour(spread_g: Floats, low_g: Floats, high_g: Floats) -> Mask:
    """Minutes that lie in an hour without any movement (van Hees et al. 2013), (minutes,)."""
    quiet = np.zeros(spread_g.shape[1], dtype=np.int64)
    if spread_g.shape[1] >= BLOCK:
        window = np.lib.stride_tricks.sliding_window_view
        for spread, low, high in zip(spread_g, low_g, high_g, strict=True):
            ends = window(high, BLOCK).max(axis=1) - window(low, BLOCK).min(axis=1)
            calm = window(spread < STILL_G, BLOCK).all(axis=1) & (ends < RANGE_G)
            quiet[: len(quiet) - BLOCK + 1] += calm
    return _spread_out(quiet >= 2)


def _all_hour(mask: Mask) -> Mask:
    """Minutes that lie in an hour of which every minute is true."""
    starts = np.zeros(len(mask), dtype=bool)
    if len(mask) >= BLOCK:
        starts[: len(mask) - BLOCK + 1] = np.lib.stride_tricks.sliding_window_view(mask, BLOCK).all(axis=1)
    return _spread_out(starts)


def _spread_out(starts: Mask) -> Mask:
    """The minutes of all hours that begin where `starts` is true."""
    marks = np.cumsum(np.r_[starts.astype(np.int64), np.zeros(BLOCK, dtype=np.int64)])
    before = np.r_[np.zeros(BLOCK, dtype=np.int64), marks[:-BLOCK]]
    return np.asarray((marks - before)[: len(starts)] > 0)
