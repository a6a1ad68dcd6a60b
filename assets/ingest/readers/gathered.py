"""What exports of apps scatter over many lists, collected: irregular values by kind, and numbers by day.

Shared by the readers of Fitbit, Apple Health and Oura. Values that come now and then are events of their own kind
(`hr`, `rmssd`, `spo2`, …), each exactly when it was measured; nothing is made regular.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date as Date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.errors import DumpError
from assets.ingest.readers.base import Context
from assets.ingest.recording import DAILY_SCHEMA, Events, Recording, Times

AWAKE, LIGHT, DEEP, REM, ASLEEP, IN_BED = 0.0, 1.0, 2.0, 3.0, 4.0, 5.0
NO_TIME = np.iinfo(np.int64).min

Interval = tuple[int, int, float]


class Gathered:
    """Collects events and daily values; `told` counts what was left out, by reason."""

    def __init__(self) -> None:
        self._times: dict[str, list[Times]] = defaultdict(list)
        self._values: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
        self._daily: dict[tuple[Date, str], float] = {}
        self.told: Counter[str] = Counter()

    def points(self, kind: str, times_us: Times, values: NDArray[np.floating]) -> None:
        """Add values of one kind; those without a time or a number are counted."""
        numbers = np.asarray(values, np.float64)
        good = (times_us != NO_TIME) & np.isfinite(numbers)
        self.told[f"{kind} values without a readable time or number"] += int((~good).sum())
        self._times[kind].append(np.asarray(times_us, np.int64)[good])
        self._values[kind].append(numbers[good])

    def day(self, date: Date | None, name: str, value: object, *, add: bool = False) -> None:
        """Set (or add to) a day's number; what is none is left out."""
        number = as_number(value)
        if date is not None and math.isfinite(number):
            known = self._daily.get((date, name), 0.0) if add else 0.0
            self._daily[date, name] = known + number

    def sleep(self, stages: Iterable[Interval], short: Iterable[Interval] = ()) -> None:
        """Add one night: events that each begin a stage, the last one without a value as its end.

        Args:
            stages: start, end (UTC µs) and code of each stage.
            short: stages that interrupt those.
        """
        begun = _stages(sorted(stages), sorted(short))
        times, codes = sorted(begun), [begun[t] for t in sorted(begun)]
        self._times["sleep"].append(np.array(times, np.int64))
        self._values["sleep"].append(np.array(codes, np.float64))

    def recording(self, context: Context, device: str, remarks: Sequence[str] = ()) -> Recording:
        """Everything collected.

        Raises:
            DumpError: it belongs to nobody.
        """
        if context.participant is None:
            message = f"an export of one person ({device}) lies in a folder of tables: move it to inbox/<participant>/"
            raise DumpError(message)
        rows = [(context.participant, date, name, value) for (date, name), value in sorted(self._daily.items())]
        daily = pl.DataFrame(rows, schema=DAILY_SCHEMA, orient="row")
        events = [e for kind in sorted(self._times) if len((e := self._events(kind)).time_us)]
        said = [f"{count} {what}, left out" for what, count in self.told.items() if count]
        return Recording(events=events, daily=daily, facts={"device": device}, remarks=[*remarks, *said])

    def _events(self, kind: str) -> Events:
        times, values = np.concatenate(self._times[kind]), np.concatenate(self._values[kind])
        if kind == "steps":
            times, values = times[values > 0], values[values > 0]
        unique, first = np.unique(times, return_index=True)
        return Events(kind, unique, values[first], np.ones(len(unique), np.bool_))


def as_number(value: object) -> float:
    """A number, or text that is one (`8,000`); NaN for anything else."""
    if isinstance(value, bool):
        return float("nan")
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value.strip().replace(",", ""))
        except ValueError:
            return float("nan")
    return float("nan")


def _stages(stages: Sequence[Interval], short: Sequence[Interval]) -> dict[int, float]:
    """Where each stage begins; NaN where the night, or a stretch of it, ends."""
    begun: dict[int, float] = {}
    ended = None
    for start, end, code in stages:
        if end > start:
            if ended is not None and start > ended:
                begun[ended] = float("nan")
            begun[start] = code
            ended = max(end, ended or end)
    if ended is not None:
        begun[ended] = float("nan")
    for start, end, code in short:
        if end <= start:
            continue
        before = [t for t in begun if t <= end]
        after = begun[max(before)] if before else float("nan")
        for inside in [t for t in begun if start <= t <= end]:
            del begun[inside]
        begun[start], begun[end] = code, after
    return begun
