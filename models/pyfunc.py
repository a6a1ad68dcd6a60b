"""The registered model as any MLflow user meets it: its signature, its input example, and how it is logged.

The logged model is code plus safetensors: MLflow runs `models/served.py` from the model's own copy of this package
(`code_paths`), so it loads where macromicro is not installed, and nothing in it is a pickle. The input example is made
up, never taken from a study. What the frame means and how it is answered is `models/frame.py`; what moved an estimate
is told on asking, `predict(frame, params={"why": True})`, since it takes several times as long.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from models.cohort import Item, feature_columns
from models.frame import ASKED, OUTPUT, WHY, Predictor, parts

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

# What the code in a logged model imports; the versions are those it was trained with.
NEEDS = ("mlflow", "numpy", "pandas", "safetensors")


def signature(items: Sequence[Item], features: Mapping[str, Sequence[str]]) -> ModelSignature:
    """MLflow's signature: the columns of the frame, and of what comes back, where what moved estimates is optional.

    What columns must hold, and which must be there, `models/frame.py` sees to, and says so by the column's name: where
    MLflow refuses a frame it prints it, with what people answered.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
    from mlflow.types.schema import AnyType

    anything = AnyType()  # type: ignore[no-untyped-call]
    plain = (*ASKED, *(f"past_{i.name}" for i in items), "nightly")
    asked: list[ColSpec | TensorSpec] = [ColSpec(anything, name, required=False) for name in plain]
    # Hundreds of columns are looked at sooner if they have a type; MLflow knows none of a count that may be missing.
    asked += [
        ColSpec(anything if name.endswith(".past_n") else DataType.double, name, required=False)
        for name in feature_columns(features)
    ]
    kinds = {str: DataType.string, int: DataType.long, float: DataType.double, bool: DataType.boolean}
    said: list[ColSpec | TensorSpec] = [ColSpec(kinds[kind], name) for name, kind in OUTPUT.items()]
    said += [ColSpec(DataType.double, f"{WHY}{part}", required=False) for part in parts(features)]
    why = ParamSchema([ParamSpec("why", DataType.boolean, default=False)])
    return ModelSignature(Schema(asked), Schema(said), why)


def example(items: Sequence[Item]) -> Any:
    """Two made-up rows as a pandas frame: someone with three past answers, and someone new."""
    ages = [30.0, 26.0, 5.5]
    rows: list[dict[str, object]] = [
        {"participant": "EXAMPLE1", "past_age_h": ages, **{f"past_{i.name}": _made_up(i) for i in items}},
        {"participant": "EXAMPLE2", "past_age_h": [], **{f"past_{i.name}": [] for i in items}},
    ]
    when = datetime(2000, 1, 3, 12)  # noqa: DTZ001 (MLflow's datetime columns carry no zone)
    clock: dict[str, object] = {"time_us": 946_900_800_000_000, "day": when.replace(hour=0), "local_hour": 12.0}
    return pl.DataFrame([{**row, **clock} for row in rows]).to_pandas()


def _made_up(item: Item) -> list[float]:
    return [item.low + (item.high - item.low) * share for share in (0.4, 0.5, 0.6)]


def log_model(folder: Path, model: Predictor, metadata: Mapping[str, object]) -> str:
    """Log a packaged model to the MLflow run in progress.

    Args:
        folder: what `models.packaging.save` wrote: safetensors and JSON.
        model: the same model, for its signature.
        metadata: facts for the `MLmodel` file; no health data.

    Returns:
        The id of MLflow's logged model, whose files are complete.
    """
    import mlflow.pyfunc

    here = Path(__file__).parent
    with _no_bytecode():
        logged = mlflow.pyfunc.log_model(
            name="macro-micro",
            python_model=str(here / "served.py"),
            artifacts={"model": str(folder)},
            code_paths=[str(here)],
            signature=signature(model.items, model.features),
            input_example=example(model.items),
            pip_requirements=_requirements(),
            metadata=dict(metadata),
        )
    return str(logged.model_id)


@contextmanager
def _no_bytecode() -> Iterator[None]:
    """MLflow runs the code of a model that it is about to store; what Python compiles then would be stored with it."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _requirements() -> list[str]:
    """Exact versions of what the served code imports, without build marks such as `+cpu`."""
    from importlib.metadata import version

    return [f"{name}=={version(name).split('+')[0]}" for name in NEEDS]
