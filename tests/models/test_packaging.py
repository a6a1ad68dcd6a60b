"""A stored model says the same numbers, holds no pickle, and refuses what was changed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from models.cohort import Cohort
from models.errors import ModelError
from models.fitting import fit
from models.macro_micro import MacroMicro
from models.packaging import CONFIGURATION, FIGURES, WEIGHTS, load, save, schema_hash
from tests.models.people import made_up
from tests.models.test_fitting import QUICK


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MacroMicro, Cohort]:
    cohort = made_up(people=6, days=12, coupling=2.0)
    model = fit(cohort, QUICK)
    assert model.network is not None
    folder = tmp_path_factory.mktemp("model")
    save(model, folder)
    return folder, model, cohort


def test_a_stored_model_predicts_the_same_numbers(stored: tuple[Path, MacroMicro, Cohort]) -> None:
    folder, model, cohort = stored
    again = load(folder)
    for nightly in (False, True):
        before, after = model.predict(cohort, nightly=nightly), again.predict(cohort, nightly=nightly)
        for part in ("value", "low", "high"):
            np.testing.assert_array_equal(getattr(before, part), getattr(after, part))
    assert again.participants == model.participants
    assert again.note == model.note


def test_a_baseline_without_network_is_stored_too(tmp_path: Path) -> None:
    few = made_up(people=3, days=2)
    model = fit(few, QUICK)
    save(model, tmp_path)
    assert not (tmp_path / WEIGHTS).exists()
    np.testing.assert_array_equal(load(tmp_path).predict(few).value, model.predict(few).value)


def test_there_is_no_pickle_and_no_answer_in_the_folder(stored: tuple[Path, MacroMicro, Cohort]) -> None:
    folder, _, _ = stored
    assert {f.suffix for f in folder.iterdir()} == {".json", ".safetensors"}
    for file in folder.iterdir():
        assert not file.read_bytes().startswith((b"\x80\x02", b"\x80\x04", b"PK"))


def test_a_changed_schema_is_refused(stored: tuple[Path, MacroMicro, Cohort], tmp_path: Path) -> None:
    folder, _, _ = stored
    told = json.loads((folder / CONFIGURATION).read_text())
    told["items"][0][2] = 7.0
    (tmp_path / CONFIGURATION).write_text(json.dumps(told))
    with pytest.raises(ModelError, match="changed after"):
        load(tmp_path)


def test_weights_that_are_absent_broken_or_of_another_network_are_refused(
    stored: tuple[Path, MacroMicro, Cohort], tmp_path: Path
) -> None:
    shutil.copytree(stored[0], tmp_path, dirs_exist_ok=True)
    told = json.loads((tmp_path / CONFIGURATION).read_text())
    (tmp_path / CONFIGURATION).write_text(json.dumps({**told, "participants": [*told["participants"], "P99"]}))
    with pytest.raises(
        ModelError, match=r"does not fit model\.json: members\.0\.micro\.bias is missing, unknown or of"
    ):
        load(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(ModelError, match="absent or broken"):
        load(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(ModelError, match="absent or broken"):
        load(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no stored model"):
        load(tmp_path)


def test_the_schema_hash_knows_order_and_scale() -> None:
    cohort = made_up(people=2, days=1)
    base = schema_hash(cohort.items, {"hrv": ("a", "b")})
    assert schema_hash(cohort.items, {"hrv": ("b", "a")}) != base
    assert schema_hash(cohort.items[:2], {"hrv": ("a", "b")}) != base


def test_figures_that_are_broken_or_not_of_these_items_and_people_are_refused(
    stored: tuple[Path, MacroMicro, Cohort], tmp_path: Path
) -> None:
    def changed(name: str, **figures: np.ndarray) -> Path:
        folder = tmp_path / name
        shutil.copytree(stored[0], folder)
        save_file({**load_file(folder / FIGURES), **figures}, folder / FIGURES)
        return folder

    whole = load_file(stored[0] / FIGURES)
    for folder in (
        changed("fewer items", **{"population.mean": whole["population.mean"][:2]}),
        changed("fewer people", answered_until=whole["answered_until"][:-1]),
        changed("other ends", **{"nightly.below": whole["nightly.below"][:1]}),
    ):
        with pytest.raises(ModelError, match="do not fit together"):
            load(folder)
    short = changed("cut short")
    (short / FIGURES).write_bytes((short / FIGURES).read_bytes()[:200])
    with pytest.raises(ModelError, match="absent or broken"):
        load(short)
    save_file({n: v for n, v in whole.items() if n != "relation"}, short / FIGURES)
    with pytest.raises(ModelError, match="relation"):
        load(short)
