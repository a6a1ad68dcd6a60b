"""The unit of work `voice_details`: what openSMILE can tell of a clip beside eGeMAPS, where `study.toml` asks for it.

`voice = "compare"` computes the 6,373 functionals of ComParE_2016, `voice_lld = true` the low-level descriptors every
10 ms: 25 of eGeMAPSv02, and 65 of ComParE_2016 where that is chosen. Both stand beside the 88 functionals that the
model reads and are for people's own analyses: so many columns on a few hundred answers a person would drown what they
say, and any choice among them would have to be learned from the answers. By default nothing here is computed.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping
from datetime import date as Date
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.errors import FeatureError
from assets.features.acoustic import RATE_HZ, Audio, about, below_full_scale, clips_of, decoded, unusable
from assets.features.windows import Reason
from assets.lake import Key, Lake
from assets.ledger import digest
from assets.study import Features, Home, Study
from assets.tables import COMPARE_TABLE, DESCRIPTORS_TABLE, VOICE_CLIPS
from assets.units import Frames, Unit, forget, stamped

EGEMAPS, COMPARE = "eGeMAPSv02", "ComParE_2016"
COMPARE_WIDTH = 6373
COMPARE_NAMES_SHA256 = "a34ab231ba418263fe385d9cf18aa2d5ef2227a4a55a3e8e761debe319a9c3bb"
FRAMES_HZ = 100.0
_PITCH = {EGEMAPS: "F0semitoneFrom27.5Hz_sma3nz", COMPARE: "F0final_sma"}
_PITCHED = ("F0final", "jitter", "shimmer", "logHNR", "HNRdBACF", "logRelF0", "F0semitone")
_Values = NDArray[np.float32]


@lru_cache(maxsize=1)
def compare_names() -> tuple[str, ...]:
    """The names of ComParE_2016's functionals, in the order of the table's `values`.

    Raises:
        FeatureError: openSMILE is not the version whose names and order this table promises.
    """
    names = tuple(_smile(COMPARE, "Functionals").feature_names)
    if hashlib.sha256("\n".join(names).encode()).hexdigest() != COMPARE_NAMES_SHA256:
        message = "openSMILE names the functionals of ComParE_2016 otherwise than 2.6.0 does: install opensmile==2.6.0"
        raise FeatureError(message)
    return names


def compare_features(clips: pl.DataFrame) -> pl.DataFrame:
    """COMPARE_TABLE rows, one for each VOICE_CLIPS row."""
    rows = []
    for clip in clips.iter_rows(named=True):
        audio, found, sound, values = decoded(clip["flac"]), None, 0.0, None
        if audio is not None:
            found, sound = unusable(audio)
            if found is None:
                values, found = _functionals(audio)
        rows.append({**about(clip, audio, found, sound), "values": values})
    return COMPARE_TABLE.frame(rows)


def descriptors(clips: pl.DataFrame, *, compare: bool = False) -> pl.DataFrame:
    """DESCRIPTORS_TABLE rows, one for each descriptor of each clip that can be heard, or one with a reason."""
    rows: list[dict[str, object]] = []
    for clip in clips.iter_rows(named=True):
        audio, found, sound = decoded(clip["flac"]), None, 0.0
        if audio is not None:
            found, sound = unusable(audio)
        said = about(clip, audio, found, sound)
        if audio is None or found is not None:
            rows.append(said)
            continue
        for of in (EGEMAPS, COMPARE) if compare else (EGEMAPS,):
            rows += [{**said, **row} for row in _described(audio, of)]
    return DESCRIPTORS_TABLE.frame(rows)


def wanted_details(home: Home, study: Study, dates: set[Date] | None = None) -> dict[Key, str]:
    """The participant-days that should have details, each with the hash of its clips and of what is asked for."""
    asked = _asked(study.features)
    return {key: digest(clips, asked) for key, clips in clips_of(home, dates).items()} if any(asked) else {}


def tidy_details(home: Home, study: Study) -> list[Key]:
    """Remove the participant-days whose clips are gone, or everything where it is no longer asked for."""
    wanted = wanted_details(home, study)
    gone = [key for key, _ in stamped(home, VOICE_DETAILS) if key not in wanted]
    forget(VOICE_DETAILS, home, gone)
    return gone


def _asked(features: Features) -> tuple[bool, bool]:
    return features.voice == "compare", features.voice_lld


def _functionals(audio: Audio) -> tuple[list[float | None] | None, Reason | None]:
    names, found = compare_names(), _heard(audio, COMPARE, "Functionals")
    values = found.to_numpy()[0].astype(float)
    if np.isnan(values).all():
        return None, Reason.TOO_SHORT
    voiced = values[names.index("F0final_sma_amean")] != 0
    known = np.isfinite(values) & (voiced | ~_of_pitch(names))
    return [float(v) if k else None for v, k in zip(values, known, strict=True)], None if voiced else Reason.UNVOICED


def _described(audio: Audio, of: str) -> Iterator[Mapping[str, object]]:
    """Each descriptor's name and values; what has no value in a frame without a voice is null there."""
    found = _heard(audio, of, "LowLevelDescriptors")
    voiced = found[_PITCH[of]].to_numpy() != 0
    for name in found.columns:
        values = found[name].to_numpy().astype(np.float32)
        known = np.isfinite(values)
        if _is_pitched(name):
            known &= voiced
        if name.endswith("sma3nz"):
            known &= values != 0  # openSMILE smooths these over voiced frames and leaves 0 elsewhere
        series = pl.Series(np.where(known, values, np.float32(np.nan)), dtype=pl.Float32).fill_nan(None)
        yield {"set": of, "descriptor": name, "rate_hz": FRAMES_HZ, "values": series.to_list()}


def _of_pitch(names: tuple[str, ...]) -> NDArray[np.bool_]:
    return np.array([_is_pitched(name) for name in names])


def _is_pitched(name: str) -> bool:
    return name.startswith(_PITCHED) or "LogRelF0" in name


def _heard(audio: Audio, of: str, level: str) -> Any:
    """OpenSMILE's frame of one clip."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _smile(of, level).process_signal(below_full_scale(audio), RATE_HZ)


@lru_cache(maxsize=3)
def _smile(of: str, level: str) -> Any:
    """One openSMILE of each kind in each process."""
    import opensmile

    return opensmile.Smile(opensmile.FeatureSet[of], opensmile.FeatureLevel[level], num_workers=1)


def _compute(home: Home, study: Study, participant: str, days: tuple[Date, ...]) -> Iterator[tuple[Date, Frames]]:
    lake, (compare, frames) = Lake(home.lake), _asked(study.features)
    for day in days:
        clips = lake.read(VOICE_CLIPS, Key(participant, day))
        yield (
            day,
            {
                COMPARE_TABLE: compare_features(clips) if compare else COMPARE_TABLE.empty(),
                DESCRIPTORS_TABLE: descriptors(clips, compare=compare) if frames else DESCRIPTORS_TABLE.empty(),
            },
        )


VOICE_DETAILS = Unit(name="voice_details", code="1", tables=(COMPARE_TABLE, DESCRIPTORS_TABLE), compute=_compute)
