import json
from importlib.metadata import version
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.lake import Lake
from assets.learning.assets import assets
from assets.learning.challenger import train_challenger
from assets.learning.champion import judge
from assets.learning.evaluation import read_evaluation, refresh_evaluation
from assets.learning.tables import EVALUATION, PREQUENTIAL
from assets.learning.work import moments_digest, registry_of
from assets.moments.unit import refresh_moments
from assets.monitoring.predictions import predict_day, predictions
from assets.study import Home, Study
from assets.tables import PREDICTIONS
from models.registry import CHALLENGER, CHAMPION
from tests.assets.learning.studies import fill, study_of
from tests.models.registries import prepare


@pytest.fixture(autouse=True)
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    prepare(tmp_path / "home" / "mlflow")
    return Home(tmp_path / "home")


def night(home: Home, study: Study) -> dg.ExecuteInProcessResult:
    """Moments and what follows, as a night materializes it."""
    refresh_moments(home, study, quiet=True)
    return dg.materialize([*assets(home, study), predictions(home, study)])


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_nights_of_a_study(home: Home) -> None:
    """The first night ends in a champion, an idle one changes nothing, a later one is judged against the champion."""
    study = study_of()
    fill(home, study, days=10, people=4)
    first = night(home, study)
    registry = registry_of(home, study)
    assert first.success
    assert registry.aliased(CHAMPION).number == registry.aliased(CHALLENGER).number == 1
    assert registry.aliased(CHAMPION).tags["gate"] == "promoted"
    said = Lake(home.lake).read_all(PREDICTIONS)
    assert said.height == 4 * 2
    assert said["model_version"].to_list() == [1] * 8
    assert said["answers_before"].to_list() == [30] * 8
    assert (said["low"] <= said["value"]).all()
    table = read_evaluation(home)
    assert 0 < table["P2"]["macro_micro"]["pooled_ccc"] < 1
    assert table["P2"]["personal_mean"]["answers"] == 4 * 6 * 2

    (used,) = registry.client().get_run(registry.version(1).run_id).inputs.dataset_inputs
    assert used.dataset.digest == moments_digest(home, study)
    kept = {file.path for file in registry.client().list_artifacts(registry.version(1).run_id)}
    assert {"environment.txt", "model-card.md"} < kept
    assert {"predicted-and-answered.png", "reliability.png", "lift-by-person.png", "levels.png"} < kept
    made = registry.client().download_artifacts(registry.version(1).run_id, "environment.txt")
    assert f"\ntorch=={version('torch').split('+')[0]}" in Path(made).read_text()
    assert "| what is read | earlier answers" in registry.client().get_model_version("macro-micro", "1").description

    before = tree(home.lake)
    night(home, study)
    assert [v.number for v in registry.versions()] == [1]
    assert tree(home.lake) == before

    fill(home, study, days=12, people=4)
    later = night(home, study)
    assert later.success
    newest = registry.aliased(CHALLENGER)
    assert newest.number == 2
    assert newest.tags["gate"] == "declined"
    assert "24 answers of 4 people" in newest.tags["gate_reason"]
    assert registry.aliased(CHAMPION).number == 1
    again = Lake(home.lake).read_all(PREDICTIONS)
    assert again.height == 16
    assert again.filter(pl.col("date") == said["date"][0]).equals(said)


def test_the_table_in_the_lake_says_what_the_json_says(home: Home) -> None:
    study = study_of()
    fill(home, study, days=6, people=3)
    refresh_moments(home, study, quiet=True)
    done = refresh_evaluation(home, study)
    rows = Lake(home.lake).read(EVALUATION)
    figure = rows.filter((pl.col("protocol") == "P2N") & (pl.col("model") == "ewma") & (pl.col("figure") == "mae"))
    assert figure["value"].item() == done.table["P2N"]["ewma"]["mae"]
    assert json.loads(json.dumps(done.table, allow_nan=False)) == read_evaluation(home)
    assert Lake(home.lake).read(PREQUENTIAL)["answer"].is_not_null().sum() == 3 * 4 * 2
    assert not refresh_evaluation(home, study).fresh


def test_a_night_killed_after_registering_registers_nothing_twice(home: Home) -> None:
    study = study_of()
    fill(home, study, days=4, people=3)
    refresh_moments(home, study, quiet=True)
    trained = train_challenger(home, study)
    assert trained is not None
    registry = registry_of(home, study)
    client = registry.client()
    client.delete_registered_model_alias("macro-micro", CHALLENGER)
    client.update_run(trained.version.run_id, "RUNNING")
    again = train_challenger(home, study)
    assert again is not None
    assert (again.fresh, again.version.number, again.version.aliases) == (False, 1, (CHALLENGER,))
    assert client.get_run(trained.version.run_id).info.status == "FINISHED"


def test_a_night_killed_in_training_leaves_a_killed_run_and_no_version(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_of()
    fill(home, study, days=4, people=3)
    refresh_moments(home, study, quiet=True)
    registry = registry_of(home, study)
    client = registry.client()
    killed = client.create_run(registry.experiment(), tags={"inputs": "x"})
    trained = train_challenger(home, study)
    assert trained is not None
    assert client.get_run(killed.info.run_id).info.status == "KILLED"
    assert [v.number for v in registry.versions()] == [1]


def test_too_few_answers_are_said_and_the_baseline_becomes_champion(home: Home) -> None:
    study = study_of(max_epochs=5)
    fill(home, study, days=2, people=2)
    refresh_moments(home, study, quiet=True)
    refresh_evaluation(home, study)
    train_challenger(home, study)
    judged = judge(home, study)
    assert judged is not None
    assert judged.decision is not None
    assert judged.decision.promote
    assert "too few answers to train on" in judged.version.tags["note"]
    assert judged.version.tags["kind"] == "baseline"


def test_a_study_without_answers_learns_nothing_and_fails_nothing(home: Home) -> None:
    study = study_of()
    assert night(home, study).success
    assert predict_day(home, study).version is None
    assert registry_of(home, study).versions() == []


def test_the_assets_tell_tables_pictures_and_the_decision(home: Home) -> None:
    study = study_of(max_epochs=2, min_answers=10)
    fill(home, study, days=6, people=3)
    result = night(home, study)
    told = {
        name: result.asset_materializations_for_node(name)[0].metadata
        for name in ("evaluation", "challenger", "champion", "predictions")
    }
    assert "personal mean" in str(told["evaluation"]["P2"].value)
    assert "data:image/png" in str(told["evaluation"]["predicted and answered"].value)
    assert "data:image/png" in str(told["challenger"]["training"].value)
    assert told["challenger"]["kind of night"].value == "macro"
    assert told["challenger"]["why"].value == "there was no macro fit before"
    assert told["champion"]["against"].value == "the personal baseline"
    assert told["predictions"]["participants"].value == 3


def test_a_champion_that_can_no_longer_be_read_is_replaced_as_if_there_were_none(home: Home) -> None:
    study = study_of()
    registry = registry_of(home, study)
    for days in (3, 4):
        fill(home, study, days=days, people=3)
        refresh_moments(home, study, quiet=True)
        refresh_evaluation(home, study)
        train_challenger(home, study)
        judge(home, study)
        stored = registry.folder_of(registry.aliased(CHAMPION)) / "artifacts" / "model" / "model.json"
        stored.write_text(json.dumps({**json.loads(stored.read_text()), "format": 0}))
    assert registry.aliased(CHAMPION).number == 2
    assert registry.aliased(CHAMPION).tags["gate_against"] == "baseline"
