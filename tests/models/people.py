"""A small made-up cohort with known truth, and the real self-report tables, as cohorts."""

from pathlib import Path

import numpy as np
import polars as pl

from models.cohort import Cohort, Item, Modality
from models.tables import cohort_from_frame

HOUR_US = 3_600_000_000
DAY_ZERO = 20_000  # days since the epoch
PROMPT_HOURS = (9.0, 12.0, 15.0, 18.0, 21.0)


def made_up(
    people: int = 8,
    days: int = 10,
    items: int = 3,
    *,
    missed: float = 0.2,
    icc: float = 0.35,
    coupling: float = 0.0,
    seed: int = 0,
) -> Cohort:
    """Answers = personal level + noise; with `coupling`, modality `hrv` follows the noise with personal sign."""
    random = np.random.default_rng(seed)
    each = days * len(PROMPT_HOURS)
    rows = people * each
    person = np.repeat(np.arange(people), each)
    place = np.tile(np.arange(each), people)
    level = random.normal(size=(people, items)) * np.sqrt(icc)
    swing = random.normal(size=(rows, 1)) * np.sqrt((1 - icc) * 0.7)
    noise = random.normal(size=(rows, items)) * np.sqrt((1 - icc) * 0.3)
    answers = np.clip(50 + 15 * (level[person] + swing + noise), 0, 100)
    answers[random.random(rows) < missed] = np.nan
    day = DAY_ZERO + place // len(PROMPT_HOURS)
    hour = np.array(PROMPT_HOURS)[place % len(PROMPT_HOURS)]
    sign = np.where(random.random(people) < 0.7, 1.0, -1.0)[person, None]
    values = coupling * sign * swing + random.normal(size=(rows, 4))
    values[random.random(rows) < 0.3] = np.nan
    return Cohort(
        items=tuple(Item(f"item{k}", 0.0, 100.0) for k in range(items)),
        participants=tuple(f"P{p:03d}" for p in range(people)),
        person=person,
        time_us=((day * 24 + hour) * HOUR_US).astype(np.int64),
        day=day.astype(np.int64),
        local_hour=hour,
        answers=answers,
        modalities={"hrv": with_past(values, person)} if coupling else {},
    )


def with_past(values: np.ndarray, person: np.ndarray) -> Modality:
    """A modality whose past columns are the running figures of earlier rows of the person."""
    mean, sd = np.full(values.shape, np.nan), np.full(values.shape, np.nan)
    count = np.zeros(len(values), dtype=np.int64)
    for row in range(len(values)):
        mine = values[:row][person[:row] == person[row]]
        mine = mine[~np.isnan(mine).any(axis=1)]
        count[row] = len(mine)
        if len(mine):
            mean[row] = mine.mean(0)
        if len(mine) > 1:
            sd[row] = mine.std(0, ddof=1)
    return Modality(tuple(f"f{k}" for k in range(values.shape[1])), values, mean, sd, count)


def rowland(folder: Path) -> Cohort:
    """rowland2020: 8 items, 6 beeps a day at 10:00, 12:00, … 20:00, only answered beeps."""
    items = ("happy", "excited", "relaxed", "satisfied", "angry", "anxious", "depressed", "sad")
    table = pl.read_csv(folder / "self_reports" / "rowland2020.csv", infer_schema_length=None)
    return _beeps(table, items, pl.col("dayno").cast(pl.Int64), 8 + 2 * pl.col("beep").cast(pl.Int64))


def fisher(folder: Path) -> Cohort:
    """fisher2017: the 22 items asked at each beep, 4 beeps a day in the order of the rows."""
    table = pl.read_csv(folder / "self_reports" / "fisher2017.csv", infer_schema_length=None, null_values=["NA"])
    items = [c for c in table.columns if c not in ("subj_id", "hours", "difficult", "unsatisfy")]
    order = pl.int_range(pl.len()).over("subj_id")
    return _beeps(table, items, order // 4, 10 + 4 * (order % 4))


def _beeps(table: pl.DataFrame, items: tuple[str, ...] | list[str], day: pl.Expr, hour: pl.Expr) -> Cohort:
    frame = table.select(
        participant="S" + pl.col("subj_id").cast(pl.Int64).cast(pl.String).str.zfill(3),
        day=(DAY_ZERO + day).cast(pl.Int32).cast(pl.Date),
        local_hour=hour.cast(pl.Float64),
        time_us=((DAY_ZERO + day) * 24 + hour) * HOUR_US,
        **{f"y_{item}": pl.col(item).cast(pl.Float64) for item in items},
    )
    answered = pl.any_horizontal(pl.col("^y_.*$").is_not_null())
    return cohort_from_frame(frame.filter(answered), [Item(i, 0, 100) for i in items], {})
