"""What a replay sees of the home: ticks, runs, and what a night left behind. Reads Dagster's storage and the lake.

Nothing here moves the clock or starts anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date as Date
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from assets.ingest.entries import load
from assets.lake import Lake
from assets.learning.evaluation import read_evaluation
from assets.learning.schedule import TRAINING
from assets.ledger import Stamp
from assets.monitoring.operations import waiting
from assets.monitoring.tables import DRIFT
from assets.study import Home, Study
from assets.units import stamped
from models.errors import MacromicroError
from models.registry import CHAMPION, Registry
from pipeline.replay.ledger import Drifted, Seen, Version
from pipeline.replay.script import UNITS, PersonDay

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ASSET_OF = {"recordings": "signals", "physiology": "hrv", "summaries": "daily_summaries", "acoustic": "acoustic"}
"""Units of work, and an asset whose materialization says how many participant-days a run computed."""
COMPUTED = "participant-days computed"
Stamps = Mapping[str, Mapping[PersonDay, Stamp]]


@dataclass
class Watch:
    """A home under replay; remembers which runs and stamps it has told of."""

    home: Home
    study: Study
    storage: dg.DagsterInstance

    def __post_init__(self) -> None:
        self._told: set[str] = set()
        self._stamps: Stamps = {unit: {} for unit in UNITS}
        self._drift: set[Date] = set()

    def tick(self, name: str) -> InstigatorTick | None:
        """The newest tick of a schedule or sensor."""
        for state in self.storage.all_instigator_state():
            if state.instigator_name == name:
                ticks = self.storage.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
                return ticks[0] if ticks else None
        return None

    def evaluated(self, schedule: str, at_s: float) -> bool:
        """Whether a schedule's tick of a moment (UTC s) is over."""
        tick = self.tick(schedule)
        return tick is not None and tick.timestamp >= at_s and tick.status is not TickStatus.STARTED

    def busy(self) -> list[dg.DagsterRun]:
        """Runs that are not over."""
        return list(self.storage.get_runs(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES)))

    def asking(self) -> bool:
        """Whether a schedule or sensor is deciding just now."""
        return any(
            tick.status is TickStatus.STARTED
            for state in self.storage.all_instigator_state()
            for tick in self.storage.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        )

    def quiet(self, since_s: float) -> bool:
        """Whether nothing runs, and the inbox sensor has looked since and found nothing to ask for."""
        if self.busy():
            return False
        newest = self.storage.get_run_records(limit=5)
        ended = max((r.end_time or 0.0 for r in newest), default=0.0)
        tick = self.tick("inbox")
        return tick is not None and tick.status is TickStatus.SKIPPED and tick.timestamp > max(since_s, ended)

    def seen(self, real_s: float) -> Seen:
        """What was left behind since the last call."""
        records = [r for r in self._records() if r.dagster_run.run_id not in self._told]
        self._told |= {r.dagster_run.run_id for r in records}
        work = sum(self._worked_s(r.dagster_run.run_id) for r in records)
        lasted = covered_s([(r.create_timestamp.timestamp(), r.end_time or 0.0) for r in records])
        nightly = self.tick("nightly")
        return Seen(
            states=dict(Counter(e.state for e in load(self.home))),
            computed=self._computed([r.dagster_run.run_id for r in records]),
            changed=self._changed(),
            failed_runs=tuple(
                r.dagster_run.job_name for r in records if r.dagster_run.status is not dg.DagsterRunStatus.SUCCESS
            ),
            waiting=sum(waiting(self.home, self.study).values()),
            versions=tuple(self._versions()),
            coverage=self._coverage(),
            drift=tuple(self._new_drift()),
            idle=nightly is not None and nightly.status is TickStatus.SKIPPED,
            runs=len(records),
            work_s=round(work, 1),
            orchestration_s=round(lasted - work, 1),
            real_s=round(real_s, 1),
        )

    def _records(self) -> list[dg.RunRecord]:
        return list(self.storage.get_run_records(limit=100))

    def _computed(self, run_ids: list[str]) -> dict[str, int]:
        found: Counter[str] = Counter()
        units = {dg.AssetKey(asset): unit for unit, asset in ASSET_OF.items()}
        for run_id in run_ids:
            counted: dict[str, int] = {}  # every day of a run's range has the same figures
            for entry in self.storage.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
                event = entry.dagster_event
                unit = units.get(event.asset_key) if event is not None and event.asset_key else None
                if event is not None and unit is not None:
                    figures = event.step_materialization_data.materialization.metadata
                    counted[unit] = int(figures[COMPUTED].value) if COMPUTED in figures else 0  # type: ignore[arg-type]
            found.update(counted)
        return {unit: found[unit] for unit in UNITS}

    def _changed(self) -> dict[str, frozenset[PersonDay]]:
        now: dict[str, dict[PersonDay, Stamp]] = {
            unit: {(str(k.participant), k.date): s for k, s in stamped(self.home, unit) if k.date} for unit in UNITS
        }
        changed = {
            unit: frozenset(day for day, stamp in now[unit].items() if self._stamps[unit].get(day) != stamp)
            for unit in UNITS
        }
        self._stamps = now
        return changed

    def _worked_s(self, run_id: str) -> float:
        steps = self.storage.get_run_step_stats(run_id)
        return sum(s.end_time - s.start_time for s in steps if s.start_time and s.end_time)

    def _versions(self) -> Iterator[Version]:
        for found in reversed(Registry(self.home.mlflow, self.study.study.name).versions()):
            tags = found.tags
            yield Version(found.number, tags.get("gate", ""), CHAMPION in found.aliases, tags.get(TRAINING, ""))

    def _coverage(self) -> float | None:
        try:
            figures = read_evaluation(self.home).get("P2", {}).get("macro_micro", {})
        except MacromicroError:
            return None
        found = figures.get("coverage")
        return None if found is None else round(float(found), 3)

    def _new_drift(self) -> Iterator[Drifted]:
        lake = Lake(self.home.lake)
        for key in sorted(k for k in lake.keys(DRIFT) if k.date and k.date not in self._drift):
            if key.date:
                self._drift.add(key.date)
            for found in lake.read(DRIFT, key).filter("drifted").iter_rows(named=True):
                yield Drifted(found["feature"], found["group"], found["since"])


def covered_s(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds covered by any of the spans (start, end); what two of them share counts once."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total
