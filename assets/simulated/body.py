"""A wristband's signals while it is worn: beats, pulse, skin conductance, movement, temperature.

A session's drives move slowly from prompt to prompt: the hour before a prompt is in that prompt's state. Heart
rate, vagal variability, the rate of skin-conductance responses, movement and temperature follow them; movement
spoils pulse and skin conductance for its length. Signals are as the sensor would give them, before the vendor's
rounding and files, which are in `e4.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assets.days import SECOND_US
from assets.simulated.affect import Course
from assets.simulated.loadings import BODY, Floats
from assets.simulated.persons import BodyTraits
from assets.simulated.shapes import EDA_HZ, PULSE_POINTS, Shapes
from assets.simulated.wear import LOOKBACK_S, Session

GRID_HZ, BVP_HZ, ACC_HZ, TEMP_HZ = 4, 64, 32, 4
HR_STEP_BPM, LOG_RMSSD_STEP, LOG_SCR_STEP, LOG_MOTION_STEP, TEMP_STEP_C = 5.0, 0.28, 0.35, 0.38, 0.45
"""How far one unit of drive moves a body."""
_NIGHT_DRIVES = np.array([-2.2, 1.0, -2.0, -3.0, 1.0])
_BOUT_S, _BOUTS_PER_H = 9.0, 24.0
_BOUT_SHARE = _BOUT_S * _BOUTS_PER_H / 3600


@dataclass(frozen=True)
class Recording:
    """A session's signals.

    `beats_s` (beats,) and whether the device accepts each, `clean`; `bvp` at 64 Hz, `eda` at 4 Hz (µS), `acc` at
    32 Hz ((n, 3), g), `temp` at 4 Hz (°C), `hr_bpm` at 4 Hz.
    """

    beats_s: Floats
    clean: np.ndarray
    bvp: Floats
    eda: Floats
    acc: Floats
    temp: Floats
    hr_bpm: Floats


def record(rng: np.random.Generator, course_drive: Floats, traits: BodyTraits, shapes: Shapes) -> Recording:
    """Render a session.

    Args:
        rng: the session's own random stream.
        course_drive: drives on a 4 Hz grid over the session, (points, body channels), as `session_drives` gives.
        traits: the person's resting body.
        shapes: of a pulse and a skin-conductance response.
    """
    seconds = len(course_drive) // GRID_HZ
    hr, hrv, scr, motion, temp = course_drive.T
    rhythm = np.clip(traits.hr_bpm + HR_STEP_BPM * hr + 1.5 * _wander(rng, len(hr), 60), 44, 150)
    rmssd_s = np.clip(traits.rmssd_ms * np.exp(LOG_RMSSD_STEP * hrv), 8, 130) / 1000
    beats = _beats(rng, rhythm, rmssd_s)
    bouts, strength = _bouts(rng, seconds, traits.enmo_mg * np.exp(LOG_MOTION_STEP * motion))
    return Recording(
        beats_s=beats,
        clean=_clean(rng, beats, bouts, seconds),
        bvp=_bvp(rng, beats, bouts, seconds, shapes.pulse),
        eda=_eda(rng, scr, traits, bouts, shapes.response),
        acc=_acc(rng, bouts, strength, seconds),
        temp=traits.temp_c + TEMP_STEP_C * temp + 0.15 * _wander(rng, len(temp), 600),
        hr_bpm=rhythm,
    )


def session_drives(course: Course, session: Session) -> Floats:
    """Body drives over a session on a 4 Hz grid, (points, body channels)."""
    grid = np.arange((session.end_s - session.start_s) * GRID_HZ) / GRID_HZ
    if session.night:
        return np.tile(_NIGHT_DRIVES, (len(grid), 1))
    at = [float(course.time_us[i] // SECOND_US - session.start_s) for i in session.prompts]
    knots, values = [], []
    for n, (time, i) in enumerate(zip(at, session.prompts, strict=True)):
        begin = time - LOOKBACK_S if n == 0 else max(time - LOOKBACK_S, at[n - 1] + 120)
        knots += [min(begin, time - 60), time]
        values += [course.drive[i, : len(BODY)]] * 2
    return np.stack([np.interp(grid, knots, [v[c] for v in values]) for c in range(len(BODY))], axis=1)


def _wander(rng: np.random.Generator, points: int, seconds: float, rate_hz: float = GRID_HZ) -> Floats:
    """Slow noise of unit variance: knots every `seconds`, joined smoothly."""
    step = seconds * rate_hz
    knots = rng.standard_normal(int(points / step) + 4)
    place = np.arange(points) / step
    left, share = place.astype(np.int64), place % 1
    weight = np.pi / 2 * share
    return np.asarray(np.cos(weight) * knots[left] + np.sin(weight) * knots[left + 1])


def _band(rng: np.random.Generator, points: int, low_hz: float, high_hz: float) -> Floats:
    """Noise of unit variance between two frequencies on the 4 Hz grid."""
    size = 1 << (points - 1).bit_length()
    frequency = np.fft.rfftfreq(size, 1 / GRID_HZ)
    spectrum = np.fft.rfft(rng.standard_normal(size)) * ((frequency >= low_hz) & (frequency <= high_hz))
    noise = np.fft.irfft(spectrum, size)[:points]
    return np.asarray(noise / noise.std())


def _beats(rng: np.random.Generator, hr_bpm: Floats, rmssd_s: Floats) -> Floats:
    """Beat times (s): integral pulse frequency modulation of the rate by breathing (HF) and pressure (LF) waves.

    Successive differences of a wave of frequency f and SD a over a mean interval r have RMS 2a·sin(πfr), 1.2a at
    0.25 Hz and 75 bpm.
    """
    points = len(hr_bpm)
    high, low = _band(rng, points, 0.20, 0.32), _band(rng, points, 0.06, 0.13)
    interval = 60 / hr_bpm + rmssd_s / 1.25 * (high + 0.6 * low)
    phase = np.r_[0.0, np.cumsum(1 / np.clip(interval, 0.33, 1.8) / GRID_HZ)]
    return np.interp(np.arange(1, int(phase[-1]) + 1), phase, np.arange(points + 1) / GRID_HZ)


def _bouts(rng: np.random.Generator, seconds: int, enmo_mg: Floats) -> tuple[Floats, Floats]:
    """Bouts of movement: (bouts, 2) start and end in s, and the SD in g that gives the ENMO wanted around each."""
    quiet = rng.exponential(3600 / _BOUTS_PER_H - _BOUT_S, int(seconds / 40) + 8)
    length = _BOUT_S * (0.5 + rng.random(len(quiet)))
    start = np.cumsum(quiet) + np.r_[0.0, np.cumsum(length)[:-1]]
    kept = start < seconds - 2
    bouts = np.stack([start, np.minimum(start + length, seconds)], axis=1)[kept]
    wanted = enmo_mg[(bouts[:, 0] * GRID_HZ).astype(np.int64)] / 1000
    # ENMO of noise of SD s (g, per axis, around 1 g) is about 0.4 s + 0.7 s² while it lasts; solved for s.
    strength = (np.sqrt(0.16 + 2.8 * wanted / _BOUT_SHARE) - 0.4) / 1.4
    return bouts, np.clip(strength * np.exp(0.1 * rng.standard_normal(len(bouts))), 0.02, 1.2)


def _mask(bouts: Floats, points: int, rate_hz: float, values: Floats | None = None) -> Floats:
    """`values` (or 1) inside bouts, 0 outside, on a grid of `rate_hz`."""
    out = np.zeros(points)
    for n, (a, b) in enumerate(bouts * rate_hz):
        out[int(a) : int(b)] = 1.0 if values is None else values[n]
    return out


def _clean(rng: np.random.Generator, beats: Floats, bouts: Floats, seconds: int) -> np.ndarray:
    """Beats that the device's own detection accepts: none in or just after movement, some runs lost without cause."""
    edges = np.r_[0.0, np.cumsum(rng.exponential(np.tile([40.0, 25.0], seconds // 60 + 4)))]
    accepted = (np.searchsorted(edges, beats, "right") % 2 == 1) & (beats > 12)
    moving = np.searchsorted(bouts[:, 0] - 1, beats, "right") - 1
    if len(bouts):
        accepted &= ~((moving >= 0) & (beats < bouts[np.maximum(moving, 0), 1] + 2))
    return np.asarray(accepted)


def _bvp(rng: np.random.Generator, beats: Floats, bouts: Floats, seconds: int, pulse: Floats) -> Floats:
    points = seconds * BVP_HZ
    time = np.arange(points) / BVP_HZ
    phase = np.interp(time, np.r_[beats[0] - 1, beats, beats[-1] + 1], np.arange(-1, len(beats) + 1))
    size = np.repeat(55 * np.exp(0.2 * _wander(rng, seconds * GRID_HZ, 20)), BVP_HZ // GRID_HZ)
    signal = size * pulse[(np.mod(phase, 1) * PULSE_POINTS).astype(np.int64)]
    signal += rng.standard_normal(points, dtype=np.float32) * np.float32(1.5)
    for a, b in (bouts * BVP_HZ).astype(np.int64):
        jolt = np.cumsum(rng.standard_normal(b - a)) if b > a else np.zeros(0)
        fade = np.sin(np.pi * (np.arange(b - a) + 0.5) / max(b - a, 1)) ** 0.5
        signal[a:b] += 22 * fade * (jolt - _smooth(jolt, BVP_HZ))
    return np.asarray(signal)


def _smooth(signal: Floats, width: int) -> Floats:
    """Moving average, ends held; as long as the signal."""
    if not len(signal):
        return signal
    padded = np.pad(signal, (width // 2, width - width // 2), mode="edge")
    total = np.cumsum(padded)
    return np.asarray((total[width:] - total[:-width]) / width)


def _eda(rng: np.random.Generator, scr: Floats, traits: BodyTraits, bouts: Floats, response: Floats) -> Floats:
    points = len(scr) // GRID_HZ * EDA_HZ
    rate = np.clip(traits.scr_per_min * np.exp(LOG_SCR_STEP * scr), 0.15, 12) / 60 / EDA_HZ
    # Responses do not come at once upon each other: every 1/rate seconds, with some spread (gamma of shape 4).
    clock = np.cumsum(rate)
    turns = np.cumsum(rng.gamma(4, 0.25, int(clock[-1]) * 2 + 20))
    at = np.searchsorted(clock, turns[turns < clock[-1]])
    pushes = np.zeros(points)
    np.add.at(pushes, at, traits.scr_us * np.exp(0.3 * rng.standard_normal(len(at))))
    tonic = traits.tonic_us * np.exp(0.12 * _wander(rng, points, 900) + 0.06 * scr)
    signal = tonic + np.convolve(pushes, response)[:points] + 0.002 * rng.standard_normal(points)
    for a, b in (bouts * EDA_HZ).astype(np.int64):
        if rng.random() < 0.15 and b > a:
            signal[a:b] *= 1 - 0.5 * rng.random() * np.abs(np.sin(np.linspace(0, 3 * np.pi, b - a)))
    return np.asarray(np.maximum(signal, 0))


def _acc(rng: np.random.Generator, bouts: Floats, strength: Floats, seconds: int) -> Floats:
    """Gravity in a posture that changes with each bout, tremor, and movement during bouts (g)."""
    points = seconds * ACC_HZ
    posture = rng.standard_normal((len(bouts) + 1, 3)) * 0.5 + np.array([-0.5, 0.1, 0.8])
    posture /= np.linalg.norm(posture, axis=1, keepdims=True)
    which = np.searchsorted(bouts[:, 0] * ACC_HZ, np.arange(points), "right")
    size = _mask(bouts, points, ACC_HZ, strength) + 0.004
    noise = rng.standard_normal((points, 3), dtype=np.float32)
    noise[1:] = (noise[1:] + noise[:-1]) * np.float32(np.sqrt(0.5))
    return np.asarray(posture[which] + size[:, None] * noise)
