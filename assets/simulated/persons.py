"""Who takes part in the simulated world: every parameter in which people differ, drawn once per person.

Each quantity has its own random stream, `stream(seed, person, what)`, so that a person stays the same when the
study gets more people, more days or other strengths, and coupled and uncoupled studies differ in nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from assets.simulated.loadings import BODY, CHANNELS, COMMON, FACTORS, Floats, ItemWorld

# Body and voice react to affect with a person's own strength and sign: 1 on average, negative in about one of twenty.
_REACTION_SD = 0.6
# Noise of a channel around what affect asks for, in the same unit.
_BODY_NOISE, _VOICE_NOISE = 1.0, 0.9


class What(IntEnum):
    """The random streams of one person."""

    MEANS = 1
    RHYTHM = 2
    REACTION = 3
    BODY = 4
    VOICE = 5
    FAST = 6
    SLOW = 7
    UNIQUE = 8
    NOISE = 9
    PROMPTS = 10
    WEAR = 11
    RENDER_BODY = 12
    RENDER_VOICE = 13
    FEATURES = 14
    LEVEL = 15


def stream(seed: int, person: int, what: What, *more: int) -> np.random.Generator:
    """One of a person's random streams; the same numbers whatever else is drawn."""
    return np.random.default_rng(np.random.SeedSequence([seed, person, int(what), *more]))


@dataclass(frozen=True)
class Strengths:
    """How strongly affect shows: `coupling` scales body and voice together; 0 cuts them from affect."""

    coupling: float = 1.0
    body: float = 1.0
    voice: float = 1.0


AS_DESIGNED = Strengths()


@dataclass(frozen=True)
class BodyTraits:
    """A person's resting body, and how far one unit of drive moves it."""

    hr_bpm: float
    rmssd_ms: float
    scr_per_min: float
    scr_us: float
    tonic_us: float
    temp_c: float
    enmo_mg: float


@dataclass(frozen=True)
class VoiceTraits:
    """A person's ordinary voice."""

    pitch_hz: float
    level_db: float
    syllables_per_s: float
    jitter: float
    tract: float
    """Factor on all formants: shorter vocal tracts lie above 1."""


@dataclass(frozen=True)
class Person:
    """All true parameters of one participant.

    `mean` (items,) and `unique_sd` (items,) are shares of the scale, `loading` (items, factors) too, per unit of
    factor; `reaction` and `noise` (channels,) are the strength with which channels follow their factors, and the SD
    of what else moves them; `rhythm_phase_h` (factors,) is the hour at which each factor peaks.
    """

    number: int
    code: str
    mean: Floats
    loading: Floats
    unique_sd: Floats
    rhythm_phase_h: Floats
    reaction: Floats
    noise: Floats
    body: BodyTraits
    voice: VoiceTraits


def draw_person(world: ItemWorld, number: int, seed: int, strengths: Strengths) -> Person:
    """The person with this number (from 1) in the study of this seed."""
    factors, items = len(FACTORS), len(world.names)
    means, level = stream(seed, number, What.MEANS), stream(seed, number, What.LEVEL)
    trait, own = means.standard_normal(factors), level.standard_normal(items)
    shift = np.sqrt(0.7) * world.direction @ trait + np.sqrt(0.3) * own
    lability = np.exp(0.12 * means.standard_normal())
    within = world.within_sd * lability
    is_body = np.array([c.startswith("body.") for c in CHANNELS])
    strength = strengths.coupling * np.where(is_body, strengths.body, strengths.voice)
    reaction = 1 + _REACTION_SD * stream(seed, number, What.REACTION).standard_normal(len(CHANNELS))
    return Person(
        number=number,
        code=f"P{number:03d}",
        mean=np.clip(world.centre + world.between_sd * shift, 0.06, 0.94),
        loading=np.sqrt(COMMON) * within[:, None] * world.direction,
        unique_sd=np.sqrt(1 - COMMON) * within,
        rhythm_phase_h=(np.array([16.0, 12.0, 10.0]) + stream(seed, number, What.RHYTHM).normal(0, 1.5, factors)) % 24,
        reaction=strength * reaction,
        noise=np.where(is_body, _BODY_NOISE, _VOICE_NOISE),
        body=_body(stream(seed, number, What.BODY)),
        voice=_voice(stream(seed, number, What.VOICE)),
    )


def _body(rng: np.random.Generator) -> BodyTraits:
    draw = rng.standard_normal(len(BODY) + 2)
    return BodyTraits(
        hr_bpm=float(np.clip(74 + 6 * draw[0], 60, 90)),
        rmssd_ms=float(np.clip(44 * np.exp(0.25 * draw[1] - 0.1 * draw[0]), 26, 75)),
        scr_per_min=float(np.clip(2.6 * np.exp(0.25 * draw[2]), 1.5, 4.5)),
        scr_us=float(np.clip(0.25 * np.exp(0.3 * draw[3]), 0.15, 0.6)),
        tonic_us=float(np.clip(2.0 * np.exp(0.5 * draw[4]), 0.7, 6.0)),
        temp_c=float(np.clip(32.5 + 0.6 * draw[5], 31.3, 34.0)),
        enmo_mg=float(np.clip(12 * np.exp(0.25 * draw[6]), 7, 22)),
    )


def _voice(rng: np.random.Generator) -> VoiceTraits:
    high = bool(rng.random() < 0.5)
    draw = rng.standard_normal(4)
    return VoiceTraits(
        pitch_hz=float((200 if high else 115) * np.exp(0.08 * draw[0])),
        level_db=float(-27 + 2 * draw[1]),
        syllables_per_s=float(np.clip(4.2 + 0.4 * draw[2], 3.3, 5.2)),
        jitter=float(0.008 * np.exp(0.2 * draw[3])),
        tract=1.15 if high else 1.0,
    )
