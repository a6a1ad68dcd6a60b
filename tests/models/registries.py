"""Fresh registries for tests: MLflow's empty database is made once and copied, since making it takes seconds."""

import shutil
import tempfile
from functools import cache
from pathlib import Path

from models.registry import Registry


@cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="macromicro-registry-"))
    Registry(folder).client()
    return folder / "mlflow.db"


def prepare(folder: Path) -> Path:
    """Put an empty registry into a folder, as the first night would, and return the folder."""
    (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_template(), folder / "mlflow.db")
    return folder
