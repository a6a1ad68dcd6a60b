"""What must hold of moments before anything learns from them. Pure: frames in, verdicts out; counts only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as Date

import polars as pl

from assets.lake import Key, Lake
from assets.moments.build import Sources, build_days, build_moments
from assets.moments.table import items_of, moments_table
from assets.moments.unit import read_sources
from assets.study import Home, Study

SAMPLE = 3  # participants a night whose moments are rebuilt without their future


@dataclass(frozen=True)
class Verdict:
    """Whether a rule holds, and what to say of it."""

    passed: bool
    said: str


def unique(moments: pl.DataFrame) -> Verdict:
    """No participant has two moments at one time."""
    twice = moments.select(pl.struct("participant", "time_us").is_duplicated().sum()).item()
    return Verdict(not twice, f"{twice} of {moments.height} moments share participant and time")


def inside_scale(moments: pl.DataFrame, study: Study) -> Verdict:
    """Every answer lies on its item's scale."""
    outside = {i.name: int((~moments[f"y_{i.name}"].is_between(i.low, i.high)).sum()) for i in items_of(study)}
    wrong = {name: count for name, count in outside.items() if count}
    if not wrong:
        return Verdict(True, "every answer lies on its scale")
    named = ", ".join(f"{name}: {count}" for name, count in wrong.items())
    return Verdict(False, f"answers outside their scale ({named}); correct `low` and `high` in study.toml or the table")


def blind_to_the_future(home: Home, study: Study, participants: list[str]) -> Verdict:
    """Rebuilding a few people's moments from what had ended by their middle moment changes no row up to it."""
    moved, lake, table = [], Lake(home.lake), moments_table(study)
    chosen = participants[:: max(1, len(participants) // SAMPLE)][:SAMPLE]
    for participant in chosen:
        whole = lake.read(table, Key(participant))
        if whole.is_empty():
            continue
        now = int(whole["time_us"][whole.height // 2])
        before = until(read_sources(home, participant), now, whole["day"][whole.height // 2])
        again = build_moments(before, build_days(before, study, participant), study, participant)
        if not again.equals(whole.filter(pl.col("time_us") <= now)):
            moved.append(participant)
    if moved:
        return Verdict(False, f"moments of {', '.join(moved)} change when what came later is taken away")
    return Verdict(True, f"moments of {len(chosen)} people are the same without what came later")


def until(sources: Sources, now: int, today: Date) -> Sources:
    """Only what had ended by a time (UTC µs), and daily values up to its local day."""
    spoken = pl.col("time_us") + (pl.col("duration_s") * 1e6).ceil().cast(pl.Int64)
    return Sources(
        sources.reports.filter(pl.col("time_us") <= now),
        {m: w.filter(pl.col("end_us") <= now) for m, w in sources.windows.items()},
        sources.clips.filter(spoken <= now),
        sources.daily.filter(pl.col("day") <= today),
    )
