"""The night's report: what it is made of, and how it becomes one self-contained file in `home/reports`.

Everything in it comes from tables: the catalogue, `daily`, `drift`, the evaluation, the registry, and what Dagster
knows of its runs. The three sections stand in `sections.py`, the page in `templates/`. The file asks nothing of the
network, carries its own charts and reads the reader's light or dark setting. It names study codes, never answers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date as Date
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from assets.lake import Key, Lake
from assets.learning.tables import EVALUATION
from assets.monitoring.days import DayPages, refresh_days
from assets.monitoring.history import Night, model_history, person_lifts
from assets.monitoring.operations import Operations
from assets.monitoring.sizes import FOLDER, home_sizes, human_size
from assets.monitoring.tables import DAILY, DRIFT
from assets.monitoring.yields import last_signs
from assets.study import Home, Study
from assets.tables import DUMPS
from models.registry import Registry

TEMPLATES = Path(__file__).with_name("templates")
OVER_DAYS = 28  # nothing from anybody for so long: the study is over, and the report looks at its last weeks


@dataclass(frozen=True)
class Material:
    """Everything a report is made of. `until` is the day it looks back from; `now` the study's local time."""

    study: Study
    now: datetime
    until: Date
    daily: pl.DataFrame
    dumps: pl.DataFrame
    drift: pl.DataFrame
    evaluation: pl.DataFrame
    people: pl.DataFrame
    nights: tuple[Night, ...] = ()
    operations: Operations = field(default_factory=Operations)
    sizes: Mapping[str, int] = field(default_factory=dict)
    days: DayPages = field(default_factory=DayPages)

    @property
    def over(self) -> bool:
        """Whether nobody has given anything for weeks."""
        return self.until < self.now.date()


def gather(home: Home, study: Study, now: datetime, operations: Operations | None = None) -> Material:
    """Read everything a report is made of, and draw the pages of single days that are missing.

    Args:
        home: the data home.
        study: its settings.
        now: the study's local time.
        operations: how the system is doing, where Dagster was asked.
    """
    lake, registry = Lake(home.lake), Registry(home.mlflow, study.study.name)
    daily = lake.read_all(DAILY)
    until = looked_back_from(daily, now.date())
    return Material(
        study=study,
        now=now,
        until=until,
        daily=daily,
        dumps=lake.read(DUMPS),
        drift=latest_drift(lake),
        evaluation=lake.read(EVALUATION),
        people=person_lifts(home, study),
        nights=tuple(model_history(home, registry)),
        operations=operations or Operations(),
        sizes=home_sizes(home),
        days=refresh_days(home, study, daily, until - timedelta(days=1), last_signs(daily, until)),
    )


def looked_back_from(daily: pl.DataFrame, today: Date) -> Date:
    """Today, or the day after the last data of a study that is over."""
    last = daily["date"].max()
    if isinstance(last, Date) and (today - last).days > OVER_DAYS:
        return last + timedelta(days=1)
    return today


def latest_drift(lake: Lake, *, before: Date = Date.max) -> pl.DataFrame:
    """What the last night that looked for drift found; the last one before a day, where one is given."""
    days = [key.date for key in lake.keys(DRIFT) if key.date is not None and key.date < before]
    return lake.read(DRIFT, Key(date=max(days))) if days else DRIFT.empty()


def write_report(home: Home, material: Material) -> Path:
    """Render the report and put it into `reports/`, in one step, as the night's and as the latest.

    Returns:
        The night's file.
    """
    page = render(material)
    folder = home.root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    night = folder / f"{material.now:%Y-%m-%d}.html"
    for path in (night, folder / "latest.html"):
        draft = path.with_name(f".tmp-{os.getpid()}-{path.name}")
        draft.write_text(page, encoding="utf-8")
        draft.replace(path)
    return night


def render(material: Material) -> str:
    """The whole page as HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from assets.monitoring.sections import coordinator, on_call, scientist, summary

    pages = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    pages.filters["size"] = human_size
    context: dict[str, Any] = {
        "study": material.study.study.name,
        "night": f"{material.now:%A, %d %B %Y}",
        "written": f"{material.now:%Y-%m-%d %H:%M} {material.study.timezone}",
        "over": material.until if material.over else None,
        "summary": summary(material),
        "coordinator": coordinator(material),
        "scientist": scientist(material),
        "on_call": on_call(material),
    }
    return pages.get_template("report.html.j2").render(context)
