"""How the system itself is doing: what each stage last made, what still waits, how the last night went.

Reads Dagster's instance and the ledgers into plain values, so that the report and the checks need neither. Only names
of steps, times and kinds of errors are taken from the event log: its messages may name participants.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from assets.features.acoustic import ACOUSTIC_UNIT, wanted_acoustic
from assets.features.embedding import VOICE_EMBEDDINGS, wanted_embeddings
from assets.features.physiology import PHYSIOLOGY, wanted_physiology
from assets.features.summary import SUMMARY_UNIT, wanted_summaries
from assets.features.voice_details import VOICE_DETAILS, wanted_details
from assets.ingest.recordings import RECORDINGS, wanted_recordings
from assets.lake import Key
from assets.ledger import Stamp
from assets.moments.unit import moments_unit, wanted_moments
from assets.study import Home, Study
from assets.tables import COMPARE_TABLE, DESCRIPTORS_TABLE, EMBEDDINGS_TABLE
from assets.units import Unit, stamped

if TYPE_CHECKING:
    from dagster_shared.error import SerializableErrorInfo

STAGES = {
    "dumps": "dumps",
    "signals": "recordings",
    "hrv": "physiology",
    "daily_summaries": "summaries",
    "acoustic": "acoustic",
    COMPARE_TABLE.name: "voice_details",
    DESCRIPTORS_TABLE.name: "voice_details",
    EMBEDDINGS_TABLE.name: "voice_embeddings",
    "moments": "moments",
    "evaluation": "evaluation",
    "champion": "gate",
    "predictions": "predictions",
}
"""The asset whose materialization shows that a stage ran, and the stage's unit of work or name."""
ASKED_FOR = {"voice_details", "voice_embeddings"}
"""Stages that only some studies ask for; those that never ran and wait for nothing are left out."""
ENDINGS = {
    dg.DagsterRunStatus.SUCCESS: "worked",
    dg.DagsterRunStatus.FAILURE: "failed",
    dg.DagsterRunStatus.STARTED: "running",
}
NIGHT_SPAN = timedelta(hours=20)
MOST_RUNS = 40


@dataclass(frozen=True)
class Stage:
    """One stage: when it last made something (UTC), and how many participant-days wait for it (None: not counted)."""

    name: str
    last: datetime | None
    waiting: int | None = None


@dataclass(frozen=True)
class Step:
    """One step of a night (times in UTC); `error` is the kind of error it ended with."""

    name: str
    start: datetime
    end: datetime
    error: str | None = None


@dataclass(frozen=True)
class RunLine:
    """One run of Dagster: which job, when (UTC), how it ended."""

    run_id: str
    job: str
    start: datetime
    end: datetime | None
    status: str


@dataclass(frozen=True)
class Operations:
    """Everything the person on call looks at."""

    stages: tuple[Stage, ...] = ()
    runs: tuple[RunLine, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def failed(self) -> tuple[Step, ...]:
        """Steps that did not work and have not worked since."""
        worked = {s.name: s.start for s in sorted(self.steps, key=lambda s: s.start) if s.error is None}
        return tuple(s for s in self.steps if s.error and not (s.name in worked and worked[s.name] > s.start))


def operations(instance: dg.DagsterInstance, home: Home, study: Study) -> Operations:
    """How the system is doing now."""
    records = [r for r in instance.get_run_records(limit=MOST_RUNS) if r.start_time is not None]
    night = last_night(records)
    lines = tuple(_line(record) for record in night)
    steps = [step for record in night for step in _steps(instance, record)]
    return Operations(stages(instance, waiting(home, study)), lines, tuple(sorted(steps, key=lambda s: s.start)))


def last_night(records: Sequence[dg.RunRecord]) -> list[dg.RunRecord]:
    """The newest run and those that began within some hours before it, oldest first."""
    started = sorted((r for r in records if r.start_time), key=lambda r: r.start_time or 0.0)
    if not started:
        return []
    earliest = (started[-1].start_time or 0.0) - NIGHT_SPAN.total_seconds()
    return [r for r in started if (r.start_time or 0.0) >= earliest]


def stages(instance: dg.DagsterInstance, waits: Mapping[str, int]) -> tuple[Stage, ...]:
    """When each stage last made something, and what waits for it."""
    found = instance.get_latest_materialization_events([dg.AssetKey(name) for name in STAGES])
    last: dict[str, datetime | None] = dict.fromkeys(STAGES.values())
    for asset, name in STAGES.items():
        event = found.get(dg.AssetKey(asset))
        made = datetime.fromtimestamp(event.timestamp, UTC) if event else None
        last[name] = max((t for t in (made, last[name]) if t is not None), default=None)
    shown = [name for name in last if name not in ASKED_FOR or last[name] or waits.get(name)]
    return tuple(Stage(name, last[name], waits.get(name)) for name in shown)


def waiting(home: Home, study: Study) -> dict[str, int]:
    """How many participant-days (people, for moments) each unit of work has yet to compute or to remove."""
    return {
        unit.name: len(pending(unit, wanted, dict(stamped(home, unit))))
        for unit, wanted in (
            (RECORDINGS, wanted_recordings(home, study)),
            (PHYSIOLOGY, wanted_physiology(home, study)),
            (SUMMARY_UNIT, wanted_summaries(home, study)),
            (ACOUSTIC_UNIT, wanted_acoustic(home, study)),
            (VOICE_DETAILS, wanted_details(home, study)),
            (VOICE_EMBEDDINGS, wanted_embeddings(home, study)),
            (moments_unit(study), wanted_moments(home, study)),
        )
    }


def pending(unit: Unit, wanted: Mapping[Key, str], stamps: Mapping[Key, Stamp]) -> Collection[Key]:
    """What of a unit is not as it should be: never computed, computed from other inputs, or to be removed."""
    stale = {key for key, inputs in wanted.items() if key not in stamps or not stamps[key].fits(inputs, unit.code)}
    return stale | (stamps.keys() - wanted.keys())


def _line(record: dg.RunRecord) -> RunLine:
    run, start, end = record.dagster_run, record.start_time or 0.0, record.end_time
    ended = datetime.fromtimestamp(end, UTC) if end else None
    status = ENDINGS.get(run.status, run.status.value.lower())
    return RunLine(run.run_id, run.job_name, datetime.fromtimestamp(start, UTC), ended, status)


def _steps(instance: dg.DagsterInstance, record: dg.RunRecord) -> list[Step]:
    run_id = record.dagster_run.run_id
    errors = {
        entry.step_key: kind(entry.dagster_event.step_failure_data.error)
        for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        if entry.dagster_event is not None
    }
    found = []
    for stats in instance.get_run_step_stats(run_id):
        if stats.start_time:
            start = datetime.fromtimestamp(stats.start_time, UTC)
            end = datetime.fromtimestamp(stats.end_time, UTC) if stats.end_time else datetime.now(UTC)
            found.append(Step(stats.step_key.replace("_", " "), start, end, errors.get(stats.step_key)))
    return found


def kind(error: SerializableErrorInfo | None) -> str:
    """The class of the error that a failure began with; its message is left out."""
    while error is not None and error.cause is not None:
        error = error.cause
    return (error.cls_name if error else None) or "error"
