"""Body and voice: what affect puts in, the feature extractors get out."""

from datetime import date

import numpy as np
import pytest

from assets.days import midnight_us
from assets.features.acoustic import clip_features
from assets.features.physiology import day_features
from assets.simulated.body import ACC_HZ, BVP_HZ, Recording, record
from assets.simulated.persons import BodyTraits, VoiceTraits
from assets.simulated.shapes import EDA_HZ, Shapes, neurokit_shapes
from assets.simulated.voice import speak
from assets.study import Study
from assets.tables import EDA_TABLE, EVENTS, HRV_TABLE, MOTION_TABLE, TEMPERATURE_TABLE
from tests.builders import NOON_US, segment, signals

BODY = BodyTraits(hr_bpm=72, rmssd_ms=40, scr_per_min=2.6, scr_us=0.25, tonic_us=2.0, temp_c=32.5, enmo_mg=12)
VOICE = VoiceTraits(pitch_hz=120, level_db=-27, syllables_per_s=4.2, jitter=0.008, tract=1.0)
SECONDS = 1800


@pytest.fixture(scope="module")
def shapes() -> Shapes:
    return neurokit_shapes()


def recorded(shapes: Shapes, drive: float, sign: tuple[int, ...] = (1, 1, 1, 1, 1)) -> Recording:
    drives = np.tile(drive * np.array(sign, dtype=float), (SECONDS * 4, 1))
    return record(np.random.default_rng(5), drives, BODY, shapes)


def measured(recording: Recording, study: Study) -> dict[str, float]:
    frame = signals(
        segment("bvp", recording.bvp, NOON_US, BVP_HZ),
        segment("eda", recording.eda, NOON_US, EDA_HZ),
        segment("temp", recording.temp, NOON_US, 4),
        *(segment(f"acc_{x}", recording.acc[:, n], NOON_US, ACC_HZ) for n, x in enumerate("xyz")),
    )
    day = (midnight_us(date(2026, 3, 2), "Europe/Berlin"), midnight_us(date(2026, 3, 3), "Europe/Berlin"))
    tables = day_features(frame, EVENTS.empty(), day, study.windows)
    wanted = {HRV_TABLE: ("hr_bpm", "rmssd_ms"), EDA_TABLE: ("scr_per_min",), MOTION_TABLE: ("enmo_mg",)}
    wanted[TEMPERATURE_TABLE] = ("temp_c",)
    return {n: float(np.nanmean(tables[t][n].cast(float).to_numpy())) for t, names in wanted.items() for n in names}


def test_the_feature_extractors_recover_what_drives_the_body(shapes: Shapes, study: Study) -> None:
    low, high = (measured(recorded(shapes, d), study) for d in (-1.0, 1.0))
    assert abs(low["hr_bpm"] - 67) < 1.5
    assert abs(high["hr_bpm"] - 77) < 1.5
    assert 1.4 < high["rmssd_ms"] / low["rmssd_ms"] < 2.2
    assert abs(low["rmssd_ms"] - 40 * np.exp(-0.28)) < 8
    assert 1.6 < high["scr_per_min"] / low["scr_per_min"] < 2.6
    assert high["enmo_mg"] > 1.5 * low["enmo_mg"]
    assert abs(high["temp_c"] - low["temp_c"] - 0.9) < 0.1


def test_beats_in_movement_are_rejected_by_the_device(shapes: Shapes) -> None:
    recording = recorded(shapes, 0.0)
    moving = np.abs(np.linalg.norm(recording.acc, axis=1) - 1) > 0.15
    at = np.minimum((recording.beats_s * ACC_HZ).astype(int), len(moving) - 1)
    assert moving[at].sum() > 10
    assert not recording.clean[moving[at]].any()
    assert 0.3 < recording.clean.mean() < 0.8


def test_movement_spoils_the_pulse(shapes: Shapes) -> None:
    recording = recorded(shapes, 0.0)
    moving = np.repeat(np.abs(np.linalg.norm(recording.acc, axis=1) - 1) > 0.15, BVP_HZ // ACC_HZ)
    assert recording.bvp[moving].std() > 1.3 * recording.bvp[~moving].std()


def test_the_shapes_are_a_pulse_and_a_response(shapes: Shapes) -> None:
    assert shapes.pulse.max() == 1
    assert 60 < shapes.pulse.argmax() < 130
    assert 1.5 < shapes.response.argmax() / EDA_HZ < 4
    assert shapes.response[-1] < 0.05


def heard(drive: tuple[float, float, float, float]) -> dict[str, float]:
    """Functionals, averaged over a few clips of the same drives."""
    clips = [
        clip_features(speak(np.random.default_rng(n), np.array(drive), VOICE).astype(np.float32)) for n in range(2)
    ]
    assert all(reason is None for _, reason, _ in clips)
    return {name: float(np.mean([features[name] for features, _, _ in clips])) for name in clips[0][0]}


@pytest.mark.parametrize(
    ("channel", "functional", "least"),
    [
        (0, "F0semitoneFrom27.5Hz_sma3nz_amean", 3.0),
        (1, "equivalentSoundLevel_dBp", 6.0),
        (2, "loudnessPeaksPerSec", 0.8),
        (3, "jitterLocal_sma3nz_amean", 0.004),
    ],
)
def test_opensmile_hears_what_drives_the_voice(channel: int, functional: str, least: float) -> None:
    low, high = ([0.0] * 4 for _ in range(2))
    low[channel], high[channel] = -1.5, 1.5
    assert heard(tuple(high))[functional] - heard(tuple(low))[functional] > least


def test_the_loudest_voice_stays_below_full_scale() -> None:
    clip = speak(np.random.default_rng(0), np.array([3.0, 4.0, 0.0, 0.0]), VOICE)
    assert np.abs(clip).max() <= 0.9
