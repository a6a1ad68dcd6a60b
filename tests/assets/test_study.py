from pathlib import Path

import pytest

from assets.errors import StudyError
from assets.study import Home, Study, read_study

GOOD = '[study]\ntimezone = "Europe/Berlin"\n[items.happy]\nlow = 0\nhigh = 10\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(text)
    return path


def test_a_small_study_file_has_sensible_defaults(tmp_path: Path) -> None:
    study = read_study(written(tmp_path, GOOD))
    assert (study.timezone, study.items["happy"].high, study.windows.length_minutes) == ("Europe/Berlin", 10, 5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("Europe/Berlin", "Berlin"), "no time zone"),
        (GOOD.replace("high = 10", "high = 0"), "must lie below"),
        (GOOD + "[windws]\nlength_minutes = 5\n", "windws"),
        (GOOD + "[windows]\nlength_minutes = -5\n", "windows.length_minutes"),
        (GOOD + "[training]\nseed = -1\n", "training.seed"),
        (GOOD.replace("items.happy", "items.age_h"), "past_age_h"),
        (GOOD.replace("items.happy", "items.''"), "items"),
        (GOOD + '[daily_values]\ncolumns = ["steps", "steps"]\n', "steps: name each column once"),
        (GOOD + '[daily_values]\ncolumns = ["past_n"]\n', "past_n"),
        ("[study\n", "TOML"),
        ("[items.happy]\n", "study"),
    ],
)
def test_a_wrong_setting_is_refused_and_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        read_study(written(tmp_path, text))


def test_a_missing_study_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="macromicro --home .* init"):
        read_study(tmp_path / "study.toml")


def test_the_home_given_comes_before_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACROMICRO_HOME", str(tmp_path / "variable"))
    assert Home.find().root == tmp_path / "variable"
    assert Home.find(tmp_path / "given").root == tmp_path / "given"


def test_the_paper_s_items_run_from_0_to_100(study: Study) -> None:
    assert {(i.low, i.high) for i in study.items.values()} == {(0, 100)}
    assert len(study.items) == 9
