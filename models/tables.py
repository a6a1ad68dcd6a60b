"""Polars tables in and out: the moments of a study as a cohort, and questions answered as the registered model does.

What the columns mean is `models/cohort.py` and `models/frame.py`; these work on arrays, so that a registered version
needs no polars.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import polars as pl

from models.cohort import Cohort, Floats, Item, modalities_of
from models.errors import CohortError
from models.frame import OUTPUT, Asked, Predictor, answers, within_scale


def cohort_from_frame(frame: pl.DataFrame, items: Sequence[Item], modalities: Mapping[str, Sequence[str]]) -> Cohort:
    """Build a cohort from a moments frame.

    Args:
        frame: columns as in the module's table; absent feature columns count as missing.
        items: the study's items, in order.
        modalities: for each modality, the features wanted, in order.

    Raises:
        CohortError: a needed column is absent or has rows without a value, an answer lies outside its scale, or a
            person has two rows at one time.
    """
    needed = ["participant", "time_us", "day", "local_hour"]
    missing = [c for c in needed if c not in frame.columns]
    if missing:
        message = f"the frame lacks {', '.join(missing)}; a moments frame has {', '.join(needed)} and the features"
        raise CohortError(message)
    empty = [c for c in needed if frame[c].has_nulls()]
    if empty:
        message = f"rows of the frame have no {', no '.join(empty)}; every moment is somebody's and of some time"
        raise CohortError(message)
    frame = frame.sort("participant", "time_us")
    if frame.select(pl.struct("participant", "time_us").is_duplicated().any()).item():
        message = "two rows of one participant share a time; each moment must be unique"
        raise CohortError(message)
    participants = tuple(frame["participant"].unique(maintain_order=True))
    codes = {code: n for n, code in enumerate(participants)}
    given = asked(frame).numbers([f"y_{i.name}" for i in items])
    for item, own in zip(items, given.T, strict=True):
        within_scale(item, f"y_{item.name}", own)
    return Cohort(
        items=tuple(items),
        participants=participants,
        person=np.array([codes[p] for p in frame["participant"]], dtype=np.int64),
        time_us=frame["time_us"].cast(pl.Int64).to_numpy(),
        day=frame["day"].cast(pl.Date).cast(pl.Int32).cast(pl.Int64).to_numpy(),
        local_hour=frame["local_hour"].cast(pl.Float64).to_numpy(),
        answers=given,
        modalities=modalities_of(asked(frame).numbers, modalities),
    )


def predict_frame(model: Predictor, frame: pl.DataFrame, *, why: bool = True) -> pl.DataFrame:
    """Predict every row of a frame and tell, unless not asked, what moved each estimate.

    Args:
        model: the fitted model.
        frame: the columns of `models/frame.py`; `day` as date, datetime or ISO text.
        why: also say what moved each estimate.

    Raises:
        CohortError: a needed column is absent or of the wrong shape.
    """
    said = answers(model, asked(frame), why=why)
    return pl.DataFrame(said, schema={name: OUTPUT.get(name, float) for name in said})


def asked(frame: pl.DataFrame) -> Asked:
    """A frame as arrays."""
    return Asked(frame.columns, lambda name: frame[name].to_numpy(), partial(_block, frame))


def _block(frame: pl.DataFrame, names: list[str]) -> Floats:
    some = frame.select(names)
    if not all(kind.is_numeric() or kind in (pl.Boolean, pl.Null) for kind in some.dtypes):
        message = "no number"
        raise TypeError(message)
    return some.select(pl.all().cast(pl.Float64).fill_null(np.nan)).to_numpy()
