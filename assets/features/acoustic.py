"""The unit of work `acoustic`: a day's voice clips to openSMILE's eGeMAPSv02 functionals.

Clips come as 16 kHz mono; they are kept below full scale, where openSMILE's 16-bit samples would wrap. openSMILE says
nothing of silence (77 exact zeros) or of a clip without voice (zeros for pitch): here both are nulls with a reason.
openSMILE is licensed for research and non-commercial use only.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from datetime import date as Date
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.errors import FeatureError
from assets.features.egemaps import EGEMAPS_NAMES
from assets.features.windows import Reason
from assets.lake import Key, Lake
from assets.ledger import digest
from assets.study import Home, Study
from assets.tables import ACOUSTIC_TABLE, VOICE_CLIPS
from assets.units import Frames, Unit, forget, stamped

Audio = NDArray[np.float32]

RATE_HZ = 16_000
FULL_SCALE = 32_766 / 32_768
SHORTEST_S = 0.3
FRAME_S = 0.02
SILENCE_DBFS = -60.0
CLIPPED_SHARE = 0.01
_PITCHED = tuple(n for n in EGEMAPS_NAMES if "sma3nz" in n or n.startswith("MeanVoiced"))


def clip_features(audio: Audio) -> tuple[dict[str, float | None], Reason | None, float]:
    """Functionals of one clip, why they are missing, and the share of it with sound.

    Args:
        audio: 16 kHz mono, full scale ±1, (samples,).

    Raises:
        FeatureError: the samples are integers, which openSMILE would take for floats.
    """
    nothing, sound = unusable(audio)
    if nothing is not None:
        return {}, nothing, sound
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = _smile().process_signal(below_full_scale(audio), RATE_HZ).to_numpy()[0]
    row: dict[str, float | None] = dict(zip(EGEMAPS_NAMES, values.astype(float).tolist(), strict=True))
    if np.isnan(values).all():
        return {}, Reason.TOO_SHORT, sound
    if row[EGEMAPS_NAMES[0]] == 0:
        return row | dict.fromkeys(_PITCHED), Reason.UNVOICED, sound
    return row, None, sound


def unusable(audio: Audio) -> tuple[Reason | None, float]:
    """Why nothing can be said of a clip (None where something can), and the share of it with sound."""
    if not np.issubdtype(audio.dtype, np.floating):
        message = f"a clip came as {audio.dtype}; openSMILE takes samples for floats: divide by full scale first"
        raise FeatureError(message)
    sound = sound_share(audio)
    if len(audio) < SHORTEST_S * RATE_HZ:
        return Reason.TOO_SHORT, sound
    return (Reason.SILENT if sound * len(audio) < SHORTEST_S * RATE_HZ else None), sound


def below_full_scale(audio: Audio) -> Audio:
    """The clip kept where openSMILE's 16-bit samples do not wrap: a sample of +1 becomes −32768 there."""
    return np.clip(audio, -FULL_SCALE, FULL_SCALE).astype(np.float32)


def sound_share(audio: Audio) -> float:
    """Share of 20 ms frames louder than −60 dB of full scale."""
    size = round(FRAME_S * RATE_HZ)
    frames = audio[: len(audio) // size * size].reshape(-1, size).astype(np.float64)
    if not len(frames):
        return 0.0
    return float(np.mean(np.sqrt((frames**2).mean(axis=1)) > 10 ** (SILENCE_DBFS / 20)))


def acoustic_features(clips: pl.DataFrame) -> pl.DataFrame:
    """ACOUSTIC_TABLE rows, one for each VOICE_CLIPS row."""
    rows: list[dict[str, object]] = []
    for clip in clips.iter_rows(named=True):
        features: dict[str, float | None] = {}
        audio, found, sound = decoded(clip["flac"]), None, 0.0
        if audio is not None:
            features, found, sound = clip_features(audio)
        rows.append({**about(clip, audio, found, sound), **features})
    floats = pl.selectors.float()
    return ACOUSTIC_TABLE.frame(rows).with_columns(pl.when(floats.is_finite()).then(floats))


def about(clip: Mapping[str, Any], audio: Audio | None, found: Reason | None, sound: float) -> dict[str, object]:
    """What every table of clips says of a clip beside its features; `found` is why those are missing."""
    clipped = Reason.CLIPPED if (clip["clipped"] or 0) > CLIPPED_SHARE else None
    reason = found or _remarked(clip["reason"]) or (Reason.UNREADABLE if audio is None else clipped)
    return {**{key: clip[key] for key in ("time_us", "duration_s", "dump")}, "coverage": sound, "reason": reason}


def _remarked(remark: str | None) -> Reason | None:
    """What the reader remarked of a recording, as a reason; None if it was clipped, which is asked anew."""
    if remark is None or remark.startswith(Reason.CLIPPED):
        return None
    return Reason(remark.partition(":")[0].replace(" ", "_"))


def wanted_acoustic(home: Home, study: Study, dates: set[Date] | None = None) -> dict[Key, str]:
    """The participant-days that should have acoustic features, each with the hash of its clips."""
    del study  # no setting of the study changes a clip's functionals
    return {key: digest(clips) for key, clips in clips_of(home, dates).items()}


def clips_of(home: Home, dates: set[Date] | None = None) -> dict[Key, str]:
    """The participant-days with voice clips, each with their content hash."""
    return {
        key: stamp.outputs[VOICE_CLIPS.name]
        for key, stamp in stamped(home, "recordings")
        if VOICE_CLIPS.name in stamp.outputs and (dates is None or key.date in dates)
    }


def tidy_acoustic(home: Home, study: Study) -> list[Key]:
    """Remove the participant-days whose clips are gone; returns them."""
    wanted = wanted_acoustic(home, study)
    gone = [key for key, _ in stamped(home, ACOUSTIC_UNIT) if key not in wanted]
    forget(ACOUSTIC_UNIT, home, gone)
    return gone


def decoded(flac: bytes | None) -> Audio | None:
    """A clip's samples, full scale ±1; None where there are none, or none at 16 kHz."""
    import soundfile

    if not flac:
        return None
    audio, rate = soundfile.read(io.BytesIO(flac), dtype="float32", always_2d=True)
    return np.asarray(audio.mean(axis=1), dtype=np.float32) if rate == RATE_HZ else None


@lru_cache(maxsize=1)
def _smile() -> Any:
    """One openSMILE in each process: making it takes half a second."""
    import opensmile

    return opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals, num_workers=1)


def _compute(home: Home, study: Study, participant: str, days: tuple[Date, ...]) -> Iterator[tuple[Date, Frames]]:
    del study
    lake = Lake(home.lake)
    for day in days:
        yield day, {ACOUSTIC_TABLE: acoustic_features(lake.read(VOICE_CLIPS, Key(participant, day)))}


def _preload() -> None:
    """Make openSMILE ready once in each worker."""
    _smile()


ACOUSTIC_UNIT = Unit(name="acoustic", code="1", tables=(ACOUSTIC_TABLE,), compute=_compute, preload=_preload)
