"""Data yield: how much each participant gave on each day, and who stopped giving it and since when.

Pure: works on rows of the table `daily`. A silence counts as stopping only when it is long for that person: someone
who wears the band every third day has not stopped on the second. Drawing belongs to `pictures.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date as Date
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise

import numpy as np
import polars as pl

from assets.monitoring.tables import YIELDS
from models.cohort import Floats

WORN_H = 1.0  # a day with less does not count as worn
ACTIVITIES = {"wristband": ("worn_h", WORN_H), "answers": ("self_reports", 1.0), "voice": ("clips", 1.0)}
"""What a participant may stop doing: the column that shows it, and how much of it makes a day count."""
PATIENCE_DAYS = 3  # silences up to this long are everyday life
GONE_DAYS = 30  # silences longer than this are shown apart: the person has most likely left


class State(StrEnum):
    """What a participant does in one activity."""

    GIVING = "giving"
    STOPPED = "stopped"
    GONE = "gone"
    NEVER = "never"


@dataclass(frozen=True)
class Silence:
    """One participant's last sign in one activity; `since` is the first day without any."""

    participant: str
    activity: str
    state: State
    since: Date | None
    days: int


@dataclass(frozen=True)
class Grid:
    """A heat map's numbers: (participants, days), NaN where nothing came that day."""

    participants: tuple[str, ...]
    days: tuple[Date, ...]
    values: Floats
    unit: str


def grid(daily: pl.DataFrame, modality: str, until: Date, days: int = 28) -> Grid:
    """How much of one modality each participant gave on each of the last days.

    Args:
        daily: rows of `daily` with `participant`.
        modality: a key of `YIELDS`.
        until: the last day shown.
        days: how many.
    """
    column, unit = YIELDS[modality]
    shown = tuple(until - timedelta(days=n) for n in range(days - 1, -1, -1))
    people = tuple(daily["participant"].unique().sort())
    place = {code: n for n, code in enumerate(people)}
    values = np.full((len(people), days), np.nan)
    recent = daily.filter(pl.col("date").is_between(shown[0], until))
    for participant, day, value in recent.select("participant", "date", column).iter_rows():
        if value:
            values[place[participant], (day - shown[0]).days] = value
    return Grid(people, shown, values, unit)


def silences(daily: pl.DataFrame, today: Date, participants: Collection[str] = ()) -> list[Silence]:
    """Who gives what, and who stopped since when; the longest silences of those who stopped come first.

    Args:
        daily: rows of `daily` with `participant`.
        today: the day on which this is asked; it is not over, so a silence is counted up to yesterday.
        participants: further people who may never have given anything.
    """
    found = []
    people = sorted({*daily["participant"].unique(), *participants})
    for activity, (column, least) in ACTIVITIES.items():
        active = daily.filter((pl.col(column) >= least) & (pl.col("date") <= today)).sort("date")
        days = {str(key[0]): rows["date"].to_list() for key, rows in active.group_by("participant")}
        found += [_silence(p, activity, days.get(p, []), today) for p in people]
    order = list(State)
    return sorted(found, key=lambda s: (order.index(s.state), -s.days, s.participant, s.activity))


def last_signs(daily: pl.DataFrame, today: Date) -> list[tuple[str, Date]]:
    """The last day of everyone who stopped something: participant and date, the longest silences first."""
    stopped = [s for s in silences(daily, today) if s.state is State.STOPPED and s.since]
    return list(dict.fromkeys((s.participant, s.since - timedelta(days=1)) for s in stopped if s.since))


def totals(daily: pl.DataFrame) -> pl.DataFrame:
    """Per day: how many participants gave anything, and the sum of each modality."""
    sums = [pl.col(column).sum().alias(modality) for modality, (column, _) in YIELDS.items()]
    people = pl.col("participant").n_unique().alias("participants")
    return daily.group_by("date").agg(people, *sums).sort("date")


def _silence(participant: str, activity: str, days: Sequence[Date], today: Date) -> Silence:
    if not days:
        return Silence(participant, activity, State.NEVER, None, 0)
    since = days[-1] + timedelta(days=1)
    quiet = max(0, (today - since).days)
    usual = max((later - earlier).days - 1 for earlier, later in pairwise(days)) if days[1:] else 0
    state = State.GIVING if quiet <= max(PATIENCE_DAYS, usual) else State.STOPPED
    state = State.GONE if quiet > GONE_DAYS else state
    return Silence(participant, activity, state, since, quiet)
