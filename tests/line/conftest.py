"""A small simulated study before and after its first night, for every file that starts from there."""

import shutil
from pathlib import Path

import pytest

from tests.line.studies import macromicro


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose inbox is full and whose lake is empty."""
    home = tmp_path_factory.mktemp("simulated") / "home"
    macromicro(home, "init", "--timezone", "Europe/Berlin")
    settings = (home / "study.toml").read_text()
    quick = {
        "max_epochs = 200": "max_epochs = 3",
        "min_answers = 100": "min_answers = 10",
        "members = 4": "members = 1",
        "trees = 150": "trees = 20",
        "day_pages = 12": "day_pages = 1",
    }
    for usual, here in quick.items():
        assert usual in settings
        settings = settings.replace(usual, here)
    (home / "study.toml").write_text(settings)
    macromicro(home, "simulate", "--participants", "3", "--days", "2", "--seed", "7")
    max((home / "inbox" / "P002" / "e4").glob("*.zip")).rename(home / "held-back.zip")
    return home


@pytest.fixture(scope="session")
def first_night(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("first") / "home"
    shutil.copytree(simulated, home)
    macromicro(home, "run")
    return home
