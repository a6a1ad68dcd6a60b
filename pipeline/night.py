"""A night in this process: what `macromicro run` does.

Looks first and imports Dagster only when there is something to do, so that an idle night takes a second. The runs are
recorded in the home's Dagster storage like any other. The home's lock is held from the first look to the last write.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich.console import Console

from assets.lake import Key
from assets.learning.wishes import wish_macro
from assets.monitoring.advice import ADVICE, AGAIN, advice
from assets.study import HOME_VARIABLE, Home, Study
from models.errors import MacromicroError
from pipeline.facts import Look, look
from pipeline.instance import instance, logs
from pipeline.lock import lock
from pipeline.plan import Facts, Plan, plan
from pipeline.progress import Watcher

if TYPE_CHECKING:
    from pipeline.location import Factory

MOST_NAMED = 5


class NightFailedError(MacromicroError):
    """A step of the night failed; what was done before it stays."""


@dataclass(frozen=True)
class Outcome:
    """What a night did: its plan after the catalogue, and participant-days computed, up to date before, and failed."""

    plan: Plan
    ingested: bool
    computed: dict[str, int] = field(default_factory=dict)
    unchanged: dict[str, int] = field(default_factory=dict)
    failed: dict[str, tuple[Key, ...]] = field(default_factory=dict)
    log: Path | None = None

    @property
    def nothing(self) -> bool:
        """Whether there was nothing to do at all."""
        return self.plan.nothing and not self.ingested

    @property
    def said_of_failed(self) -> str:
        """What could not be computed, in one line; empty where everything could."""
        named = [f"{unit} of {k.participant} on {k.date}" for unit, keys in self.failed.items() for k in keys]
        if not named:
            return ""
        shown = ", ".join(named[:MOST_NAMED]) + (f" and {len(named) - MOST_NAMED} more" if named[MOST_NAMED:] else "")
        return (
            f"Not computed: {shown}. Everything else went on without; each night tries again. "
            "The asset's `failures` in Dagster's pages say why."
        )


def run_night(
    home: Home,
    study: Study,
    console: Console,
    stages: tuple[Factory, ...] | None = None,
    look: Look = look,
    *,
    macro: bool = False,
) -> Outcome:
    """Bring the study up to date: catalogue, days, learning; with `macro` all layers are fitted anew.

    Raises:
        BusyError: another run works on this home.
        NightFailedError: a step failed; the message names it, its reason and the log.
    """
    with _told_plainly(), lock(home, "macromicro run"):
        if macro:
            wish_macro(home)
        before = look(home, study)
        todo = plan(before)
        if todo.nothing:
            return Outcome(todo, ingested=False)
        night = _Night(home, study, console, stages)
        ingested = todo.ingest
        if ingested:
            night.run("ingest", "Catalogue of the inbox")
            todo = plan(look(home, study))
        night.days_and_learning(todo)
        after = look(home, study)
        computed, unchanged = _compare(before, after)
        failed = {unit.name: tuple(sorted(unit.pending)) for unit in after.units if unit.pending}
        return Outcome(todo, ingested, computed, unchanged, failed, night.log)


@contextmanager
def _told_plainly() -> Iterator[None]:
    """Tell a storage that refused outside of a step (full, read-only, locked) as what it is and what to do."""
    try:
        yield
    except MacromicroError:
        raise
    except Exception as error:
        known = next((e for e in _chain(error) if type(e).__name__ in ADVICE), None)
        if known is None:
            raise
        said = next(iter(str(known).splitlines()), "")
        kind = type(known).__name__
        message = f"{kind}: {said}\n{advice(kind)}"
        raise NightFailedError(message) from error


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class _Night:
    """The runs of one night, on one Dagster instance."""

    def __init__(self, home: Home, study: Study, console: Console, stages: tuple[Factory, ...] | None) -> None:
        os.environ[HOME_VARIABLE] = str(home.root)
        warnings.filterwarnings("ignore", module="dagster")
        logging.getLogger("mlflow.store.db.utils").setLevel(
            logging.CRITICAL
        )  # its traceback says what our message says
        from pipeline.location import definitions

        self._study, self._console = study, console
        self._definitions = definitions(home, study, stages)
        self._instance = instance(home)
        now = datetime.now(UTC)
        self.log = logs(home) / f"{now:%Y-%m-%dT%H-%M-%SZ}.log"
        self._today = now.astimezone(ZoneInfo(study.timezone)).date()
        self._clear_dead()

    def days_and_learning(self, todo: Plan) -> None:
        """All ranges of days but the last alone; the last together with everything that follows from it."""
        from pipeline.requests import last_range, range_tags

        for days in todo.ranges[:-1]:
            self.run("days", f"Days {days[0]} to {days[1]}", range_tags(days))
        if todo.ranges:
            days = last_range(todo, self._today)
            self.run("nightly", f"Days {days[0]} to {days[1]}, then learning", range_tags(days))
        elif todo.learn:
            self.run("learning", "Learning")

    def run(self, job: str, title: str, tags: Mapping[str, str] | None = None) -> None:
        """Run one job to its end, showing its steps."""
        from dagster._core.utils import make_new_run_id

        from pipeline.requests import TYPED_TAG

        self._console.print(f"[bold]{title}[/]", highlight=False)
        run_id, watcher = make_new_run_id(), Watcher(self._console, self.log)
        self._instance.add_event_listener(run_id, watcher)
        try:
            result = self._definitions.resolve_job_def(job).execute_in_process(
                instance=self._instance,
                run_id=run_id,
                raise_on_error=False,
                tags={TYPED_TAG: "true", **(tags or {})},
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        finally:
            watcher.close()
        from pipeline.notices import after_run

        ended = self._instance.get_run_by_id(run_id)
        if ended is not None:
            after_run(self._instance, ended, self._study)
        if not result.success:
            reason = watcher.failures[0] if watcher.failures else f"the run of {job} ended early"
            todo = advice(watcher.kinds[0]) if watcher.kinds else AGAIN
            message = f"{reason}\n{todo} Whole log: {self.log}"
            raise NightFailedError(message)

    def _clear_dead(self) -> None:
        """End the runs of command lines that were killed: the lock is ours, so none of them is alive."""
        import dagster as dg
        from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

        from pipeline.requests import TYPED_TAG

        dead = dg.RunsFilter(statuses=NOT_FINISHED_STATUSES, tags={TYPED_TAG: "true"})
        for run in self._instance.get_runs(dead):
            self._instance.report_run_failed(
                run, "Its process ended without a word (killed, or the machine restarted)."
            )


def _compare(before: Facts, after: Facts) -> tuple[dict[str, int], dict[str, int]]:
    """Per unit: participant-days whose stamp is new or other than before, and those that stayed as they were."""
    computed, unchanged = {}, {}
    for old, new in zip(before.units, after.units, strict=True):
        same: set[Key] = {key for key, stamp in new.stamps.items() if old.stamps.get(key) == stamp}
        computed[new.name], unchanged[new.name] = len(new.stamps) - len(same), len(same)
    return computed, unchanged
