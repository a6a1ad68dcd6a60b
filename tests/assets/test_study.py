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
        *(
            (GOOD + f'[schedule]\nnightly = "{cron}"\n', r"schedule.nightly.*no cron")
            for cron in (
                "",
                "at three",
                "0 25 * * *",
                "0 3 * *",
                "0 3 0 * *",
                "*/0 3 * * *",
                "0 5-3 * * *",
                "0 3 * * tag",
            )
        ),
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


@pytest.mark.parametrize("cron", ["*/5 0-6,12 1 jan-mar mon,wed-fri", "0 3 * * 7", "30 2 1-31/2 12 *"])
def test_what_cron_knows_is_a_schedule(tmp_path: Path, cron: str) -> None:
    assert read_study(written(tmp_path, GOOD + f'[report]\nmorning = "{cron}"\n')).report.morning == cron


def test_a_file_that_cannot_be_read_is_named_and_a_mark_is_none_of_the_text(tmp_path: Path) -> None:
    marked = tmp_path / "study.toml"
    marked.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert read_study(marked).items
    marked.write_bytes(GOOD.encode() + "# für\n".encode("latin-1"))
    with pytest.raises(StudyError, match=r"study.toml cannot be read: it is no UTF-8"):
        read_study(marked)
    with pytest.raises(StudyError, match=r"study.toml/study.toml cannot be read: Not a directory"):
        read_study(marked / "study.toml")


@pytest.mark.parametrize("name", ["50%", "what?"])
def test_a_home_that_databases_cannot_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StudyError, match="choose another folder"):
        Home.find(tmp_path / name)
