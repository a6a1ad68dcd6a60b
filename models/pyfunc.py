"""The registered model as any MLflow user meets it: its signature, its input example, and how it is logged.

The logged model is code plus safetensors: MLflow runs `models/served.py` from the model's own copy of this package
(`code_paths`), so it loads where macromicro is not installed, and nothing in it is a pickle. The input example is made
up, never taken from a study. What the frame means and how it is answered is `models/frame.py`; what moved an estimate
is told on asking, `predict(frame, params={"why": True})`, since it takes several times as long. MLflow hands frames on
as they are (`docs/decisions/0012`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from models.cohort import Item, feature_columns
from models.frame import ASKED, OUTPUT, WHY, Predictor, parts, past_columns

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

# What the code in a logged model imports; the versions are those it was trained with.
NEEDS = ("mlflow", "numpy", "pandas", "safetensors")


def signature(items: Sequence[Item], features: Mapping[str, Sequence[str]]) -> ModelSignature:
    """MLflow's signature: the columns of the frame, and of what comes back, where what moved estimates is optional.

    MLflow is told that the model checks its input itself, as it is of models with type hints: looking at hundreds of
    columns one by one takes longer than an estimate, and where MLflow refuses a frame it prints it, with what people
    answered. An MLflow that does not know of this checks all the same.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
    from mlflow.types.schema import Array

    numbers = Array(DataType.double)
    plain: dict[str, DataType | Array] = {
        "participant": DataType.string,
        "time_us": DataType.long,
        "day": DataType.datetime,
        "past_age_h": numbers,
    }
    asked: list[ColSpec | TensorSpec] = [ColSpec(plain.get(name, DataType.double), name) for name in ASKED]
    asked += [ColSpec(numbers, name) for name in past_columns(items)]
    asked += [ColSpec(DataType.boolean, "nightly", required=False)]
    asked += [ColSpec(DataType.double, name, required=False) for name in feature_columns(features)]
    kinds = {str: DataType.string, int: DataType.long, float: DataType.double, bool: DataType.boolean}
    said: list[ColSpec | TensorSpec] = [ColSpec(kinds[kind], name) for name, kind in OUTPUT.items()]
    said += [ColSpec(DataType.double, f"{WHY}{part}", required=False) for part in parts(features)]
    why = ParamSchema([ParamSpec("why", DataType.boolean, default=False)])
    out = ModelSignature(Schema(asked), Schema(said), why)
    out._is_signature_from_type_hint = True  # noqa: SLF001 (a test holds MLflow to it)
    return out


def example(items: Sequence[Item]) -> list[dict[str, object]]:
    """Two made-up rows, as JSON may bring them: someone with three past answers, and someone new."""
    clock: dict[str, object] = {"time_us": 946_900_800_000_000, "day": "2000-01-03", "local_hour": 12.0}
    some = {"past_age_h": [30.0, 26.0, 5.5], **dict(zip(past_columns(items), map(_made_up, items), strict=True))}
    none: dict[str, object] = {name: [] for name in some}
    return [{"participant": "EXAMPLE1", **clock, **some}, {"participant": "EXAMPLE2", **clock, **none}]


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
    _without_paths(str(logged.artifact_path))
    return str(logged.model_id)


def _without_paths(logged: str) -> None:
    """MLflow writes into `MLmodel` where a model's parts lay before, which it needs no more."""
    from mlflow.artifacts import download_artifacts
    from mlflow.models import Model

    told = Path(download_artifacts(artifact_uri=logged)) / "MLmodel"  # of a local store, the file itself
    model = Model.load(told)
    flavor = model.flavors["python_function"]
    flavor["model_code_path"] = Path(flavor["model_code_path"]).name
    for artifact in flavor["artifacts"].values():
        artifact["uri"] = Path(artifact["uri"]).name
    model.save(told)


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
