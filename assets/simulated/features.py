"""The features that a simulated body and voice would show, drawn straight from the drives.

For benchmarks of models at the size of a whole study, where rendering and measuring signals would take hours. The
slopes and the noise of measuring are those seen when rendered dumps go through the feature extractors; functionals
that carry nothing of the drives are the person's own level plus noise, as most of eGeMAPS is. Names are those of
the feature catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from assets.features.catalogue import MODALITIES
from assets.simulated.affect import Course
from assets.simulated.body import (
    HR_STEP_BPM,
    LOG_MOTION_STEP,
    LOG_RMSSD_STEP,
    LOG_SCR_STEP,
    TEMP_STEP_C,
)
from assets.simulated.loadings import CHANNELS, VOICE, Floats
from assets.simulated.persons import BodyTraits, VoiceTraits, What, stream
from assets.simulated.voice import LEVEL_STEP_DB, LOG_JITTER_STEP, LOG_RATE_STEP, PITCH_STEP_SEMITONES

_LOWEST_HZ = 27.5
# eGeMAPS functionals that lean on a drive besides the plain ones: (channel, correlation) as measured on clips.
_LEANING = {
    "loudness_sma3_percentile20.0": ("rate", 0.8), "loudness_sma3_percentile50.0": ("energy", 0.8),
    "loudness_sma3_percentile80.0": ("energy", 0.95), "loudness_sma3_pctlrange0-2": ("energy", 0.95),
    "loudness_sma3_meanRisingSlope": ("energy", 0.8), "loudness_sma3_meanFallingSlope": ("energy", 0.75),
    "spectralFlux_sma3_amean": ("energy", 0.9), "spectralFluxV_sma3nz_amean": ("energy", 0.9),
    "mfcc1_sma3_amean": ("energy", 0.85), "mfcc2_sma3_amean": ("energy", -0.6),
    "mfcc1_sma3_stddevNorm": ("rate", -0.75), "mfcc1V_sma3nz_stddevNorm": ("rate", 0.8),
    "shimmerLocaldB_sma3nz_amean": ("rate", 0.8), "HNRdBACF_sma3nz_amean": ("pitch", 0.6),
    "F1amplitudeLogRelF0_sma3nz_amean": ("rate", 0.75), "F2amplitudeLogRelF0_sma3nz_amean": ("rate", 0.7),
    "F3amplitudeLogRelF0_sma3nz_amean": ("rate", 0.75), "alphaRatioUV_sma3nz_amean": ("rate", -0.8),
    "hammarbergIndexUV_sma3nz_amean": ("rate", 0.8), "slopeUV500-1500_sma3nz_amean": ("rate", -0.75),
    "slopeV0-500_sma3nz_amean": ("pitch", 0.6), "F0semitoneFrom27.5Hz_sma3nz_percentile20.0": ("pitch", 0.97),
    "F0semitoneFrom27.5Hz_sma3nz_percentile50.0": ("pitch", 0.98),
    "F0semitoneFrom27.5Hz_sma3nz_percentile80.0": ("pitch", 0.97),
}  # fmt: skip


def drawn_features(course: Course, seed: int) -> dict[str, Floats]:
    """Each modality's features at every prompt as if nothing were missing: (n, features) in catalogue order."""
    number = course.person.number
    rngs = (stream(seed, number, What.FEATURES, n) for n in range(len(MODALITIES)))
    drive = {name: course.drive[:, n] for n, name in enumerate(CHANNELS)}
    body, voice = course.person.body, course.person.voice
    found = {
        "hrv": _hrv(next(rngs), drive, body),
        "eda": _eda(next(rngs), drive["body.scr"], body),
        "motion": _motion(next(rngs), drive["body.motion"], body),
        "temperature": _temperature(next(rngs), drive["body.temp"], body),
        "voice": _voice(next(rngs), drive, voice),
    }
    return {m: np.stack([found[m][f.name] for f in features], axis=1) for m, features in MODALITIES.items()}


def _hrv(rng: np.random.Generator, drive: Mapping[str, Floats], body: BodyTraits) -> dict[str, Floats]:
    heart = drive["body.hr"]
    e = rng.standard_normal((len(heart), 8)).T
    rate = np.clip(body.hr_bpm + HR_STEP_BPM * heart + 0.6 * e[0], 44, 150)
    rmssd = np.clip(0.9 * body.rmssd_ms * np.exp(LOG_RMSSD_STEP * drive["body.hrv"] + 0.06 * e[1]) + 4, 8, 140)
    sdnn = 8 + 0.82 * rmssd * np.exp(0.04 * e[2])
    high, low = 0.55 * rmssd**2 * np.exp(0.2 * e[3]), 0.33 * rmssd**2 * np.exp(0.2 * e[4])
    return {
        "hr_bpm": rate,
        "rr_mean_ms": 60_000 / rate,
        "sdnn_ms": sdnn,
        "rmssd_ms": rmssd,
        "pnn50_pct": 100 / (1 + np.exp(-(rmssd - 62) / 14 + 0.15 * e[5])),
        "lf_ms2": low,
        "hf_ms2": high,
        "lf_hf": low / high,
        "sd1_ms": rmssd / np.sqrt(2),
        "sd2_ms": np.sqrt(np.maximum(2 * sdnn**2 - rmssd**2 / 2, 1)),
        "dfa_alpha1": 0.85 + 0.05 * heart + 0.05 * e[6],
        "sampen": 1.75 - 0.09 * heart + 0.05 * e[7],
    }


def _eda(rng: np.random.Generator, scr: Floats, body: BodyTraits) -> dict[str, Floats]:
    e = rng.standard_normal((len(scr), 6)).T
    rate = np.clip(body.scr_per_min * np.exp(LOG_SCR_STEP * scr + 0.07 * e[0]), 0.15, 12)
    tonic = body.tonic_us * np.exp(0.06 * scr + 0.05 * e[1]) + 0.08 * rate
    return {
        "eda_mean_us": tonic + 0.01 * e[2],
        "eda_tonic_us": tonic,
        "eda_tonic_slope_us_per_min": 0.005 * e[3],
        "eda_phasic_sd_us": 0.2 * body.scr_us * np.sqrt(rate / 2.6) * np.exp(0.1 * e[4]),
        "scr_per_min": rate,
        "scr_amplitude_us": 0.85 * body.scr_us * np.exp(0.06 * e[5]),
        "scr_rise_s": 2.6 - 0.04 * scr + 0.05 * e[2],
    }


def _motion(rng: np.random.Generator, motion: Floats, body: BodyTraits) -> dict[str, Floats]:
    e = rng.standard_normal((len(motion), 4)).T
    enmo = 1.05 * body.enmo_mg * np.exp(LOG_MOTION_STEP * motion + 0.22 * e[0])
    return {
        "enmo_mg": enmo,
        "motion_sd_mg": 20 * np.sqrt(enmo) * np.exp(0.08 * e[1]),
        "zero_crossings_per_min": 13.5 + 3.5 * e[2],
        "pim_mg_s": 172 * np.sqrt(enmo) * np.exp(0.2 * e[1]),
        "wrist_angle_deg": 41 + 8 * e[3],
    }


def _temperature(rng: np.random.Generator, temp: Floats, body: BodyTraits) -> dict[str, Floats]:
    e = rng.standard_normal((len(temp), 3)).T
    return {
        "temp_c": body.temp_c + TEMP_STEP_C * temp + 0.06 * e[0],
        "temp_slope_c_per_min": 0.006 * e[1],
        "temp_sd_c": 0.03 * np.exp(0.2 * e[2]),
    }


def _voice(rng: np.random.Generator, drive: Mapping[str, Floats], voice: VoiceTraits) -> dict[str, Floats]:
    pitch, energy, rate, jitter = (drive[f"voice.{c}"] for c in VOICE)
    names = [f.name for f in MODALITIES["voice"]]
    own, e = rng.standard_normal(len(names)), rng.standard_normal((len(pitch), len(names))).T
    found = {name: 10 + 3 * own[n] + e[n] for n, name in enumerate(names)}
    for name, (channel, lean) in _LEANING.items():
        place = names.index(name)
        spread = np.sqrt(1 - lean**2) * e[place]
        found[name] = 10 + 3 * own[place] + lean * drive[f"voice.{channel}"] / 1.4 + spread
    tone = 12 * np.log2(voice.pitch_hz / _LOWEST_HZ)
    level = voice.level_db + LEVEL_STEP_DB * energy
    return found | {
        "F0semitoneFrom27.5Hz_sma3nz_amean": tone + PITCH_STEP_SEMITONES * pitch + 0.35 * e[0],
        "loudness_sma3_amean": 0.4 * 10 ** ((level + 27) / 33) * np.exp(0.06 * e[1]),
        "equivalentSoundLevel_dBp": level + 0.2 * e[2],
        "loudnessPeaksPerSec": 0.85 * voice.syllables_per_s * np.exp(LOG_RATE_STEP * rate + 0.04 * e[3]),
        "jitterLocal_sma3nz_amean": 0.006 + voice.jitter * np.exp(LOG_JITTER_STEP * jitter + 0.25 * e[4]),
    }
