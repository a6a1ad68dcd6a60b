"""The shapes that NeuroKit2's simulators give to a pulse and to a skin-conductance response.

NeuroKit2 simulates whole signals at one heart rate or with responses at even distances (`ecg_simulate` at 64 Hz
takes 65 s an hour here), but a study needs them where affect puts them. So each simulator is asked once, and
`body.py` places its shape at every beat and every response.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assets.simulated.loadings import Floats

PULSE_POINTS = 512
EDA_HZ = 4


@dataclass(frozen=True)
class Shapes:
    """`pulse`: one beat over its phase (PULSE_POINTS,), peak 1, mean 0; `response`: one SCR at 4 Hz, peak 1."""

    pulse: Floats
    response: Floats


def neurokit_shapes() -> Shapes:
    """Both shapes from NeuroKit2 (0.2.13), the same on every call."""
    return Shapes(_pulse(), _response())


def _pulse() -> Floats:
    """Mean of 28 beats of `ppg_simulate` at 60 bpm without noise, made periodic."""
    import neurokit2 as nk

    signal = nk.ppg_simulate(
        duration=30, sampling_rate=PULSE_POINTS, heart_rate=60, frequency_modulation=0, ibi_randomness=0, drift=0,
        motion_amplitude=0, powerline_amplitude=0, burst_number=0, burst_amplitude=0, random_state=1,
    )  # fmt: skip
    beat = np.asarray(signal[PULSE_POINTS : 29 * PULSE_POINTS]).reshape(28, PULSE_POINTS).mean(axis=0)
    beat = beat - np.linspace(0, beat[-1] - beat[0], PULSE_POINTS)
    beat = beat - beat.mean()
    return np.asarray(beat / beat.max())


def _response() -> Floats:
    """The canonical response of Bach et al. 2010 (J Neurosci Methods 193:130) as `eda_simulate` draws it.

    NeuroKit2 draws its 90 seconds within 9; read at a tenth of the rate, its rise of 2 s and its decays of 3 and
    14 s are those of the paper again.
    """
    import neurokit2 as nk

    drawn = nk.eda_simulate(duration=9, sampling_rate=EDA_HZ * 10, scr_number=1, noise=0, drift=0, random_state=3)
    shape = np.asarray(drawn) - 1.0
    onset = int(np.argmax(shape > 0.01 * shape.max()))
    shape = shape[onset : onset + 45 * EDA_HZ]
    fade = np.minimum(1, (len(shape) - np.arange(len(shape))) / (10 * EDA_HZ))
    return np.asarray(shape * fade / shape.max())
