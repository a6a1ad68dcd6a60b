"""The grid on a study's home: MLflow runs below one parent, nothing twice, pages for people."""

import json
import os
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from assets.lake import Lake
from assets.learning.asked import Variant, protocol_tables
from assets.learning.grid import load_material, run_grid
from assets.learning.grid_assets import assets
from assets.learning.grid_pages import BEGIN, END, page_section, summary
from assets.learning.work import settings_of
from assets.moments.unit import refresh_moments
from assets.study import Home
from models import newcomers
from models.baselines import BASELINES
from models.errors import ModelError
from models.evaluation import Evaluation
from models.paper import design
from models.registry import Registry
from models.settings import Settings
from pipeline.cli import app
from tests.assets.learning.studies import fill, study_of
from tests.models.registries import prepare

FEW = {name: BASELINES[name] for name in ("global_mean", "personal_mean", "linear_mixed")}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")
    parts = (("max",), ("none", "heads"), ("equal",), ("ccc",))
    monkeypatch.setattr(design, "GRIDS", {"small": parts, "paper": parts})
    monkeypatch.setattr("models.paper.grid.BASELINES", FEW)
    quick = partial(newcomers.evaluate_newcomers, shown=(0, 7), folds=2, baselines=FEW, draw_count=50)
    monkeypatch.setattr(newcomers, "evaluate_newcomers", quick)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose moments are made: four people, ten days."""
    home = Home(tmp_path_factory.mktemp("grid") / "home")
    prepare(home.mlflow)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MACROMICRO_WORKERS", "1")
        fill(home, study_of(), days=10, people=4)
        refresh_moments(home, study_of(), quiet=True)
    home.study_file.write_text(
        '[study]\ntimezone = "UTC"\n[items.happy]\n[items.sad]\n[training]\nmax_epochs = 1\nseeds = 2\n'
    )
    return home.root


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Home:
    return Home(shutil.copytree(template, tmp_path / "home"))


def test_a_grid_is_one_run_with_one_below_it_for_each_cell_and_is_run_once(home: Home) -> None:
    study = home.study()
    done = run_grid(home, study, "small", load_material(home, study))
    assert (done.cells, done.fresh) == (4, 4)
    registry = Registry(home.mlflow, "study: paper grid")
    client, experiment = registry.client(), registry.experiment()

    def children() -> list[str]:
        found = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{done.run_id}'")
        assert {run.info.status for run in found} == {"FINISHED"}
        assert {run.data.params["personalisation"] for run in found} == {"none", "heads"}
        return sorted(run.info.run_id for run in found)

    first = children()
    assert len(first) == 4
    again = run_grid(home, study, "small", load_material(home, study))
    assert (again.fresh, again.run_id, again.rows) == (0, done.run_id, done.rows)
    assert children() == first
    assert client.get_run(done.run_id).info.status == "FINISHED"
    kept = json.loads(Lake(home.lake).read_bytes("evaluation/grid_small.json") or b"{}")
    assert kept["table"] == done.rows
    assert {row["name"] for row in done.rows} == {"max/none/equal", "max/heads/equal", *FEW}


def test_new_answers_make_new_cells_and_a_grid_that_broke_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    study = home.study()
    run_grid(home, study, "small", load_material(home, study))
    fill(home, study, days=12, people=4)
    refresh_moments(home, study, quiet=True)

    def broken(*_: object) -> None:
        message = "the disk is full"
        raise OSError(message)

    with monkeypatch.context() as patched:
        patched.setattr("models.paper.grid.references", broken)
        with pytest.raises(OSError, match="full"):
            run_grid(home, study, "small", load_material(home, study))
    again = run_grid(home, study, "small", load_material(home, study))
    assert again.fresh == 0
    statuses = Registry(home.mlflow, "study: paper grid").client().get_run(again.run_id).info.status
    assert statuses == "FINISHED"
    # Another grid may be at work on the cells of other answers: they go when nobody has touched them for a week.
    folders = list((home.scratch / "paper_grid").iterdir())
    assert len(folders) == 2
    for folder in folders:
        os.utime(folder, (0, 0))
    run_grid(home, study, "small", load_material(home, study))
    assert len(list((home.scratch / "paper_grid").iterdir())) == 1


def test_the_asset_shows_where_the_grid_stands(home: Home) -> None:
    told = dg.materialize(assets(home, home.study())).asset_materializations_for_node("grid")[0].metadata
    assert "personal mean" in str(told["where it stands"].value)
    assert "linear mixed" in str(told["table"].value)
    assert "data:image/png" in str(told["figure"].value)
    assert told["cells"].value == 4


def test_the_command_shows_the_grid_and_protocols_that_no_night_makes(home: Home, tmp_path: Path) -> None:
    def say(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["--home", str(home.root), "evaluate", *arguments])
        assert done.exit_code == 0, done.output
        return " ".join(done.stdout.split())

    said = say("--grid", "small", "--json", str(tmp_path / "grid.json"))
    assert "The paper's grid under P1" in said
    rows = json.loads((tmp_path / "grid.json").read_text())
    assert len(rows) == 2 + len(FEW)
    assert {row["seeds"] for row in rows} == {0, 2}  # as the study says
    say("--grid", "small", "--seeds", "1", "--json", str(tmp_path / "grid.json"))
    assert {row["seeds"] for row in json.loads((tmp_path / "grid.json").read_text())} == {0, 1}
    said = say("--protocol", "P1", "--protocol", "P3", "--json", str(tmp_path / "table.json"))
    assert "P1: the last fifth of each person's answers" in said
    assert "after their first 7 answers" in said
    tables = json.loads((tmp_path / "table.json").read_text())
    assert set(tables) == {"P1", "P3 k=0", "P3 k=7"}
    assert tables["P3 k=0"]["global_mean"]["answers"] == 4 * 2 * 2
    assert protocol_tables(home, home.study(), ["P1", "P3"]) == tables


def test_another_seed_is_another_fit_that_serves_both_nightly_protocols_and_is_kept(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def evaluated(_cohort: object, settings: Settings, protocols: Sequence[str], **_: object) -> Evaluation:
        asked.append((settings.seed, tuple(protocols)))
        return Evaluation({p: {"macro_micro": {"seed": settings.seed}} for p in protocols}, {})

    monkeypatch.setattr("models.evaluation.evaluate", evaluated)
    seed = settings_of(home.study()).seed + 3
    for protocol in ("P2N", "P2", "P2N"):
        tables = protocol_tables(home, home.study(), [protocol], variant=Variant(more=3))
        assert tables == {protocol: {"macro_micro": {"seed": seed}}}
    assert asked == [(seed, ("P2", "P2N"))]


def test_an_unknown_protocol_and_a_home_without_answers_are_refused(home: Home, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="P2N"):
        protocol_tables(home, home.study(), ["P9"])
    empty = Home(tmp_path / "empty")
    with pytest.raises(ModelError, match="no answers yet"):
        load_material(empty, home.study())


def test_a_page_keeps_what_is_around_the_grids_part() -> None:
    page = page_section("# Results\n\nBefore.\n", "first")
    assert page == f"# Results\n\nBefore.\n\n{BEGIN}\nfirst\n{END}\n"
    assert page_section(page + "\nAfter.\n", "second") == f"# Results\n\nBefore.\n\n{BEGIN}\nsecond\n{END}\n\nAfter.\n"


def test_the_sentence_counts_cells_above_and_below_the_personal_mean() -> None:
    cells = [
        {"name": "max/none/equal", "seeds": 1, "pooled_ccc": 0.3, "over": -0.1, "over_ci": [-0.2, -0.05]},
        {"name": "max/heads/equal", "seeds": 1, "pooled_ccc": 0.5, "over": 0.1, "over_ci": [0.05, 0.2]},
        {"name": "personal_mean", "seeds": 0, "pooled_ccc": 0.4, "over": 0.0, "over_ci": [0.0, 0.0]},
    ]
    said = summary(cells)
    assert "Of 2 designs 1 lie above the personal mean with their whole interval and 1 below" in said
    assert "max/heads/equal with a pooled CCC of 0.500, 0.100 (0.050 … 0.200) over it" in said
