"""The table `daily`: each participant's days summarised once, and again only when what they are made of changes.

One part a participant holds all their days; each row carries the hash of its inputs, so a night reads only the days
that changed, and a night that was killed leaves parts that the next one completes with the same bytes. What is made
of these rows (pictures, drift, reports) belongs to the files beside it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date

import polars as pl

from assets.lake import Key, Lake
from assets.ledger import Ledger, digest
from assets.monitoring.tables import DAILY, WATCHED
from assets.study import Home, Study
from assets.tables import ACOUSTIC_TABLE, DUMPS, SELF_REPORTS, VOICE_CLIPS, WINDOWED, Table
from assets.workers import fan_out

CODE = "1"
SOURCES = {
    "recordings": (SELF_REPORTS, VOICE_CLIPS),
    "physiology": tuple(WINDOWED.values()),
    "acoustic": (ACOUSTIC_TABLE,),
}
DEVICE_FACTS = ("device", "firmware", "serial")
NO_WRISTBAND = frozenset({"voice", "self-reports"})  # what the readers of clips and answers call their device
NOT_WORN, NO_DATA = "not_worn", "no_data"  # reasons of windows (assets/features/windows.py)
MANY_DAYS = 500  # due days from which starting workers pays

Facts = tuple[str | None, str | None, str | None]


@dataclass(frozen=True)
class Refreshed:
    """What bringing the summaries up to date did: participant-days made and kept, and one hash over all."""

    made: int
    kept: int
    content: str


@dataclass(frozen=True)
class _Task:
    home: Home
    participant: str
    wanted: Mapping[Date, str]
    facts: Mapping[Date, Facts]


def refresh_daily(home: Home, study: Study, *, quiet: bool = True) -> Refreshed:
    """Bring every participant's days up to date; those of people who have none any more are removed.

    Args:
        home: the data home.
        study: its settings.
        quiet: no progress bar.

    Raises:
        LakeError: a part cannot be written.
    """
    lake, facts = Lake(home.lake), device_facts(Lake(home.lake).read(DUMPS))
    units = {unit: Ledger(lake, unit) for unit in SOURCES}
    people = sorted({p for ledger in units.values() for p in ledger.participants()})
    tasks, kept, hashes = [], 0, []
    for participant in people:
        wanted = _wanted(units, participant, facts.get(participant, {}), study)
        present = dict(lake.read(DAILY, Key(participant), ["date", "inputs"]).iter_rows())
        if present != wanted:
            tasks.append(_Task(home, participant, wanted, facts.get(participant, {})))
        kept += len(present.items() & wanted.items())
        hashes.append((participant, sorted(wanted.values())))
    made = _run(tasks, quiet=quiet)
    for key in list(lake.keys(DAILY)):
        if key.participant not in people:
            lake.remove(DAILY, key)
    return Refreshed(made, kept, digest(hashes))


def device_facts(dumps: pl.DataFrame) -> dict[str, dict[Date, Facts]]:
    """Device, firmware and serial of each participant-day, from the catalogue's dumps that are read."""
    found: dict[tuple[str, Date], list[set[str]]] = defaultdict(lambda: [set() for _ in DEVICE_FACTS])
    for touches, text in dumps.filter(pl.col("state") == "read").select("touches", "facts").iter_rows():
        told = json.loads(text) if text else {}
        if told.get("device") in NO_WRISTBAND:
            continue
        for touch in touches or ():
            for values, name in zip(found[touch["participant"], touch["date"]], DEVICE_FACTS, strict=True):
                if told.get(name) is not None:
                    values.add(str(told[name]))
    days: dict[str, dict[Date, Facts]] = defaultdict(dict)
    for (participant, day), sets in found.items():
        device, firmware, serial = (" + ".join(sorted(values)) or None for values in sets)
        days[participant][day] = (device, firmware, serial)
    return dict(days)


def day_row(frames: Mapping[str, pl.DataFrame]) -> dict[str, object]:
    """One day's summary, without date, inputs and device.

    Args:
        frames: rows of that day by table name (`hrv`, `eda`, `motion`, `temperature`, `voice_clips`, `acoustic`,
            `self_reports`); absent tables count as empty.
    """
    row: dict[str, object] = dict(hours(frames))
    clips, answers = frames.get(VOICE_CLIPS.name), frames.get(SELF_REPORTS.name)
    acoustic = frames.get(ACOUSTIC_TABLE.name)
    row |= {"clips": clips.height if clips is not None else 0, "voice_s": _sum(clips, "duration_s")}
    row["clips_usable"] = int(acoustic["loudness_sma3_amean"].is_not_null().sum()) if acoustic is not None else 0
    row["self_reports"] = answers["time_us"].n_unique() if answers is not None else 0
    row["answers"] = answers.height if answers is not None else 0
    for modality, features in WATCHED.items():
        frame = frames.get(ACOUSTIC_TABLE.name if modality == "voice" else modality)
        for feature in features:
            row[f"{modality}.{feature.name}"] = frame[feature.name].median() if frame is not None else None
    return row


def hours(frames: Mapping[str, pl.DataFrame]) -> dict[str, float]:
    """Hours recorded, worn, of pulse and of skin conductance; windows that overlap count by their step.

    A window counts as worn by its share of skin temperature, where that was measured; otherwise by the best of the
    other sensors, unless skin conductance says that it was not worn.
    """
    columns = ("time_us", "end_us", "coverage", "reason")
    parts = [frames[m].select(*columns, modality=pl.lit(m)) for m in WINDOWED if m in frames]
    rows = pl.concat(parts) if parts else pl.DataFrame()
    if rows.is_empty():
        return dict.fromkeys(("recorded_h", "worn_h", "pulse_h", "skin_h"), 0.0)

    def of(modality: str) -> pl.Expr:
        return pl.col("coverage").filter(pl.col("modality") == modality).max()

    measured = (pl.col("modality") == "temperature") & pl.col("reason").ne_missing(NO_DATA)
    off = ((pl.col("modality") == "eda") & pl.col("reason").eq_missing(NOT_WORN)).any()
    best = pl.col("coverage").max()
    sums = (
        rows.group_by("time_us", maintain_order=True)
        .agg(
            recorded_h=best,
            worn_h=pl.coalesce(pl.col("coverage").filter(measured).max(), pl.when(off).then(0.0).otherwise(best)),
            pulse_h=of("hrv"),
            skin_h=of("eda"),
        )
        .select(pl.exclude("time_us").sum() * _window_h(rows))
    )
    return {name: round(float(value), 4) for name, value in sums.row(0, named=True).items()}


def _window_h(rows: pl.DataFrame) -> float:
    """Hours that one window stands for: its length, or the step to the next where windows overlap."""
    starts = rows["time_us"].unique().sort()
    length_us = rows.select((pl.col("end_us") - pl.col("time_us")).min()).item()
    step_us = starts.diff().drop_nulls().min() if len(starts) > 1 else length_us
    return float(min(length_us, step_us)) / 3.6e9


def _wanted(
    units: Mapping[str, Ledger], participant: str, facts: Mapping[Date, Facts], study: Study
) -> dict[Date, str]:
    """Every day the participant has anything on, with the hash of what its summary is made of."""
    parts: dict[Date, list[tuple[str, str]]] = defaultdict(list)
    for unit, tables in SOURCES.items():
        for day, stamp in units[unit].days(participant).items():
            found = [(t.name, stamp.outputs[t.name]) for t in tables if t.name in stamp.outputs]
            if found:
                parts[day].extend(found)
    step = study.windows.step_minutes
    return {day: digest(CODE, step, sorted(found), facts.get(day)) for day, found in sorted(parts.items())}


def _run(tasks: Sequence[_Task], *, quiet: bool) -> int:
    """Do the tasks, in workers where there are many days to read; how many days were made."""
    if sum(len(task.wanted) for task in tasks) < MANY_DAYS:
        return sum(_work(task) for task in tasks)
    made = 0
    for _, result in fan_out(_work, tasks, what="daily summaries", quiet=quiet):
        if isinstance(result, Exception):
            raise result
        made += result
    return made


def _work(task: _Task) -> int:
    """Make one participant's part anew, reading only the days that changed (runs in a worker)."""
    lake, key = Lake(task.home.lake), Key(task.participant)
    before = lake.read(DAILY, key)
    same = [day for day, inputs in before.select("date", "inputs").iter_rows() if task.wanted.get(day) == inputs]
    due = sorted(task.wanted.keys() - set(same))
    rows = [_read_row(lake, task, day) for day in due]
    frame = pl.concat([before.filter(pl.col("date").is_in(same)), DAILY.frame(rows)])
    if frame.is_empty():
        lake.remove(DAILY, key)
    else:
        lake.write(DAILY, frame, key)
    return len(due)


def _read_row(lake: Lake, task: _Task, day: Date) -> dict[str, object]:
    key = Key(task.participant, day)
    frames = {t.name: lake.read(t, key, _columns(t)) for t in _tables() if lake.exists(t, key)}
    known = dict(zip(DEVICE_FACTS, task.facts.get(day, (None, None, None)), strict=True))
    return {"date": day, "inputs": task.wanted[day], **known, **day_row(frames)}


def _tables() -> Iterable[Table]:
    return (table for tables in SOURCES.values() for table in tables)


def _columns(table: Table) -> list[str]:
    """What is read of a table: everything but sound."""
    return [c.name for c in table.columns if c.name != "flac"]


def _sum(frame: pl.DataFrame | None, column: str) -> float:
    return float(frame[column].sum()) if frame is not None else 0.0
