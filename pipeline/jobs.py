"""The jobs over the assets, and the executor they share.

Steps run one after another in the run's own process: a step costs 0.4 s there and 7.5 s in a process of its own, and
the parallelism is inside the steps, over participant-days. The executor holds the home's lock, so that a run of the
daemon and one of the command line never work on the same lake at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import dagster as dg
from dagster._core.events import DagsterEvent, EngineEventData
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor

from assets.study import Home
from pipeline.lock import BusyError, lock

NIGHTLY, DAYS, INGEST, LEARNING = "nightly", "days", "ingest", "learning"
PAPER_GRID = "paper_grid"
DUMPS = dg.AssetSelection.assets("dumps")
DAILY = dg.AssetSelection.groups("ingest", "features") - DUMPS
EXPERIMENTS = dg.AssetSelection.groups("experiments")
LEARNT = dg.AssetSelection.groups("moments", "learning", "monitoring")
POLL_S = 1.0


class OneAtATime(InProcessExecutor):
    """Runs a run's steps in its own process, once no other run works on the home."""

    def __init__(self, home: Home) -> None:
        super().__init__(retries=RetryMode.ENABLED)
        self._home = home

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """Wait for the home's lock, saying so once, and hold it while the steps run."""
        with ExitStack() as held:
            waiting = False
            while True:
                try:
                    held.enter_context(lock(self._home, f"Dagster run {plan_context.run_id}"))
                    break
                except BusyError as busy:
                    if not waiting:
                        yield DagsterEvent.engine_event(plan_context, f"Waiting: {busy}", EngineEventData())
                    waiting = True
                    time.sleep(POLL_S)
            yield from super().execute(plan_context, execution_plan)


def executor(home: Home) -> dg.ExecutorDefinition:
    """The executor of every job of a home, the UI's own ones included."""

    @dg.executor(name="one_at_a_time")
    def one_at_a_time(_: dg.InitExecutorContext) -> OneAtATime:
        """One run at a time on this home; its steps in one process."""
        return OneAtATime(home)

    return one_at_a_time


JOBS = (
    dg.define_asset_job(
        NIGHTLY,
        selection=dg.AssetSelection.all() - EXPERIMENTS,
        description="The whole night: ingest, features of the days asked for, moments, learning, gate, predictions.",
    ),
    dg.define_asset_job(
        DAYS,
        selection=DAILY,
        description="Recordings and features of some days; a participant-day that is up to date is skipped.",
    ),
    dg.define_asset_job(
        INGEST,
        selection=DUMPS,
        description="Catalogue what is new in the inbox; nothing else.",
    ),
    dg.define_asset_job(
        LEARNING,
        selection=LEARNT,
        description="From moments to predictions, on the features as they stand.",
    ),
    dg.define_asset_job(
        PAPER_GRID,
        selection=EXPERIMENTS,
        description="The paper's grid on the moments as they stand; up to hours, resumable, never part of a night. A "
        "night waits until it has ended: start it by day, or run `macromicro evaluate --grid paper`, which does not "
        "hold nights up.",
    ),
)
"""What can be run: everything but experiments, the days, the catalogue, learning alone, or the paper's grid."""
