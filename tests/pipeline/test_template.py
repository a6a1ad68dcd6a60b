import tomllib
from pathlib import Path

import pytest

from assets.study import Study, read_study
from pipeline.template import study_text


def test_a_fresh_study_file_says_every_default_as_it_is(tmp_path: Path, study: Study) -> None:
    path = tmp_path / "study.toml"
    path.write_text(study_text("study", "Europe/Berlin"))
    assert read_study(path) == study


def test_a_fresh_study_file_names_every_setting() -> None:
    text = study_text("study", "Europe/Berlin")
    written = tomllib.loads(text)
    for name, section in Study.model_fields.items():
        if name in {"corrections", "formats", "participants"}:
            assert f"# [{name}." in text
        elif name != "items":
            keys = section.annotation.model_fields  # type: ignore[union-attr]
            assert set(written[name]) == set(keys), name


@pytest.mark.parametrize("name", ['Study "A"', "C:\\new", "Gefühle {1}", "it's"])
def test_any_name_can_be_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / "study.toml"
    path.write_text(study_text(name, "Europe/Berlin"), encoding="utf-8")
    assert read_study(path).study.name == name
