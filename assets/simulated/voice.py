"""A voice that carries affect: a source–filter synthesis of a few seconds of syllables.

A train of glottal pulses (pitch contour, jitter) and breath noise goes through four formant resonators (Klatt
1980, J Acoust Soc Am 67:971) that move from vowel to vowel. Pitch, level, syllable rate and jitter follow the
drives; everything else is the person's own or chance. The clip is mono 16 kHz 16-bit WAV.
"""

from __future__ import annotations

import io
import wave

import numpy as np

from assets.simulated.loadings import Floats
from assets.simulated.persons import VoiceTraits

RATE_HZ = 16_000
PITCH_STEP_SEMITONES, LEVEL_STEP_DB, LOG_RATE_STEP, LOG_JITTER_STEP = 1.3, 2.5, 0.13, 0.35
"""How far one unit of drive moves a voice."""
_VOWELS = np.array([
    [730, 1090, 2440, 3400], [530, 1840, 2480, 3500], [270, 2290, 3010, 3700], [570, 840, 2410, 3300],
    [300, 870, 2240, 3300], [490, 1350, 1690, 3300], [640, 1190, 2390, 3400],
])  # fmt: skip
"""Formants in Hz (Peterson and Barney 1952, men)."""
_BANDWIDTHS = np.array([80.0, 100.0, 140.0, 250.0])
_VOICED_SHARE = 0.72
_PAUSE_S = 0.15
_CEILING = 0.9


def speak(rng: np.random.Generator, drive: Floats, traits: VoiceTraits) -> Floats:
    """One clip.

    Args:
        rng: the clip's own random stream.
        drive: pitch, energy, rate and jitter, (4,).
        traits: the person's ordinary voice.

    Returns:
        Samples (n,) at 16 kHz within ±0.9, 2.5 to 4.5 seconds.
    """
    pitch, level, rate, jitter = (float(d) for d in np.clip(drive, -4, 4))
    speed = traits.syllables_per_s * np.exp(LOG_RATE_STEP * rate)
    syllables = int(np.clip(round(3.2 * speed + rng.normal(0, 1)), 8, 24))
    lengths = (np.exp(0.12 * rng.standard_normal(syllables)) / speed * RATE_HZ).astype(np.int64)
    points = int(lengths.sum())
    fundamental = traits.pitch_hz * 2 ** (PITCH_STEP_SEMITONES * pitch / 12) * _contour(rng, lengths)
    source = _pulses(rng, fundamental, traits.jitter * np.exp(LOG_JITTER_STEP * jitter))
    source += 0.015 * rng.standard_normal(points)
    sound = _through_formants(rng, source * _gate(lengths), lengths, traits.tract)
    wanted = 10 ** ((traits.level_db + LEVEL_STEP_DB * level) / 20)
    sound *= wanted / np.sqrt(np.mean(sound**2))
    quiet = np.zeros(int(_PAUSE_S * RATE_HZ))
    clip = np.r_[quiet, sound, quiet] + 0.0004 * rng.standard_normal(points + 2 * len(quiet))
    return np.asarray(_CEILING * np.tanh(clip / _CEILING))


def wav(samples: Floats) -> bytes:
    """The clip as a RIFF WAV file, 16-bit mono."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.round(samples * 32767).astype("<i2").tobytes())
    return target.getvalue()


def _contour(rng: np.random.Generator, lengths: np.ndarray) -> Floats:
    """Factor on the pitch: falling over the phrase, an accent on each syllable."""
    ends = np.cumsum(lengths)
    accents = 1 + 0.05 * rng.standard_normal(len(lengths))
    middles = ends - lengths / 2
    time = np.arange(int(ends[-1]))
    return np.asarray(np.interp(time, middles, accents) * (1.06 - 0.12 * time / ends[-1]))


def _pulses(rng: np.random.Generator, fundamental: Floats, jitter: float) -> Floats:
    """Glottal flow derivative: pulses one period apart, each period moved by `jitter` (share), then smoothed."""
    from scipy.signal import lfilter

    points = len(fundamental)
    phase = np.cumsum(fundamental / RATE_HZ)
    count = int(phase[-1])
    at = np.interp(np.arange(1, count + 1), phase, np.arange(points))
    # jitterLocal is the mean |difference of successive periods|: 1.69 times the SD by which single pulses move.
    at = at + jitter / 1.69 * rng.standard_normal(count) * RATE_HZ / fundamental[at.astype(np.int64)]
    at = np.clip(at, 0, points - 2)
    whole, share = at.astype(np.int64), at % 1
    train = np.zeros(points)
    size = np.exp(0.03 * rng.standard_normal(count))
    np.add.at(train, whole, (1 - share) * size)
    np.add.at(train, whole + 1, share * size)
    pole = np.exp(-2 * np.pi * 180 / RATE_HZ)
    return np.asarray(lfilter([1, -1], [1, -2 * pole, pole**2], train))


def _gate(lengths: np.ndarray) -> Floats:
    """Each syllable swells and fades; between two lies a short closure."""
    parts = []
    for length in lengths:
        voiced = int(_VOICED_SHARE * length)
        parts.append(np.r_[np.sin(np.pi * (np.arange(voiced) + 0.5) / voiced) ** 0.4, np.zeros(length - voiced)])
    return np.concatenate(parts)


def _through_formants(rng: np.random.Generator, source: Floats, lengths: np.ndarray, tract: float) -> Floats:
    """Four resonators in a row, new formants with each syllable, states carried over."""
    from scipy.signal import lfilter

    ends = np.cumsum(lengths)
    sound = source
    vowels = _VOWELS[rng.integers(len(_VOWELS), size=len(lengths))] * tract
    for n in range(vowels.shape[1]):
        state, parts = np.zeros(2), []
        radius = np.exp(-np.pi * _BANDWIDTHS[n] / RATE_HZ)
        for start, end, formant in zip(ends - lengths, ends, vowels[:, n], strict=True):
            poles = [1.0, -2 * radius * np.cos(2 * np.pi * formant / RATE_HZ), radius**2]
            part, state = lfilter([sum(poles)], poles, sound[start:end], zi=state)
            parts.append(part)
        sound = np.concatenate(parts)
    return sound
