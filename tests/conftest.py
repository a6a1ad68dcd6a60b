"""What every test may ask for: a fresh study home, and the folder of real recordings where it exists."""

import os
import sys
from collections.abc import Iterator
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


def mlflow_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}


MLFLOW_AT_START = mlflow_variables()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The nights of the whole line come first: they take minutes, and the rest fits beside them."""
    items.sort(key=lambda item: "line" not in item.path.parts)


@pytest.fixture(autouse=True)
def mlflow_environment() -> Iterator[None]:
    """MLflow notes the registry in use in the environment; commands that a later test starts must not find it."""
    yield
    for name in mlflow_variables():
        del os.environ[name]
    os.environ.update(MLFLOW_AT_START)


@pytest.fixture
def study() -> Study:
    """A study in Berlin with the paper's nine items."""
    return Study.model_validate({"study": {"timezone": "Europe/Berlin"}, "items": {name: {} for name in PAPER_ITEMS}})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty data home."""
    return Home(tmp_path / "home")


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    """What a test draws from torch's own randomness it draws alike every time, whichever tests came before."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
