"""The models' history as a scientist reads it: every version with its figures, and what it does for each person.

Reads the registry and the evaluation's tables; draws nothing. Versions that house-keeping has retired are read from
the lake, where their figures stay.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from datetime import date as Date

import polars as pl

from assets.lake import Lake
from assets.learning.schedule import TRAINING
from assets.learning.tables import PREQUENTIAL
from assets.monitoring.tables import RETIRED
from assets.study import Home, Study
from models.cohort import Floats
from models.registry import CHAMPION, Registry, Version

PROTOCOL = "P2N"
"""The protocol that a night can keep: nothing but what was known the evening before."""
RIVALS = ("ewma", "ar1_ou", "personal_mean")
MOST_VERSIONS = 200


@dataclass(frozen=True)
class Night:
    """One version: what it was fitted on, how the gate judged it, and the figures of its night."""

    version: int
    trained_until: Date | None
    answers: int
    people: int
    kind: str
    gate: str
    reason: str
    champion: bool = False
    retired: bool = False
    training: str = ""
    gate_figures: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)

    def metric(self, model: str, figure: str) -> float | None:
        """A figure of its evaluation under `PROTOCOL`."""
        return self.metrics.get(f"{PROTOCOL}.{model}.{figure}")


def model_history(home: Home, registry: Registry) -> list[Night]:
    """Every version, oldest first; at most the newest few hundred."""
    versions = registry.versions()[:MOST_VERSIONS]
    metrics = registry.metrics([v.run_id for v in versions]) if versions else {}
    known = {v.number for v in versions}
    retired = [n for n in _retired(Lake(home.lake).read(RETIRED)) if n.version not in known]
    living = [night_of(v, metrics.get(v.run_id, {})) for v in reversed(versions)]
    return sorted([*retired, *living], key=lambda night: night.version)[-MOST_VERSIONS:]


def night_of(version: Version, metrics: Mapping[str, float]) -> Night:
    """A version and its run's metrics as a line of history."""
    tags, until = version.tags, version.trained_until_us
    return Night(
        version.number,
        datetime.fromtimestamp(until / 1e6, UTC).date() if until else None,
        int(tags.get("answers", 0)),
        int(tags.get("people", 0)),
        tags.get("kind", ""),
        tags.get("gate", ""),
        tags.get("gate_reason", tags.get("note", "")),
        champion=CHAMPION in version.aliases,
        training=tags.get(TRAINING, ""),
        gate_figures=json.loads(tags.get("gate_figures", "{}")),
        metrics=metrics,
    )


def person_lifts(home: Home, study: Study) -> pl.DataFrame:
    """What the model spares each person of their baseline's error, % of the scale, over the last test answers.

    Returns:
        Columns `participant`, `answers`, `lift`, `covered` (share of answers inside their interval).
    """
    rows = Lake(home.lake).read(PREQUENTIAL).drop_nulls("answer")
    spans = {name: item.high - item.low for name, item in study.items.items()}
    rows = rows.filter(pl.col("item").is_in(list(spans)))
    span = pl.col("item").replace_strict(spans, return_dtype=pl.Float64())
    spared = (pl.col("baseline") - pl.col("answer")).abs() - (pl.col("value") - pl.col("answer")).abs()
    inside = pl.col("answer").is_between(pl.col("low"), pl.col("high"))
    return (
        rows.with_columns(spared=100 * spared / span, inside=inside)
        .group_by("participant")
        .agg(answers=pl.len(), lift=pl.col("spared").mean(), covered=pl.col("inside").mean())
        .sort("participant")
    )


def lifts_of(people: pl.DataFrame) -> Floats:
    """The column `lift` as an array, (people,)."""
    return people["lift"].cast(pl.Float64).to_numpy()


def _retired(frame: pl.DataFrame) -> list[Night]:
    fields = ("version", "trained_until", "answers", "people", "kind", "gate", "reason")
    return [
        Night(
            **{name: row[name] for name in fields},
            retired=True,
            training=row["training"] or "",
            gate_figures=json.loads(row["gate_figures"]),
            metrics=json.loads(row["metrics"]),
        )
        for row in frame.sort("version").iter_rows(named=True)
    ]
