"""The registered model through plain MLflow: the numbers of the model in process, no pickle, no data of the study."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assets.learning.challenger import train_challenger
from assets.learning.work import registry_of
from assets.moments.cohort import load_cohort, load_moments, with_history
from assets.moments.unit import refresh_moments
from assets.study import Home, Study
from models.frame import OUTPUT, parts
from models.packaging import load
from models.registry import CHALLENGER
from tests.assets.learning.studies import study_of
from tests.assets.moments.rows import live_in, lived
from tests.models.registries import prepare

ITEMS = {"happy": {}, "gloomy": {}}
PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Study]:
    """A study whose people wore and spoke, with a version; one that learnt is in `tests/models/test_pyfunc.py`."""
    os.environ["MACROMICRO_WORKERS"] = "1"
    home = Home(tmp_path_factory.mktemp("served") / "home")
    study = study_of(max_epochs=3, min_answers=10).model_copy(
        update={"items": Study.model_validate({"study": {"timezone": "Europe/Berlin"}, "items": ITEMS}).items}
    )
    prepare(home.mlflow)
    for seed in range(3):
        live_in(home, study, f"P{seed}", lived(seed))
    refresh_moments(home, study, quiet=True)
    train_challenger(home, study)
    return home, study


def files(home: Home, study: Study) -> Path:
    registry = registry_of(home, study)
    return registry.folder_of(registry.aliased(CHALLENGER))


def test_plain_mlflow_gives_the_numbers_of_the_model_in_process(served: tuple[Home, Study], tmp_path: Path) -> None:
    home, study = served
    cohort, moments = load_cohort(home, study), load_moments(home, study)
    model = load(files(home, study) / "artifacts" / "model")
    frames = [
        with_history(moments, moments, study, nightly=nightly).with_columns(nightly=pl.lit(nightly))
        for nightly in (False, True)
    ]
    pl.concat(frames).write_parquet(tmp_path / "frame.parquet")
    script = (
        "import sys, pandas as pd, mlflow\n"
        f"mlflow.set_tracking_uri('sqlite:///{home.mlflow}/mlflow.db')\n"
        "model = mlflow.pyfunc.load_model('models:/macro-micro@challenger')\n"
        "frame = pd.read_parquet('frame.parquet')\n"
        "model.predict(frame).to_parquet('out.parquet')\n"
        "model.predict(frame, params={'why': True}).to_parquet('why.parquet')\n"
        "assert 'torch' not in sys.modules, 'estimates need no torch'\n"
        "assert 'assets' not in sys.modules and 'models' not in sys.modules, 'its own code is nobody else\\'s'\n"
        "own = sys.modules[type(model.unwrap_python_model()).__module__].answers\n"
        "assert '/artifacts/code/models' in own.__code__.co_filename\n"
    )
    # Isolated from this checkout: the model brings the code it needs.
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-B", "-c", script], check=True, cwd=tmp_path, env=plain)
    out = pl.read_parquet(tmp_path / "out.parquet")
    why = pl.read_parquet(tmp_path / "why.parquet")
    own = [model.predict(cohort, nightly=nightly, why=True) for nightly in (False, True)]
    for name in ("value", "low", "high"):
        expected = np.vstack([getattr(said, name) for said in own])
        for said in (out, why):
            np.testing.assert_allclose(said[name].to_numpy().reshape(-1, 2), expected, atol=1e-6)
    assert out["known_person"].all()
    assert out.columns == list(OUTPUT)
    assert why.columns == [*OUTPUT, *(f"why.{part}" for part in parts(model.features))]
    for part in parts(model.features):
        expected = np.vstack([said.moved[part] for said in own])
        np.testing.assert_allclose(why[f"why.{part}"].to_numpy().reshape(-1, 2), expected, atol=1e-6)


def test_nothing_in_a_logged_model_is_a_pickle(served: tuple[Home, Study]) -> None:
    found = [path for path in files(*served).rglob("*") if path.is_file()]
    assert {p.suffix for p in found} <= {"", ".py", ".json", ".yaml", ".txt", ".safetensors"}
    assert not [p for p in found if p.read_bytes().startswith(PICKLES)]
    assert any(p.suffix == ".safetensors" for p in found)


def test_the_input_example_is_made_up(served: tuple[Home, Study]) -> None:
    rows = json.loads((files(*served) / "input_example.json").read_text())
    assert {row["participant"] for row in rows} == {"EXAMPLE1", "EXAMPLE2"}
    assert [row["past_happy"] for row in rows] == [[40.0, 50.0, 60.0], []]


def test_the_signature_names_the_past_and_every_feature(served: tuple[Home, Study]) -> None:
    import mlflow

    registry = registry_of(*served)
    registry.client()
    inputs = mlflow.models.get_model_info(registry.aliased(CHALLENGER).uri).signature.inputs
    names = [c.name for c in inputs]
    assert names[:7] == ["participant", "time_us", "day", "local_hour", "past_age_h", "past_happy", "past_gloomy"]
    assert {"nightly", "hrv.hr_bpm", "hrv.hr_bpm.past_mean", "hrv.past_n", "yesterday.temp_c"} <= set(names)
    assert [c.name for c in inputs if c.required] == names[:7]
