"""How items and body and voice hang on affect: the fixed numbers of the simulated world.

Three independent factors stand behind everything: valence (pleasant–unpleasant), energy and tension. Items load on
them, so that they move together; each body or voice channel is driven by a mix of them. What differs from person to
person is drawn in `persons.py`.

The paper's nine items have loadings of the sign their names ask for. Any other item gets loadings drawn from a hash
of its name: the same item is the same in every simulated study, whatever the seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FACTORS = ("valence", "energy", "tension")
BODY = ("hr", "hrv", "scr", "motion", "temp")
VOICE = ("pitch", "energy", "rate", "jitter")
CHANNELS = (*(f"body.{c}" for c in BODY), *(f"voice.{c}" for c in VOICE))

_ITEMS = {
    "vigorous": (0.4, 0.9, -0.1),
    "gloomy": (-0.9, -0.3, 0.25),
    "concerned": (-0.25, 0.05, 0.9),
    "happy": (0.9, 0.3, -0.2),
    "unpleasant": (-0.8, -0.1, 0.4),
    "anxious": (-0.3, 0.15, 0.9),
    "cheerful": (0.85, 0.4, -0.15),
    "depressed": (-0.8, -0.45, 0.25),
    "worried": (-0.3, 0.05, 0.9),
}
_CHANNELS = {
    "body.hr": (0.0, 0.5, 0.9),
    "body.hrv": (0.6, 0.1, -0.8),
    "body.scr": (-0.3, 0.3, 0.9),
    "body.motion": (0.3, 0.95, 0.0),
    "body.temp": (0.5, 0.0, -0.8),
    "voice.pitch": (0.6, 0.7, 0.3),
    "voice.energy": (0.4, 0.9, 0.0),
    "voice.rate": (0.95, 0.3, 0.0),
    "voice.jitter": (-0.7, 0.0, 0.7),
}
# Share of variance between people, per item: after clipping, drift and finite weeks these design values measure
# as .15–.59 with mean .34 (a test holds them to it).
_BETWEEN = (0.07, 0.56)
_BETWEEN_POWER = 1.35
COMMON = 0.75
"""Share of an item's within-person variance that the factors carry; the rest is the item's own, new each time."""
SPREAD = 0.21
"""SD of answers over everybody, as a share of the scale."""


@dataclass(frozen=True)
class ItemWorld:
    """What is the same for everybody: directions (items, factors) of unit length, centres (items,), SDs (items,).

    Centres and SDs are shares of the scale; `low` and `span` turn them into scale units.
    """

    names: tuple[str, ...]
    low: Floats
    span: Floats
    direction: Floats
    centre: Floats
    between_sd: Floats
    within_sd: Floats


def item_world(scales: dict[str, tuple[float, float]]) -> ItemWorld:
    """The items of a study, each with the ends of its scale (low, high)."""
    names = tuple(scales)
    ends = np.array([scales[n] for n in names], dtype=np.float64)
    direction = _unit([_ITEMS.get(n) or _from_name(n) for n in names])
    between = _between_shares(len(names))
    return ItemWorld(
        names=names,
        low=ends[:, 0],
        span=ends[:, 1] - ends[:, 0],
        direction=direction,
        centre=np.clip(0.48 + direction @ np.array([0.10, 0.05, -0.08]), 0.35, 0.62),
        between_sd=SPREAD * np.sqrt(between),
        within_sd=SPREAD * np.sqrt(1 - between),
    )


def channel_weights() -> Floats:
    """(channels, factors), rows of unit length, in the order of `CHANNELS`."""
    return _unit([_CHANNELS[c] for c in CHANNELS])


def _between_shares(items: int) -> Floats:
    place = np.linspace(0, 1, items) if items > 1 else np.array([0.5])
    low, high = _BETWEEN
    return np.asarray(low + (high - low) * place**_BETWEEN_POWER)


def _from_name(name: str) -> tuple[float, ...]:
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return tuple(np.random.default_rng(seed).standard_normal(len(FACTORS)))


def _unit(rows: Sequence[Sequence[float]]) -> Floats:
    array = np.array(rows, dtype=np.float64).reshape(len(rows), len(FACTORS))
    return np.asarray(array / np.linalg.norm(array, axis=1, keepdims=True))
