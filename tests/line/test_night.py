"""Nights of a small simulated study by the command line: first, idle, one new dump, a broken one, killed; its users."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from assets.lake import Lake
from assets.study import Home
from assets.tables import PREDICTIONS
from models.errors import RegistryError
from pipeline.estimates import estimate
from tests.line.studies import differing, macromicro, macromicro_json, run_and_kill, tree_hash

pytestmark = pytest.mark.timeout(600)

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "using-the-model.md"


@pytest.fixture
def after_first_night(first_night: Path, tmp_path: Path) -> Path:
    shutil.copytree(first_night, tmp_path / "home")
    return tmp_path / "home"


def test_a_first_night_ends_with_a_champion_and_an_estimate_for_everyone(first_night: Path) -> None:
    status = macromicro_json(first_night, "status")
    assert status["champion"]["version"] == 1
    predictions = Lake(first_night / "lake").read_all(PREDICTIONS)
    assert predictions.height == 3 * 9
    assert (
        predictions.select((pl.col("low") <= pl.col("value")) & (pl.col("value") <= pl.col("high"))).to_series().all()
    )


def test_the_inbox_is_as_it_was(simulated: Path, first_night: Path) -> None:
    assert differing(tree_hash(simulated / "inbox"), tree_hash(first_night / "inbox")) == []


def test_a_second_run_with_nothing_new_does_nothing_and_says_so(after_first_night: Path) -> None:
    before = tree_hash(after_first_night / "lake")
    said = macromicro(after_first_night, "run")
    assert "nothing new" in said.lower()
    assert differing(tree_hash(after_first_night / "lake"), before) == []


def test_one_new_dump_recomputes_its_participant_days_and_no_other(after_first_night: Path) -> None:
    lake = after_first_night / "lake"
    before = tree_hash(lake)
    (after_first_night / "held-back.zip").rename(after_first_night / "inbox" / "P002" / "e4" / "late.zip")
    macromicro(after_first_night, "run")
    changed = differing(before, tree_hash(lake))
    days = {path.split("/")[1] for path in changed if path.startswith(("signals", "hrv", "eda", "motion", "beats"))}
    people = {path.split("participant=")[1].split("/")[0] for path in changed if path.startswith(("signals", "hrv"))}
    assert people == {"P002"}
    assert 1 <= len(days) <= 2


def test_a_broken_dump_is_quarantined_and_the_rest_goes_on(after_first_night: Path) -> None:
    broken = after_first_night / "inbox" / "P001" / "e4" / "1772442000_BROKEN.zip"
    broken.write_bytes(b"PK\x03\x04 this is no zip")
    macromicro(after_first_night, "run")
    refused = macromicro_json(after_first_night, "dumps", "--state", "quarantined")
    assert [d["path"] for d in refused] == ["P001/e4/1772442000_BROKEN.zip"]
    assert refused[0]["reason"]


def test_nights_killed_while_they_compute_and_while_they_register_end_with_the_same_lake(
    simulated: Path, first_night: Path, tmp_path: Path
) -> None:  # at every stage: tests/line/test_killed.py
    home = tmp_path / "home"
    shutil.copytree(simulated, home)
    assert run_and_kill(home, "lake/hrv/*/*/part.parquet")
    assert run_and_kill(home, "mlflow/artifacts/**/MLmodel")
    macromicro(home, "run")
    assert differing(tree_hash(home / "lake"), tree_hash(first_night / "lake")) == []
    assert macromicro_json(home, "status")["champion"]["version"] == 1


def test_plain_mlflow_gives_the_same_numbers_as_predict(first_night: Path, tmp_path: Path) -> None:
    told = macromicro_json(first_night, "predict", "P001", "--frame", str(tmp_path / "frame.parquet"))
    script = (
        "import sys, pandas as pd, mlflow\n"
        f"mlflow.set_tracking_uri('sqlite:///{first_night}/mlflow/mlflow.db')\n"
        "model = mlflow.pyfunc.load_model('models:/macro-micro@champion')\n"
        f"out = model.predict(pd.read_parquet({str(tmp_path / 'frame.parquet')!r}), params={{'why': True}})\n"
        f"out.to_parquet({str(tmp_path / 'out.parquet')!r})\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
    plain = pl.read_parquet(tmp_path / "out.parquet")
    by_item = dict(zip(plain["item"], plain["value"], strict=True))
    assert by_item == pytest.approx({i["item"]: i["value"] for i in told["items"]}, abs=1e-6)


def test_a_champion_of_other_scales_is_not_asked(first_night: Path) -> None:
    home = Home(first_night)
    study = home.study()
    items = {**study.items, "happy": study.items["happy"].model_copy(update={"high": 50.0})}
    with pytest.raises(RegistryError, match=r"then happy 0–100; now happy 0–50.*macromicro run"):
        estimate(home, study.model_copy(update={"items": items}), "P001")
    fewer = {name: item for name, item in study.items.items() if name != "happy"}
    with pytest.raises(RegistryError, match="then happy 0–100; now fewer"):
        estimate(home, study.model_copy(update={"items": fewer}), "P001")


def test_the_example_of_the_docs_is_run_as_it_stands_and_prints_estimates(first_night: Path, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", EXAMPLE.read_text(), flags=re.DOTALL)
    more = "assert list(estimates['item']) == items and len(items) == 9\nassert not estimates['known_person'].any()\n"
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{first_night}/mlflow/mlflow.db"}
    done = subprocess.run(
        [sys.executable, "-c", code + more],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("somebody-new") >= 2  # the estimates, and again with what moved them
