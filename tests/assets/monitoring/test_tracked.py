"""The night's report beside its version, in a real MLflow store: files, sizes, and what the page leaves out."""

from dataclasses import replace
from pathlib import Path

import pytest

from assets.monitoring.days import DayPages
from assets.monitoring.report import Material
from assets.monitoring.tracked import FOLDER, keep_with_version
from assets.study import PAPER_ITEMS, Home, Study
from models.registry import Registry
from tests.assets.monitoring.material import FIRST, busy, empty
from tests.models.registries import prepare

PNG = b"\x89PNG\r\n\x1a\n"
CURVES = {
    "agreement-by-night.png",
    "error-by-night.png",
    "lift-over-baselines-by-night.png",
    "coverage-of-the-intervals-by-night.png",
}
HEAT_MAPS = {"yield-worn.png", "yield-skin.png", "yield-voice.png", "yield-answers.png"}


@pytest.fixture
def registry(home: Home, study: Study) -> Registry:
    return two_versions(home, study)


def two_versions(home: Home, study: Study) -> Registry:
    """A registry as two nights leave it."""
    home.root.mkdir(parents=True)
    made = Registry(prepare(home.mlflow), study.study.name)
    for number in (1, 2):
        with made.run("night", str(number), {}) as run_id:
            model = made.client().create_logged_model(made.experiment(), source_run_id=run_id)
            made.register(str(model.model_id), run_id, str(number), {})
    return made


def kept(registry: Registry, number: int, to: Path) -> dict[str, bytes]:
    """The files beside a version's run, as anybody with an MLflow client gets them."""
    from mlflow.artifacts import download_artifacts

    run_id = registry.version(number).run_id
    if not registry.client().list_artifacts(run_id, FOLDER):
        return {}
    folder = Path(download_artifacts(run_id=run_id, artifact_path=FOLDER, dst_path=str(to)))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Study, Material, Registry]:
    """Five busy weeks, kept with the newest of two versions; a participant's day has a page of its own."""
    home = Home(tmp_path_factory.mktemp("tracked") / "home")
    study = Study.model_validate({"study": {"timezone": "Europe/Berlin"}, "items": {name: {} for name in PAPER_ITEMS}})
    material = replace(busy(study), days=DayPages({("P00", FIRST): f"P00_{FIRST}.html"}))
    registry = two_versions(home, study)
    assert keep_with_version(home, study, material) == 2
    return home, study, material, registry


def test_the_newest_version_gets_the_report_the_curves_and_a_heat_map_a_modality(
    night: tuple[Home, Study, Material, Registry], tmp_path: Path
) -> None:
    *_, registry = night
    files = kept(registry, 2, tmp_path)
    assert files.keys() == {"report.html"} | CURVES | HEAT_MAPS
    pictures = {name: data for name, data in files.items() if name != "report.html"}
    assert all(data.startswith(PNG) for data in pictures.values())
    assert 1_000 < min(map(len, pictures.values()))
    assert max(map(len, pictures.values())) < 100_000
    assert kept(registry, 1, tmp_path / "first") == {}


def test_the_page_there_leads_to_no_single_day_and_holds_no_answers(
    night: tuple[Home, Study, Material, Registry], tmp_path: Path
) -> None:
    _, study, material, registry = night
    assert material.days.links
    page = kept(registry, 2, tmp_path)["report.html"].decode()
    assert "Champion: version 4" in page
    assert "days/" not in page
    assert not any(item in page for item in study.items)


def test_a_morning_that_only_looks_again_adds_nothing(
    night: tuple[Home, Study, Material, Registry], tmp_path: Path
) -> None:
    home, study, material, registry = night
    before = kept(registry, 2, tmp_path / "before")
    assert keep_with_version(home, study, replace(material, nights=())) is None
    assert kept(registry, 2, tmp_path / "after") == before


def test_a_first_night_keeps_a_report_without_curves_again_where_it_was_killed_before_the_page(
    home: Home, study: Study, registry: Registry, tmp_path: Path
) -> None:
    assert keep_with_version(home, study, empty(study)) == 2
    first = kept(registry, 2, tmp_path / "first")
    assert first.keys() == {"report.html"}
    [page] = registry.artifacts.rglob(f"{FOLDER}/report.html")
    page.unlink()
    assert keep_with_version(home, study, empty(study)) == 2
    assert kept(registry, 2, tmp_path / "again") == first


def test_without_a_version_nothing_is_kept_and_no_store_is_made(home: Home, study: Study) -> None:
    assert keep_with_version(home, study, empty(study)) is None
    assert not home.mlflow.exists()
