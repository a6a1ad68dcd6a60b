"""A report's material built from rows: a study of some weeks in which something of everything has happened."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from assets.learning.tables import EVALUATION
from assets.monitoring.history import Night
from assets.monitoring.operations import Operations, RunLine, Stage, Step
from assets.monitoring.report import Material
from assets.monitoring.tables import DRIFT
from assets.study import Study
from assets.tables import DUMPS
from tests.assets.monitoring.rows import FIRST, day, days

ZONE = ZoneInfo("Europe/Berlin")
WEEKS = 35


def empty(study: Study) -> Material:
    """A home on its first day: nothing anywhere."""
    none = pl.DataFrame(schema={"participant": pl.String, "answers": pl.Int64, "lift": pl.Float64})
    now = datetime(2026, 3, 2, 4, tzinfo=ZONE)
    return Material(study, now, now.date(), days(), DUMPS.empty(), DRIFT.empty(), EVALUATION.empty(), none)


def busy(study: Study, people: int = 8) -> Material:
    """Five weeks: P00 stopped, a feature drifted, a dump was refused, a step failed, nights of versions."""
    rng = np.random.default_rng(3)
    rows = [
        day(f"P{p:02d}", n, worn_h=8 + rng.normal(), skin_h=6.0, clips=3, self_reports=5)
        | {"temperature.temp_c": 33 + rng.normal() * 0.3 + (2.0 if n >= 30 else 0.0), "device": "E4"}
        for p in range(people)
        for n in range(20 if p == 0 else WEEKS)
    ]
    now = datetime(2026, 4, 6, 5, tzinfo=ZONE)
    return Material(
        study=study,
        now=now,
        until=now.date(),
        daily=days(*rows),
        dumps=DUMPS.frame(
            [
                {"dump": "a", "path": "P01/ok.zip", "participant": "P01", "state": "read"},
                {"dump": "b", "path": "P02/<b>.zip", "participant": "P02", "state": "quarantined", "reason": "no <zip>"}
                | {"received_us": 1_775_000_000_000_000},
            ]
        ),
        drift=DRIFT.frame([drift_row()]),
        evaluation=evaluation_rows(),
        people=pl.DataFrame({"participant": ["P01", "P02", "P03"], "answers": [9, 9, 9], "lift": [-0.5, 1.0, 2.0]}),
        nights=tuple(version(n) for n in range(1, 6)),
        operations=operations(now),
        sizes={"lake": 3_400_000, "dagster": 12_000},
    )


def drift_row() -> dict[str, object]:
    found = {"feature": "temperature.temp_c", "group": "everyone", "since": FIRST + timedelta(days=30), "people": 7}
    return {**found, "shift_sd": 3.1, "score": 9.0, "limit": 5.0, "agreeing": 1.0, "drifted": True}


def evaluation_rows() -> pl.DataFrame:
    rows = [
        {"protocol": "P2N", "model": model, "figure": figure, "value": value}
        for model, value in (("ewma", 0.41), ("macro_micro", 0.52), ("global_mean", None))
        for figure in ("pooled_ccc", "mae")
    ]
    return EVALUATION.frame(rows)


def version(number: int) -> Night:
    figures = {f"P2N.{m}.{f}": 0.4 + number / 100 for m in ("macro_micro", "ewma") for f in ("pooled_ccc", "mae")}
    return Night(
        number,
        FIRST + timedelta(days=number),
        100 * number,
        8,
        "macro_micro",
        "promoted" if number in {1, 4} else "declined",
        "no lift to be sure of",
        champion=number == 4,
        metrics={**figures, "P2N.macro_micro.coverage": 0.88},
    )


def operations(now: datetime) -> Operations:
    start = now.astimezone(UTC) - timedelta(hours=2)
    steps = (
        Step("dumps", start, start + timedelta(minutes=1)),
        Step("physiology", start + timedelta(minutes=1), start + timedelta(minutes=9), "LakeError"),
    )
    stages = (Stage("recordings", start, 0), Stage("physiology", start - timedelta(days=2), 3), Stage("gate", None))
    run = RunLine("0123456789", "nightly", start, start + timedelta(minutes=9), "failed")
    return Operations(stages, (run,), steps)
