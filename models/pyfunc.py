"""The registered model as any MLflow user meets it: its frame, its signature, and how it is logged.

A row of the frame asks about one participant at one time and brings its own past: `past_age_h` (hours before, oldest
first) and `past_<item>` (the answers, NaN where an item was not answered), beside any of the feature columns of
`models/cohort.py`; columns that are left out count as missing. So a prediction needs no lake, and depends on nothing
but its own row.

The logged model is code plus safetensors: MLflow runs `models/served.py` from the model's own copy of this package
(`code_paths`), so it loads where macromicro is not installed, and nothing in it is a pickle. The input example is made
up, never taken from a study.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import polars as pl

from models.cohort import Cohort, Floats, Ints, Item, cohort_from_frame
from models.errors import CohortError

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

HOUR_US = 3_600_000_000
DAY_H = 24.0
ASKED = ("participant", "time_us", "day", "local_hour", "past_age_h")
# What the code in a logged model imports; the versions are those it was trained with.
NEEDS = ("mlflow", "numpy", "pandas", "polars", "pyarrow", "safetensors", "torch", "scipy")


class Estimates(Protocol):
    """What a model says of some rows, each (rows, items) in scale units."""

    @property
    def value(self) -> Floats:
        """The estimates."""

    @property
    def low(self) -> Floats:
        """Lower ends of the intervals."""

    @property
    def high(self) -> Floats:
        """Upper ends of the intervals."""


class Predictor(Protocol):
    """What a fitted model must offer to be served."""

    @property
    def items(self) -> Sequence[Item]:
        """The items it predicts, in order."""

    @property
    def modalities(self) -> Mapping[str, Sequence[str]]:
        """The features it was fitted with, by modality."""

    @property
    def participants(self) -> Sequence[str]:
        """Everyone it has parameters of."""

    def predict(self, cohort: Cohort, rows: Ints, *, nightly: bool = False) -> Estimates:
        """Predict some rows of a cohort from what lies before each."""


def predict_frame(model: Predictor, frame: pl.DataFrame) -> pl.DataFrame:
    """Predict every row of a pyfunc frame.

    Args:
        model: the fitted model.
        frame: the columns of the module's docstring; `day` as date, datetime or ISO text.

    Returns:
        Long: `participant, time_us, item, value, low, high, known_person`, rows in the order asked, items in theirs.

    Raises:
        CohortError: a needed column is absent or of the wrong shape.
    """
    cohort, rows = unfold(frame, model.items, model.modalities)
    said, items = model.predict(cohort, rows, nightly=False), [i.name for i in model.items]
    known = frame["participant"].cast(pl.String).is_in(list(model.participants))
    return pl.DataFrame(
        {
            "participant": np.repeat(frame["participant"].cast(pl.String).to_numpy(), len(items)),
            "time_us": np.repeat(frame["time_us"].to_numpy(), len(items)),
            "item": items * frame.height,
            "value": np.asarray(said.value, dtype=np.float64).ravel(),
            "low": np.asarray(said.low, dtype=np.float64).ravel(),
            "high": np.asarray(said.high, dtype=np.float64).ravel(),
            "known_person": np.repeat(known.to_numpy(), len(items)),
        },
        schema=OUTPUT,
    )


OUTPUT = {
    "participant": pl.String(),
    "time_us": pl.Int64(),
    "item": pl.String(),
    "value": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "known_person": pl.Boolean(),
}


def unfold(frame: pl.DataFrame, items: Sequence[Item], modalities: Mapping[str, Sequence[str]]) -> tuple[Cohort, Ints]:
    """A pyfunc frame as a cohort in which every row asked is a person of its own, preceded by its past.

    Two rows of one participant stay apart, since each brings the past that it may know.

    Returns:
        The cohort, and the places of the rows asked, in their order.
    """
    frame = _checked(frame, items)
    past = _past(frame, items)
    asked = frame.with_columns(
        pl.col("participant").cast(pl.String), *(pl.lit(None, pl.Float64()).alias(f"y_{i.name}") for i in items)
    ).with_row_index("row")
    rows = pl.concat([past, asked.drop("past_age_h", *(f"past_{i.name}" for i in items))], how="diagonal_relaxed")
    rows = rows.sort("row", "time_us", maintain_order=True)
    # Each row asked is its own person here: the row's number keeps their pasts apart, the code says who they are.
    own = rows.with_columns(participant=pl.format("{}", pl.col("row").cast(pl.String).str.zfill(12)))
    cohort = cohort_from_frame(own, items, modalities)
    codes = tuple(frame["participant"].cast(pl.String))
    last = np.flatnonzero(np.r_[cohort.person[1:] != cohort.person[:-1], True]) if len(cohort) else np.zeros(0, int)
    return replace(cohort, participants=codes), last.astype(np.int64)


def _checked(frame: pl.DataFrame, items: Sequence[Item]) -> pl.DataFrame:
    needed = [*ASKED, *(f"past_{i.name}" for i in items)]
    missing = [c for c in needed if c not in frame.columns]
    if missing:
        message = f"the frame lacks {', '.join(missing)}; a row needs {', '.join(needed)}, and may have features"
        raise CohortError(message)
    lists = [c for c in needed if c.startswith("past_")]
    frame = frame.with_columns(pl.col(lists).cast(pl.List(pl.Float64())).fill_null([]), _day(frame))
    sizes = frame.select(pl.col(lists).list.len())
    wrong = [c for c in lists if (sizes[c] != sizes["past_age_h"]).any()]
    if wrong:
        message = f"{', '.join(wrong)} must be as long as past_age_h in every row (NaN where an item was not answered)"
        raise CohortError(message)
    if (frame["past_age_h"].list.min() <= 0).any():
        message = "past_age_h must be above 0: hours from each past answer to the time asked about"
        raise CohortError(message)
    return frame


def _day(frame: pl.DataFrame) -> pl.Expr:
    text = frame.schema["day"] == pl.String()
    return (pl.col("day").str.slice(0, 10).str.to_date() if text else pl.col("day").cast(pl.Date)).alias("day")


def _past(frame: pl.DataFrame, items: Sequence[Item]) -> pl.DataFrame:
    """The past answers as rows: time from the age; day and hour from the wall clock of the row that brings them."""
    lists = ["past_age_h", *(f"past_{i.name}" for i in items)]
    past = frame.select("participant", "time_us", "day", "local_hour", *lists).with_row_index("row")
    past = past.filter(pl.col("past_age_h").list.len() > 0).explode(lists)
    clock = pl.col("local_hour") - pl.col("past_age_h")
    return past.select(
        "row",
        pl.col("participant").cast(pl.String),
        pl.col("time_us") - (pl.col("past_age_h") * HOUR_US).round().cast(pl.Int64),
        pl.col("day") + pl.duration(days=(clock / DAY_H).floor().cast(pl.Int64)),
        (clock - (clock / DAY_H).floor() * DAY_H).alias("local_hour"),
        *(pl.col(f"past_{i.name}").alias(f"y_{i.name}") for i in items),
    )


def signature(items: Sequence[Item], modalities: Mapping[str, Sequence[str]]) -> ModelSignature:
    """MLflow's signature of the frame and of what comes back; feature columns are optional."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec
    from mlflow.types.schema import Array

    plain = {"participant": DataType.string, "time_us": DataType.long, "day": DataType.datetime}
    asked: list[ColSpec | TensorSpec] = [ColSpec(kind, name) for name, kind in plain.items()]
    asked.append(ColSpec(DataType.double, "local_hour"))
    lists = [ColSpec(Array(DataType.double), name) for name in ("past_age_h", *(f"past_{i.name}" for i in items))]
    features = [
        ColSpec(DataType.long if name.endswith(".past_n") else DataType.double, name, required=False)
        for name in feature_columns(modalities)
    ]
    kinds = {pl.String(): DataType.string, pl.Int64(): DataType.long, pl.Float64(): DataType.double}
    said: list[ColSpec | TensorSpec] = [
        ColSpec(kinds.get(kind, DataType.boolean), name) for name, kind in OUTPUT.items()
    ]
    return ModelSignature(Schema([*asked, *lists, *features]), Schema(said))


def feature_columns(modalities: Mapping[str, Sequence[str]]) -> list[str]:
    """Every optional column of the frame, in order."""
    columns = []
    for modality, names in modalities.items():
        columns.append(f"{modality}.past_n")
        for name in names:
            columns += [f"{modality}.{name}", f"{modality}.{name}.past_mean", f"{modality}.{name}.past_sd"]
    return columns


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
    logged = mlflow.pyfunc.log_model(
        name="macro-micro",
        python_model=str(here / "served.py"),
        artifacts={"model": str(folder)},
        code_paths=[str(here)],
        signature=signature(model.items, model.modalities),
        input_example=example(model.items),
        pip_requirements=_requirements(),
        metadata=dict(metadata),
    )
    return str(logged.model_id)


def _requirements() -> list[str]:
    """Exact versions of what the served code imports, without build marks such as `+cpu`."""
    from importlib.metadata import version

    return [f"{name}=={version(name).split('+')[0]}" for name in NEEDS]
