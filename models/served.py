"""What MLflow runs to serve a registered version: loads its safetensors, answers frames. Nothing else belongs here.

MLflow executes this file from the model's own copy; importing it from elsewhere has no use. The copy's code is imported
beside whatever else is called `models` in the process (macromicro itself, another version, a project's own package),
which afterwards is found as before; so nothing in it may be imported later than here.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from numpy.typing import NDArray

CODE = str(Path(__file__).parent / "code")  # where MLflow keeps the code of a logged model


def _imported() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "models"]


@contextmanager
def _own_code() -> Iterator[None]:
    others, path = {name: sys.modules.pop(name) for name in _imported()}, list(sys.path)
    try:
        yield
    finally:
        for name in _imported():
            del sys.modules[name]
        sys.modules.update(others)
        sys.path[:] = [entry for entry in path if entry != CODE]


with _own_code():
    from models.frame import Asked, answers
    from models.packaging import load


class Served(PythonModel):
    """One version of `macro-micro` behind MLflow's `predict(frame)`."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the weights that were logged beside this file."""
        self._model = load(Path(context.artifacts["model"]))

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:  # noqa: ARG002
        """Predict a frame; see `models/frame.py` for its columns."""
        asked = Asked(model_input.columns, lambda name: model_input[name].to_numpy(), partial(_block, model_input))
        return pd.DataFrame(answers(self._model, asked, **(params or {})), copy=False)


def _block(frame: pd.DataFrame, names: list[str]) -> NDArray[np.float64]:
    try:
        return frame[names].to_numpy(np.float64, na_value=np.nan)
    except TypeError:  # of columns of objects pandas leaves its own NA as it is
        return frame[names].to_numpy(object, na_value=np.nan).astype(np.float64)


mlflow.models.set_model(Served())
