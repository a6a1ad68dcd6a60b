"""Drift: has a feature moved for many people at once, since when, and for whom?

Everyone is compared with their own past (`shift.py` says how). Compared are everybody's days, those of each device
model and each firmware, and updates that reach people on different days, laid over each other. Weekends are levelled
first. Of a feature's findings the surest is kept: a change of one device is surer among its wearers than in the whole
study, so it is told of that device. Pure; which table findings go to belongs to the asset.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date as Date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.monitoring.panel import HORIZON_DAYS, Panel, level_weekends, middle, own_sd, panel_of
from assets.monitoring.shift import CLIP, FEWEST_DAYS, FEWEST_PEOPLE, Found, scan
from assets.monitoring.tables import DRIFT, FEATURES
from models.cohort import Floats

EVERYONE = "everyone"


def find_drift(daily: pl.DataFrame, last: Date, features: Sequence[str] = FEATURES) -> pl.DataFrame:
    """The best-fitting change of each feature in the last weeks, as rows of `drift`.

    Args:
        daily: rows of `daily` with `participant`.
        last: the last whole day; later days are ignored.
        features: columns to watch.
    """
    panel = level_weekends(panel_of(daily, last, features))
    groups = list(_groups(panel))
    found = [(name, days, scan(values, starts, len(groups))) for name, days, values, starts in groups]
    rows = []
    for n, feature in enumerate(features):
        name, days, best = max(found, key=lambda g: _ratio(g[2], n), default=(EVERYONE, (), None))
        if best is not None and best.people[n]:
            rows.append(
                {
                    "feature": feature,
                    "group": name,
                    "since": days[best.at[n]],
                    "shift_sd": float(best.shift[n]),
                    "score": float(best.score[n]),
                    "limit": float(best.limit[n]),
                    "people": int(best.people[n]),
                    "agreeing": float(best.agreeing[n]),
                    "drifted": bool(best.drifted[n]),
                }
            )
    return DRIFT.frame(rows)


def nightly_shift(
    daily: pl.DataFrame, last: Date, feature: str, group: str, since: Date
) -> tuple[list[Date], list[float | None]]:
    """One feature's nights before and after a change, as the mean distance from people's own past.

    Args:
        daily: rows of `daily` with `participant`.
        last: the last day.
        feature: a column of `daily`.
        group: as `find_drift` named it.
        since: the change; everyone's days before it are their past.

    Returns:
        Days and, for each, the mean over people in own SDs (None where nobody has any).
    """
    panel = level_weekends(panel_of(daily, last, (feature,)))
    start = max(1, panel.days.index(since)) if since in panel.days else len(panel.days) - 1
    name, _, value = group.partition(" ")
    having = (
        (panel.labels[name][:, start:] == value).any(1) if name in panel.labels else np.full(len(panel.people), True)
    )
    values, past = panel.values[having], panel.values[having, :start]
    centre = np.where((~np.isnan(past)).sum(1) >= FEWEST_DAYS, middle(past), np.nan)
    z = np.clip((values - centre[:, None]) / own_sd(past)[:, None], -CLIP, CLIP)[..., 0]
    count = (~np.isnan(z)).sum(0)
    means = [float(total / n) if n else None for total, n in zip(np.nansum(z, axis=0), count, strict=True)]
    return list(panel.days), means


def _groups(panel: Panel) -> Iterator[tuple[str, tuple[Date, ...], Floats, list[int]]]:
    """Whose days to compare: everyone's, those of one device model or firmware, and each update at its own day."""
    calendar = list(range(max(0, len(panel.days) - HORIZON_DAYS), len(panel.days)))
    if not panel.people:
        return
    yield EVERYONE, panel.days, panel.values, calendar
    for name, labels in panel.labels.items():
        recent = labels[:, calendar[0] :]
        for value in sorted({v for v in recent.ravel() if v is not None}):
            having = (recent == value).any(1)
            if FEWEST_PEOPLE <= having.sum() < len(panel.people):
                yield f"{name} {value}", panel.days, panel.values[having], calendar
            changed = _update(panel, labels, value, calendar[0])
            if changed is not None:
                yield f"{name} {value}", *changed


def _update(
    panel: Panel, labels: NDArray[np.object_], value: str, earliest: int
) -> tuple[tuple[Date, ...], Floats, list[int]] | None:
    """People who came to a device or firmware lately, their days put so that the first with it falls together."""
    firsts = {}
    for person, row in enumerate(labels):
        days = np.flatnonzero(row == value)
        if len(days) and days[0] >= earliest and (row[: days[0]] != None).any():  # noqa: E711 (element by element)
            firsts[person] = int(days[0])
    if len(firsts) < FEWEST_PEOPLE or len(set(firsts.values())) == 1:
        return None  # a common day is found by the calendar
    size, start = len(panel.days), max(firsts.values())
    values = np.full((len(firsts), size + start - min(firsts.values()), panel.values.shape[2]), np.nan)
    for n, (person, first) in enumerate(firsts.items()):
        values[n, start - first : start - first + size] = panel.values[person]
    since = panel.days[min(firsts.values())]
    return (since,) * values.shape[1], values, [start]


def _ratio(found: Found, feature: int) -> float:
    return float(np.abs(found.score[feature]) / found.limit[feature])
