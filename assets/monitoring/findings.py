"""What turns a check of this stage red, and why: pure rules over the tables of the stage.

A check that is red for the wrong reason is soon ignored. A study that is over, a week with few dumps and a feature
nobody measures are no reasons. Dagster's side is `report_assets.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date as Date
from datetime import timedelta

import polars as pl

from assets.monitoring.report import OVER_DAYS
from assets.study import Report

WEEK = timedelta(days=7)
FEWEST_REFUSED = 3  # one or two bad files of a week are everyday life, whatever share they are
NEW_DAYS = 3  # a drift whose day moved by less than this since last night is the same drift


@dataclass(frozen=True)
class Finding:
    """One check's outcome: whether all is well, one sentence, and its figures."""

    passed: bool
    said: str
    figures: dict[str, float | int | str] = field(default_factory=dict)


def somebody_gives(daily: pl.DataFrame, today: Date, settings: Report) -> Finding:
    """Whether anybody has given anything in the last days."""
    last = daily["date"].max()
    if not isinstance(last, Date):
        return Finding(True, "Nobody has given anything yet.")
    quiet = max(0, (today - last).days - 1)
    figures: dict[str, float | int | str] = {"last day with data": str(last), "days without any since": quiet}
    if quiet > OVER_DAYS:
        return Finding(True, f"The study's data end on {last}.", figures)
    said = f"The last day with any data is {last}."
    return Finding(quiet < settings.quiet_days, said, figures)


def dumps_are_read(dumps: pl.DataFrame, until_us: int, settings: Report) -> Finding:
    """Whether the dumps received in the week before `until_us` (UTC µs) could be read."""
    recent = dumps.filter(pl.col("received_us") > until_us - WEEK // timedelta(microseconds=1))
    refused = recent.filter(pl.col("state") == "quarantined").height
    share = refused / recent.height if recent.height else 0.0
    said = f"{refused} of {recent.height} dumps of the last week are in quarantine."
    red = refused >= FEWEST_REFUSED and share > settings.quarantined_share
    return Finding(not red, said, {"dumps of the week": recent.height, "refused": refused, "share": round(share, 3)})


def nothing_drifted(drift: pl.DataFrame, new: int = 0) -> Finding:
    """Whether every watched feature is as people's own past has it; `new` drifts were not there the night before."""
    moved = drift.filter("drifted")
    if moved.is_empty():
        return Finding(True, f"None of {drift.height} watched features moved.", {"watched": drift.height})
    told = [f"{row['feature']} ({row['group']}) since {row['since']}" for row in moved.iter_rows(named=True)]
    figures: dict[str, float | int | str] = {"watched": drift.height, "moved": moved.height, "new": new}
    return Finding(False, f"{moved.height} moved: {'; '.join(told)}.", figures)


def nothing_waits(waiting: dict[str, int]) -> Finding:
    """Whether every participant-day is up to date."""
    left = {name: count for name, count in waiting.items() if count}
    if not left:
        return Finding(True, "Every participant-day is up to date.")
    told = ", ".join(f"{name} {count}" for name, count in left.items())
    return Finding(False, f"Still to compute: {told}. The next night tries again.", dict(left))


def new_drifts(now: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Drifts that the night before had not found already."""
    old = {row["feature"]: row["since"] for row in before.filter("drifted").iter_rows(named=True)}
    known = [
        feature in old and abs((since - old[feature]).days) <= NEW_DAYS
        for feature, since in now.select("feature", "since").iter_rows()
    ]
    return now.filter(pl.col("drifted") & ~pl.Series("known", known, pl.Boolean()))
