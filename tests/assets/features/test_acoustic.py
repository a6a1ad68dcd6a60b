import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assets.errors import FeatureError
from assets.features.acoustic import acoustic_features, clip_features, sound_share
from assets.features.egemaps import EGEMAPS_NAMES
from assets.features.windows import Reason
from assets.ingest.readers import voice
from assets.tables import ACOUSTIC_TABLE, VOICE_CLIPS

opensmile = pytest.importorskip("opensmile")
sf = pytest.importorskip("soundfile")
RATE = 16_000


def vowel(seconds: float = 2.0, peak: float = 0.5) -> np.ndarray:
    """A buzz of 120 Hz with formants: enough of a voice for a pitch."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * 120 * n * time) / (1 + abs(n * 120 - 600) / 300) for n in range(1, 30))
    return (peak * wave / np.abs(wave).max()).astype(np.float32)


def clips(*audio: np.ndarray | None, clipped: float = 0.0, reason: str | None = None) -> pl.DataFrame:
    rows = []
    for n, samples in enumerate(audio):
        data = io.BytesIO()
        if samples is not None:
            sf.write(data, samples, RATE, format="FLAC", subtype="PCM_16")
        seconds = 0.0 if samples is None else len(samples) / RATE
        rows.append(
            {"time_us": n, "duration_s": seconds, "peak": 0.5, "clipped": clipped, "flac": data.getvalue() or None,
             "reason": reason, "dump": "d"}
        )  # fmt: skip
    return VOICE_CLIPS.frame(rows)


def test_names_are_opensmiles_own_in_its_order() -> None:
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    assert tuple(smile.feature_names) == EGEMAPS_NAMES


def test_a_voice_has_every_functional_and_its_pitch() -> None:
    row, reason, sound = clip_features(vowel())
    assert reason is None
    assert sound == 1.0
    assert set(row) == set(EGEMAPS_NAMES)
    assert row["F0semitoneFrom27.5Hz_sma3nz_amean"] == pytest.approx(12 * np.log2(120 / 27.5), abs=0.3)


@pytest.mark.parametrize(
    ("audio", "expected"),
    [
        (np.zeros(2 * RATE, np.float32), "silent"),
        (np.full(2 * RATE, 1e-4, np.float32), "silent"),
        (vowel(0.1), "too_short"),
        (np.zeros(0, np.float32), "too_short"),
        ((0.1 * np.random.default_rng(0).standard_normal(2 * RATE)).astype(np.float32), "unvoiced"),
    ],
)
def test_silence_shortness_and_noise_are_reasons_and_not_zeros(audio: np.ndarray, expected: str) -> None:
    row, reason, _ = clip_features(audio)
    assert reason == expected
    assert row.get("F0semitoneFrom27.5Hz_sma3nz_amean") is None


def functionals(audio: np.ndarray, rate: int = RATE) -> np.ndarray:
    """What bare openSMILE says."""
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    return smile.process_signal(audio, rate).to_numpy()[0]


def ours(audio: np.ndarray) -> np.ndarray:
    return np.array(list(clip_features(audio)[0].values()), dtype=float)


def moved(values: np.ndarray, right: np.ndarray) -> int:
    """How many functionals differ by more than a tenth, those next to zero left out."""
    off = np.abs(values - right)
    return int(((off > 0.1 * np.abs(right)) & (off > 1e-3)).sum())


def test_full_scale_wraps_in_bare_opensmile_and_not_here() -> None:
    right, loud = functionals(vowel(peak=0.999)), vowel(peak=1.0)
    assert loud.max() == 1.0
    assert moved(functionals(loud), right) > 20
    assert moved(ours(loud), right) <= 2


def test_audio_of_another_rate_misleads_bare_opensmile_and_is_resampled_here(tmp_path: Path) -> None:
    from scipy.signal import resample_poly

    from assets.ingest.readers.sounds import decode, mono_16k

    noise = 0.02 * np.random.default_rng(0).standard_normal(2 * 44_100)
    fast = (resample_poly(vowel(), 441, 160) + noise).astype(np.float32)  # what a microphone hears above 8 kHz
    sf.write(tmp_path / "clip.wav", fast, 44_100, subtype="PCM_16")
    right = functionals(resample_poly(fast, 160, 441).astype(np.float32))
    assert moved(functionals(fast, 44_100), right) > 30
    assert moved(ours(mono_16k(decode((tmp_path / "clip.wav").read_bytes()))), right) < 5


def test_integer_samples_are_wrong_in_bare_opensmile_and_refused_here() -> None:
    integers = (vowel() * 32_767).astype(np.int32)
    assert moved(functionals(integers), functionals(vowel())) > 20
    for kind in (np.int16, np.int32):
        with pytest.raises(FeatureError, match=kind.__name__):
            clip_features(integers.astype(kind))


def test_a_table_of_clips_keeps_its_schema_whatever_it_holds() -> None:
    frame = acoustic_features(clips(vowel(), np.zeros(RATE, np.float32), None))
    assert frame.schema == ACOUSTIC_TABLE.empty().schema
    assert frame["reason"].to_list() == [None, "silent", "unreadable"]
    assert frame["loudness_sma3_amean"].is_not_null().to_list() == [True, False, False]
    assert acoustic_features(VOICE_CLIPS.empty()).schema == ACOUSTIC_TABLE.empty().schema


def test_a_clipped_recording_keeps_its_numbers_and_says_so() -> None:
    frame = acoustic_features(clips(vowel(), clipped=0.2))
    assert frame["reason"][0] == "clipped"
    assert frame["loudness_sma3_amean"][0] > 0


@pytest.mark.parametrize(
    ("duration", "peak", "clipped", "truncated", "reason"),
    [
        (2.0, 0.5, 0.0, False, None),
        (2.0, 0.5, 0.0, True, "truncated"),
        (2.0, 0.5, 0.2, True, "truncated"),
        (2.0, 0.5, 0.2, False, "clipped"),
        (2.0, 0.5, 0.003, False, None),  # worth a remark to who looks after dumps, too little for the features
        (0.1, 0.5, 0.0, False, "too_short"),
        (2.0, 0.0, 0.0, False, "silent"),
    ],
)
def test_what_the_reader_remarked_is_a_reason(
    duration: float, peak: float, clipped: float, *, truncated: bool, reason: str | None
) -> None:
    remark = voice.remark_of(duration, peak, clipped, truncated=truncated)
    told = acoustic_features(clips(vowel(), clipped=clipped, reason=remark))["reason"][0]
    assert told == reason
    assert told is None or told in set(Reason)


def test_sound_share_counts_frames_above_the_floor() -> None:
    half = np.r_[vowel(1.0), np.zeros(RATE, np.float32)]
    assert sound_share(half) == pytest.approx(0.5, abs=0.02)


@pytest.mark.real
def test_real_speech_has_a_plausible_pitch(real_data: Path) -> None:
    from scipy.signal import resample_poly

    pitches = []
    for file in sorted((real_data / "speech" / "nemo").glob("*.wav"))[::12]:
        samples, rate = sf.read(file, dtype="float32")
        row, reason, _ = clip_features(resample_poly(samples, RATE // 8000, rate // 8000).astype(np.float32))
        assert reason is None
        pitches.append(27.5 * 2 ** (row["F0semitoneFrom27.5Hz_sma3nz_amean"] / 12))
    assert all(70 < pitch < 500 for pitch in pitches)
