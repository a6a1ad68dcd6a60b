"""What every test may ask for: a fresh study home, and the folder of real recordings where it exists."""

import os
from pathlib import Path

import pytest

from assets.study import PAPER_ITEMS, Home, Study

REAL_DATA_VARIABLE = "MACROMICRO_REAL_DATA"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings; a test that needs it skips, naming it, where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get(REAL_DATA_VARIABLE, default))
    if not folder.is_dir():
        pytest.skip(f"no real recordings at {folder} (set {REAL_DATA_VARIABLE})")
    return folder


@pytest.fixture
def study() -> Study:
    """A study in Berlin with the paper's nine items."""
    return Study.model_validate({"study": {"timezone": "Europe/Berlin"}, "items": {name: {} for name in PAPER_ITEMS}})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty data home."""
    return Home(tmp_path / "home")
