"""The frame that the registered model is asked with, and what comes back.

A row asks about one participant at one time and brings its own past: `past_age_h` (hours before, oldest first) and
`past_<item>` (the answers, NaN where an item was not answered), beside any of the feature columns of
`models/cohort.py`; columns that are left out count as missing. With `nightly` true it asks as a nightly batch does:
from earlier days' answers and `yesterday` alone, and with intervals that fit that. So a prediction needs no lake, and
depends on nothing but its own row. MLflow's side of it is `models/pyfunc.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import polars as pl

from models.cohort import Cohort, Floats, Ints, Item, Mask, cohort_from_frame, modalities_from_frame
from models.errors import CohortError

HOUR_US = 3_600_000_000
DAY_H = 24.0
ASKED = ("participant", "time_us", "day", "local_hour", "past_age_h")
OUTPUT = {
    "participant": pl.String(),
    "time_us": pl.Int64(),
    "item": pl.String(),
    "value": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "known_person": pl.Boolean(),
}
WHY = "why."  # before the name of a part, in the columns that say what it moved the estimate by


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


class Explained(Estimates, Protocol):
    """… and by what they were moved."""

    @property
    def moved(self) -> Mapping[str, Floats]:
        """What each part of what is known moves the estimates by, each (rows, items); empty where nobody asked."""


class Predictor(Protocol):
    """What a fitted model must offer to be served."""

    @property
    def items(self) -> Sequence[Item]:
        """The items it predicts, in order."""

    @property
    def features(self) -> Mapping[str, Sequence[str]]:
        """The features it was fitted with, by modality."""

    @property
    def participants(self) -> Sequence[str]:
        """Everyone it has parameters of."""

    def predict(self, cohort: Cohort, rows: Ints, *, nightly: bool = False, why: bool = False) -> Explained:
        """Predict some rows of a cohort from what lies before each, and `why`."""


def parts(features: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """What may contribute to an estimate: each modality, the person's answers, the person's own parameters."""
    return (*features, "history", "person")


def predict_frame(model: Predictor, frame: pl.DataFrame) -> pl.DataFrame:
    """Predict every row of a pyfunc frame.

    Args:
        model: the fitted model.
        frame: the columns of the module's docstring; `day` as date, datetime or ISO text.

    Returns:
        Long: `participant, time_us, item, value, low, high, known_person`, then `why.<part>`: what each modality,
        the person's `history` and the `person`'s own parameters moved the estimate by, in scale units. Rows in the
        order asked, items in theirs.

    Raises:
        CohortError: a needed column is absent or of the wrong shape.
    """
    cohort, rows = unfold(frame, model.items, model.features)
    said = _said(model, cohort, rows, nightly_rows(frame))
    items = [i.name for i in model.items]
    known = frame["participant"].cast(pl.String).is_in(list(model.participants))
    return pl.DataFrame(
        {
            "participant": np.repeat(frame["participant"].cast(pl.String).to_numpy(), len(items)),
            "time_us": np.repeat(frame["time_us"].to_numpy(), len(items)),
            "item": items * frame.height,
            **{name: said[name].ravel() for name in ("value", "low", "high")},
            "known_person": np.repeat(known.to_numpy(), len(items)),
            **{f"{WHY}{part}": said[part].ravel() for part in parts(model.features)},
        },
        schema=OUTPUT | {f"{WHY}{part}": pl.Float64() for part in parts(model.features)},
    )


def nightly_rows(frame: pl.DataFrame) -> Mask:
    """Which rows are asked the night before, (rows,): those whose optional column `nightly` is true."""
    if "nightly" not in frame.columns:
        return np.zeros(frame.height, dtype=np.bool_)
    return frame["nightly"].cast(pl.Boolean).fill_null(False).to_numpy()


def _said(model: Predictor, cohort: Cohort, rows: Ints, nightly: Mask) -> dict[str, Floats]:
    """Value, ends and contributions, each (rows, items); rows of the night before are predicted as such."""
    names = ("value", "low", "high", *parts(model.features))
    out = {name: np.full((len(rows), len(model.items)), np.nan) for name in names}
    for which, by_night in ((~nightly, False), (nightly, True)):
        if which.any():
            said = model.predict(cohort, rows[which], nightly=by_night, why=True)
            for name, values in {"value": said.value, "low": said.low, "high": said.high, **said.moved}.items():
                out[name][which] = values
    return out


def unfold(frame: pl.DataFrame, items: Sequence[Item], features: Mapping[str, Sequence[str]]) -> tuple[Cohort, Ints]:
    """A pyfunc frame as a cohort in which every row asked is a person of its own, preceded by its past.

    Two rows of one participant stay apart, since each brings the past that it may know.

    Returns:
        The cohort, and the places of the rows asked, in their order.
    """
    frame = _checked(frame, items)
    past = _past(frame, items)
    asked = frame.select("participant", "time_us", "day", "local_hour").with_row_index("row")
    rows = pl.concat([past, asked.cast({"participant": pl.String()})], how="diagonal_relaxed")
    # Each row asked is its own person here: the row's number keeps their pasts apart, the code says who they are.
    own = rows.with_columns(participant=pl.col("row").cast(pl.String).str.zfill(12))
    cohort = cohort_from_frame(own, items, {})
    rank, count = cohort.rank()
    last = np.flatnonzero(rank + 1 == count)
    # The past brings answers alone, so that body and voice are laid out for the rows asked only.
    measured = modalities_from_frame(frame, features).items()
    return replace(
        cohort,
        participants=tuple(frame["participant"].cast(pl.String)),
        modalities={name: modality.spread(last, len(cohort)) for name, modality in measured},
    ), last


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
    past = frame.select("participant", "time_us", "day", "local_hour", *lists, nightly=pl.Series(nightly_rows(frame)))
    past = past.with_row_index("row")
    past = past.filter(pl.col("past_age_h").list.len() > 0).explode(lists)
    clock = pl.col("local_hour") - pl.col("past_age_h")
    on = pl.col("day") + pl.duration(days=(clock / DAY_H).floor().cast(pl.Int64))
    # The night before, every past answer is of an earlier day, also where a clock change blurs the count of hours.
    on = pl.when("nightly").then(pl.min_horizontal(on, pl.col("day") - pl.duration(days=1))).otherwise(on)
    return past.select(
        "row",
        pl.col("participant").cast(pl.String),
        pl.col("time_us") - (pl.col("past_age_h") * HOUR_US).round().cast(pl.Int64),
        on.alias("day"),
        (clock - (clock / DAY_H).floor() * DAY_H).alias("local_hour"),
        *(pl.col(f"past_{i.name}").alias(f"y_{i.name}") for i in items),
    )
