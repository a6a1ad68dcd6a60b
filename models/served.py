"""What MLflow runs to serve a registered version: loads its safetensors, answers frames. Nothing else belongs here.

MLflow executes this file from the model's own copy; importing it from elsewhere has no use.
"""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from models.frame import Asked, answers
from models.packaging import load


class Served(PythonModel):
    """One version of `macro-micro` behind MLflow's `predict(frame)`."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the weights that were logged beside this file."""
        self._model = load(Path(context.artifacts["model"]))

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:  # noqa: ARG002
        """Predict a frame; see `models/frame.py` for its columns."""
        asked = Asked(
            model_input.columns,
            lambda name: model_input[name].to_numpy(),
            lambda names: model_input[names].to_numpy(np.float64, na_value=np.nan),
        )
        return pd.DataFrame(answers(self._model, asked, **(params or {})), copy=False)


mlflow.models.set_model(Served())
