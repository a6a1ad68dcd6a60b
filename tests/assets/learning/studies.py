"""A made-up study of answers alone, in the lake as ingest would leave it: enough people and answers to learn from."""

import numpy as np
import polars as pl

from assets.study import Home, Study
from assets.tables import SELF_REPORTS
from tests.assets.moments.rows import DAY_US, HOUR_US, START_US, live_in, sources

ITEMS = ("happy", "sad")


def study_of(**training: object) -> Study:
    return Study.model_validate(
        {
            "study": {"timezone": "UTC"},
            "items": {n: {} for n in ITEMS},
            "training": {"max_epochs": 0, "members": 1, "trees": 20, **training},
        }
    )


def answers(seed: int, days: int, first_day: int = 0) -> pl.DataFrame:
    """Three answers a day around a person's own level, drifting."""
    rng = np.random.default_rng(seed)
    level, rows = rng.uniform(25, 75, len(ITEMS)), []
    for day in range(days):
        for hour in (9, 13, 18):
            level = level + rng.normal(0, 2, len(ITEMS))
            for item, value in zip(ITEMS, np.clip(level + rng.normal(0, 8, len(ITEMS)), 0, 100), strict=True):
                rows.append(
                    {"time_us": START_US + day * DAY_US + hour * HOUR_US, "item": item, "value": value, "dump": "d"}
                )
    return SELF_REPORTS.frame(rows).filter(pl.col("time_us") >= START_US + first_day * DAY_US)


def fill(home: Home, study: Study, days: int = 10, people: int = 6) -> None:
    """Everyone's first `days` days; calling it again with more days adds the later ones."""
    for seed in range(people):
        live_in(home, study, f"P{seed + 1}", sources(answers(seed, days)))
