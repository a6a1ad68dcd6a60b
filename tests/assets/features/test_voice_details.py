from datetime import date as Date

import numpy as np
import polars as pl
import pytest

from assets.features.voice_details import (
    COMPARE_WIDTH,
    VOICE_DETAILS,
    compare_features,
    compare_names,
    descriptors,
    tidy_details,
    wanted_details,
)
from assets.lake import Key, Lake
from assets.ledger import Ledger, Stamp
from assets.study import Home, Study
from assets.tables import COMPARE_TABLE, DESCRIPTORS_TABLE, VOICE_CLIPS
from assets.units import run_unit, stamped
from tests.assets.features.test_acoustic import RATE, clips, vowel

opensmile = pytest.importorskip("opensmile")
DAY = Date(2026, 3, 2)


def asking(study: Study, **settings: object) -> Study:
    return study.model_copy(update={"features": study.features.model_copy(update=settings)})


def spoken(home: Home, *audio: np.ndarray) -> Key:
    key = Key("P001", DAY)
    part = Lake(home.lake).write(VOICE_CLIPS, clips(*audio), key)
    Ledger(Lake(home.lake), "recordings").record("P001", {DAY: Stamp("in", "1", {"voice_clips": part.content})})
    return key


def test_compare_holds_opensmiles_own_numbers_under_its_own_names() -> None:
    audio = vowel()
    frame = compare_features(clips(audio))
    smile = opensmile.Smile(opensmile.FeatureSet.ComParE_2016, opensmile.FeatureLevel.Functionals)
    expected = smile.process_signal(np.round(audio * 32768).clip(-32767, 32766) / 32768, RATE).iloc[0]
    values = dict(zip(compare_names(), frame["values"][0], strict=True))
    assert len(values) == COMPARE_WIDTH == len(smile.feature_names)
    assert values["F0final_sma_amean"] == pytest.approx(120, abs=1)
    loudness = "audspec_lengthL1norm_sma_amean"
    assert values[loudness] == pytest.approx(expected[loudness], rel=1e-4)


def test_noise_has_a_spectrum_and_no_pitch() -> None:
    noise = (0.1 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
    frame = compare_features(clips(noise))
    values = dict(zip(compare_names(), frame["values"][0], strict=True))
    assert frame["reason"][0] == "unvoiced"
    assert {v for n, v in values.items() if n.startswith(("F0final", "jitter", "shimmer", "logHNR"))} == {None}
    assert all(v is not None for n, v in values.items() if n.startswith("audspec_lengthL1norm"))


def test_what_cannot_be_heard_has_a_reason_and_no_values() -> None:
    given = clips(np.zeros(RATE, np.float32), vowel(0.1), None)
    compared, described = compare_features(given), descriptors(given)
    for frame in (compared, described):
        assert frame["reason"].to_list() == ["silent", "too_short", "unreadable"]
        assert frame["values"].null_count() == 3
    assert compared.schema == COMPARE_TABLE.empty().schema
    assert described.schema == DESCRIPTORS_TABLE.empty().schema == descriptors(VOICE_CLIPS.empty()).schema


def test_descriptors_follow_the_voice_every_10_ms_and_are_null_where_there_is_none() -> None:
    audio = np.r_[vowel(1.0), np.zeros(RATE // 2, np.float32)]
    frame = descriptors(clips(audio), compare=True)
    assert frame["set"].value_counts().sort("set")["count"].to_list() == [65, 25]
    assert set(frame["rate_hz"]) == {100.0}
    pitch = frame.filter(descriptor="F0semitoneFrom27.5Hz_sma3nz")["values"][0]
    loudness = frame.filter(descriptor="Loudness_sma3")["values"][0]
    assert len(pitch) == len(loudness) == 146
    assert pitch[10:90].median() == pytest.approx(12 * np.log2(120 / 27.5), abs=0.3)
    assert pitch[10:90].null_count() == 0
    assert pitch[110:].null_count() == len(pitch[110:])
    assert loudness.null_count() == 0
    hertz = frame.filter(descriptor="F0final_sma")["values"][0]
    assert hertz[10:90].median() == pytest.approx(120, abs=1)
    assert 0.0 not in hertz.to_list()


def test_by_default_nothing_is_wanted_and_what_is_asked_for_comes_and_goes(home: Home, study: Study) -> None:
    key = spoken(home, vowel(0.6))
    lake, both = Lake(home.lake), asking(study, voice="compare", voice_lld=True)
    assert wanted_details(home, study) == {}
    run_unit(VOICE_DETAILS, home, both, wanted_details(home, both), quiet=True)
    assert (lake.read(COMPARE_TABLE, key).height, lake.read(DESCRIPTORS_TABLE, key).height) == (1, 90)
    frames = asking(study, voice_lld=True)
    run_unit(VOICE_DETAILS, home, frames, wanted_details(home, frames), quiet=True)
    assert not lake.exists(COMPARE_TABLE, key)
    assert lake.read(DESCRIPTORS_TABLE, key)["set"].unique().to_list() == ["eGeMAPSv02"]
    assert tidy_details(home, study) == [key]
    assert list(stamped(home, VOICE_DETAILS)) == []
    assert not lake.exists(DESCRIPTORS_TABLE, key)


def test_a_table_of_details_is_read_as_it_was_written(home: Home, study: Study) -> None:
    key = spoken(home, vowel(0.6))
    asked = asking(study, voice="compare")
    run_unit(VOICE_DETAILS, home, asked, wanted_details(home, asked), quiet=True)
    audio = clips(vowel(0.6))
    assert Lake(home.lake).read(COMPARE_TABLE, key).equals(compare_features(audio))
    assert pl.Series(Lake(home.lake).read(COMPARE_TABLE, key)["values"][0]).len() == COMPARE_WIDTH
