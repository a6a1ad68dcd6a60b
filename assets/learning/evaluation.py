"""The study's honest table, kept in the lake: the model beside every baseline, under P2 and P2N.

On a macro night everything is fitted on the first four fifths of each person's answers, apart from anything that is
registered; this twin of the night's version predicts the last fifth, and is kept. On micro nights nothing is fitted:
the twin predicts every answer after its four fifths, those since the macro night included. The gate judges the next
version by it (`champion.py`). Done again only when moments, settings or code changed. How to evaluate is
`models/evaluation.py`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from assets.lake import Lake
from assets.learning.honest_table import leaves
from assets.learning.schedule import MACRO, MICRO, Night, tonight
from assets.learning.tables import EVALUATION, PREQUENTIAL
from assets.learning.twin import keep_twin, read_twin
from assets.learning.wishes import macro_wished
from assets.learning.work import learning_inputs, registry_of, scratch, settings_of
from assets.moments.cohort import load_cohort
from assets.study import Home, Study
from models.errors import MacromicroError

if TYPE_CHECKING:
    from models.cohort import Cohort
    from models.evaluation import Evaluation, Tested

FILE = "evaluation/evaluation.json"
PROTOCOLS = ("P2", "P2N")
Say = Callable[[str, float], None]


@dataclass(frozen=True)
class Evaluated:
    """The table by protocol, model and figure; whether it was made anew; what there is to say of the fit."""

    table: dict[str, dict[str, Any]]
    fresh: bool
    note: str = ""


def refresh_evaluation(home: Home, study: Study, progress: Say | None = None, *, macro: bool = False) -> Evaluated:
    """Bring the table up to date; where nothing changed, the one in the lake.

    Args:
        home: the data home.
        study: its settings.
        progress: told what is being done and how far it is (0–1).
        macro: fit everything anew, whatever kind of night it would be.
    """
    inputs, lake = learning_inputs(home, study), Lake(home.lake)
    stored, macro = _stored(lake), macro or macro_wished(home)
    if stored and stored["inputs"] == inputs and (stored.get("training", MACRO) == MACRO or not macro):
        return Evaluated(stored["table"], fresh=False, note=stored["note"])
    cohort = load_cohort(home, study)
    if not cohort.labelled.any():
        return Evaluated({p: {} for p in PROTOCOLS}, fresh=False, note="nobody has answered yet")
    registry = registry_of(home, study)
    night = tonight(home, study, registry, cohort, wished=macro)
    line = inputs if night.base is None else registry.version(night.base).inputs
    done, training = _evaluated(home, study, cohort, night, line, progress)
    table, note = plain(done.table), done.tested["P2"].model.note
    lake.write(PREQUENTIAL, prequential(cohort, done.tested["P2"]))
    lake.write(EVALUATION, long(table))
    # Written last: what it says of its inputs holds for both tables above.
    content = {"inputs": inputs, "training": training, "note": note, "table": table}
    lake.write_bytes(FILE, json.dumps(content, sort_keys=True).encode())
    return Evaluated(table, fresh=True, note=note)


def _evaluated(
    home: Home, study: Study, cohort: Cohort, night: Night, line: str, progress: Say | None
) -> tuple[Evaluation, str]:
    """Tables and predictions, and how they came about; `line` is the digest of what the macro version was made from."""
    from models.evaluation import evaluate, evaluate_again

    twin = None if night.macro else read_twin(Lake(home.lake), line)
    if twin is not None:
        return evaluate_again(cohort, twin, progress=progress), MICRO
    folder = scratch(home, learning_inputs(home, study), "evaluation")
    done = evaluate(cohort, settings_of(study), PROTOCOLS, checkpoint=folder, progress=progress)
    keep_twin(Lake(home.lake), line, done.tested["P2"].model)
    return done, MACRO


def read_evaluation(home: Home) -> dict[str, dict[str, Any]]:
    """The last table: `table[protocol][model][figure]`; undefined figures are None.

    Raises:
        MacromicroError: no night has evaluated anything yet.
    """
    stored = _stored(Lake(home.lake))
    if stored is None:
        message = f"{home.root} holds no evaluation yet. Run: macromicro run"
        raise MacromicroError(message)
    table: dict[str, dict[str, Any]] = stored["table"]
    return table


def prequential(cohort: Cohort, tested: Tested) -> pl.DataFrame:
    """The twin's and the personal baseline's predictions of every test answer, as the lake's table."""
    items, rows = [i.name for i in cohort.items], tested.rows
    baseline = replace(tested.model, network=None).predict(cohort, rows).value
    codes = np.array(cohort.participants, dtype=object)[cohort.person[rows]]
    columns = {
        "answer": tested.answers,
        "value": tested.interval.value,
        "low": tested.interval.low,
        "high": tested.interval.high,
        "baseline": baseline,
    }
    return pl.DataFrame(
        {
            "participant": pl.Series(np.repeat(codes, len(items)).tolist(), dtype=pl.String()),
            "time_us": np.repeat(cohort.time_us[rows], len(items)),
            "item": pl.Series(items * len(rows), dtype=pl.String()),
            **{name: pl.Series(v.ravel(), dtype=pl.Float64()).fill_nan(None) for name, v in columns.items()},
        }
    )


def plain(value: Any) -> Any:
    """Nested figures as JSON knows them: NaN and infinities are None, pairs are lists."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value


def long(table: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame:
    """The table as one row per figure; nested figures get dotted names, intervals end in `.low` and `.high`."""
    rows: list[dict[str, object]] = [
        {"protocol": protocol, "model": model, "figure": figure, "value": value}
        for protocol, models in table.items()
        for model, figures in models.items()
        for figure, value in leaves(figures)
    ]
    return EVALUATION.frame(rows)


def _stored(lake: Lake) -> dict[str, Any] | None:
    data = lake.read_bytes(FILE)
    return json.loads(data) if data else None
