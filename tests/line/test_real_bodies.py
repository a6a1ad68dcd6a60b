"""The whole line on real wristbands, voices and questionnaires, through the commands a user types."""

from pathlib import Path

import polars as pl
import pytest

from assets.lake import Lake
from assets.tables import ACOUSTIC_TABLE, EDA_TABLE, HRV_TABLE
from tests.line.studies import SESSIONS, lay_out_stress_predict, macromicro, macromicro_json

pytestmark = [pytest.mark.line_real, pytest.mark.real, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stress_predict(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    home = tmp_path_factory.mktemp("stress_predict") / "home"
    lay_out_stress_predict(real_data, home)
    return home, macromicro(home, "run")


def test_every_wristband_session_clip_and_questionnaire_is_read(stress_predict: tuple[Path, str]) -> None:
    home, _ = stress_predict
    dumps = macromicro_json(home, "dumps")
    assert [d for d in dumps if d["state"] != "read"] == []
    assert {d["participant"] for d in dumps if d["reader"] == "e4"} == set(SESSIONS)
    assert len(dumps) == 12 + 24 + 1


def test_heart_rate_and_skin_conductance_are_those_of_living_people(stress_predict: tuple[Path, str]) -> None:
    lake = Lake(stress_predict[0] / "lake")
    hrv = lake.read_all(HRV_TABLE).filter(pl.col("hr_bpm").is_not_null())
    rate = hrv.group_by("participant").agg(pl.col("hr_bpm").median())
    assert rate.height == len(SESSIONS)
    assert rate["hr_bpm"].is_between(50, 115).all()
    eda = lake.read_all(EDA_TABLE).filter(pl.col("eda_tonic_us").is_not_null())
    assert eda["participant"].n_unique() >= 10
    assert eda["eda_tonic_us"].is_between(0, 60).all()


def test_every_clip_has_a_voice_of_human_pitch(stress_predict: tuple[Path, str]) -> None:
    acoustic = Lake(stress_predict[0] / "lake").read_all(ACOUSTIC_TABLE)
    pitch_hz = 27.5 * 2 ** (acoustic["F0semitoneFrom27.5Hz_sma3nz_amean"] / 12)
    assert acoustic.height == 24
    assert pitch_hz.is_between(70, 400).all()


def test_too_few_answers_to_train_on_are_said_and_the_baseline_is_kept(stress_predict: tuple[Path, str]) -> None:
    home, said = stress_predict
    assert "too few answers" in said.lower()
    prediction = macromicro_json(home, "predict", "S01")
    value = prediction["items"][0]["value"]
    assert 56 - 25 < value < 62 + 25
