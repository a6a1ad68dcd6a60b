"""What MLflow runs to serve a registered version: loads its safetensors, answers frames. Nothing else belongs here.

MLflow executes this file from the model's own copy; importing it from elsewhere has no use. The copy's code is imported
beside whatever else is called `models` in the process (macromicro itself, another version, a project's own package),
which afterwards is found as before; so nothing in it may be imported later than here.
"""

import sys
import warnings
from collections.abc import Iterator, Mapping
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
    from models.errors import CohortError
    from models.frame import Asked, answers, as_numbers, columns, refuse_missing, unread
    from models.packaging import load


class Served(PythonModel):
    """One version of `macro-micro` behind MLflow's `predict(frame)`."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the weights that were logged beside this file."""
        self._model = load(Path(context.artifacts["model"]))
        self._read = columns(self._model.items, self._model.features)

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:  # noqa: ARG002
        """Predict a frame, or the same as JSON has it; see `models/frame.py` for its columns.

        Raises:
            ValueError: the frame is wrong, by the name of what is.
        """
        try:
            frame = self._frame(model_input)
            if others := unread(frame.columns, self._read):
                warnings.warn(f"this model does not read {', '.join(others)}", stacklevel=2)
            asked = Asked(frame.columns, lambda name: frame[name].to_numpy(), partial(_block, frame))
            return pd.DataFrame(answers(self._model, asked, **(params or {})), copy=False)
        except CohortError as error:  # which nobody could catch: it is this copy's own
            raise ValueError(str(error)) from None

    def _frame(self, given: Any) -> pd.DataFrame:
        """A frame of pandas, polars or Arrow; a row of pandas; a list of rows, columns by name, or one row."""
        if isinstance(given, pd.Series):
            given = given.to_dict()
        elif hasattr(given, "to_pandas"):
            given = given.to_pandas()
        if isinstance(given, pd.DataFrame):
            return given
        if isinstance(given, Mapping):
            refuse_missing(given, self._model.items)
            given = [given] if np.ndim(given["participant"]) == 0 else given
        elif isinstance(given, list) and all(isinstance(row, Mapping) for row in given):
            for row in given:
                refuse_missing(row, self._model.items)
        else:
            message = f"ask with a frame, a list of rows, columns by name or one row, not with {type(given).__name__}"
            raise CohortError(message)
        try:
            return pd.DataFrame(given)
        except ValueError:
            message = "the columns must be lists of one length"
            raise CohortError(message) from None


def _block(frame: pd.DataFrame, names: list[str]) -> NDArray[np.float64]:
    return as_numbers(frame[names].to_numpy())


mlflow.models.set_model(Served())
