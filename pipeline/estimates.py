"""What the champion says of one participant, asked as any MLflow user would ask it.

The row asked is the night's own (`assets/moments/cohort.py`), the model is the registry's champion through plain
`mlflow.pyfunc`: so a person at a terminal and a program elsewhere get the same numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
import polars.selectors as cs

from assets.errors import StudyError
from assets.moments.cohort import asked, people
from assets.moments.table import items_of
from assets.study import PARTICIPANT_PATTERN, Home, Study
from models.cohort import Item
from models.errors import RegistryError
from models.frame import WHY
from models.packaging import items_in
from models.registry import CHAMPION, Registry


def estimate(home: Home, study: Study, participant: str) -> tuple[dict[str, Any], pl.DataFrame]:
    """The champion's estimate of every item for the participant's coming day.

    Returns:
        The answer as plain values, and the one-row frame that the model was asked with.

    Raises:
        StudyError: the code is none that a participant may have.
        RegistryError: there is no champion, or it was fitted on other items.
    """
    if not re.match(PARTICIPANT_PATTERN, participant):
        message = f"{participant!r} is no study code: letters, digits, - and _, at most 64"
        raise StudyError(message)
    registry = Registry(home.mlflow, study.study.name)
    version = registry.aliased(CHAMPION)
    _same_items(items_in(registry.model_of(version)), items_of(study), version.number)
    import mlflow.pyfunc

    # How much of a look-back was measured stands in the moments and is nothing that the model asks for.
    frame = asked(home, study, [participant]).select(~cs.ends_with(".coverage"))
    registry.client()
    # The warnings are of other packages than the model was trained with; looking for them takes a second.
    model = mlflow.pyfunc.load_model(version.uri, suppress_warnings=True)
    said = pl.from_pandas(model.predict(frame.to_pandas(), params={"why": True}))
    ages = frame["past_age_h"].list.drop_nulls()[0]
    until = int(frame["time_us"][0]) - int(ages.min() * 3_600_000_000) if len(ages) else None
    return {
        "participant": participant,
        "day": frame["day"][0].isoformat(),
        "known_person": bool(said["known_person"][0]),
        "in_study": participant in people(home),
        "answers_before": len(ages),
        "last_answer": _iso(until),
        "model_version": version.number,
        "coverage": study.gate.coverage,
        "updated": _iso(version.trained_until_us or None),
        "items": [_item(row) for row in said.iter_rows(named=True)],
    }, frame


def _same_items(fitted: Sequence[Item], now: Sequence[Item], version: int) -> None:
    """Refuse a model of other items or scales than the study has now."""
    gone, new = (
        ", ".join(f"{i.name} {i.low:g}–{i.high:g}" for i in a if i not in b) for a, b in ((fitted, now), (now, fitted))
    )
    if gone or new:
        message = (
            f"version {version} was fitted on other items than study.toml has now (then {gone or 'fewer'}; now "
            f"{new or 'fewer'}). The next night fits a new one: macromicro run"
        )
        raise RegistryError(message)


def _item(row: dict[str, Any]) -> dict[str, Any]:
    why = {name.removeprefix(WHY): value for name, value in row.items() if name.startswith(WHY)}
    return {name: row[name] for name in ("item", "value", "low", "high")} | {"why": why}


def _iso(time_us: int | None) -> str | None:
    return None if time_us is None else datetime.fromtimestamp(time_us / 1e6, UTC).isoformat(timespec="seconds")
