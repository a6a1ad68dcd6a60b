"""When there is something to tell: after a run that failed, and after one in which a check turned red.

Read from the run's own events: names of steps and checks and kinds of errors, nothing of their messages. A check that
was red the time before is not told again, unless its figures say that something is new.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from assets.study import Study
from pipeline.notify import Notice, failed_run, red_checks, tell

if TYPE_CHECKING:
    import dagster as dg

NEW = "new"
"""The figure of a check that says how much of what is red was not red before."""
LOG = logging.getLogger("macromicro.notify")


def after_run(instance: dg.DagsterInstance, run: dg.DagsterRun, study: Study) -> list[str]:
    """Tell people of a run that is over, if there is anything to tell.

    Returns:
        What could not be delivered; it is logged too.
    """
    notice = notice_of(instance, run, study)
    problems = tell(notice, study.notify) if notice else []
    for problem in problems:
        LOG.warning("%s", problem)
    return problems


def notice_of(instance: dg.DagsterInstance, run: dg.DagsterRun, study: Study) -> Notice | None:
    """What there is to tell of a run, or None."""
    import dagster as dg

    name, job = study.study.name, run.job_name
    if run.status is dg.DagsterRunStatus.FAILURE:
        return failed_run(name, job, run.run_id, failed_steps(instance, run.run_id))
    if run.status is not dg.DagsterRunStatus.SUCCESS or not study.notify.checks:
        return None
    red = turned_red(instance, run.run_id)
    return red_checks(name, job, run.run_id, red) if red else None


def failed_steps(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str, str]]:
    """Steps of a run that failed, each with the kind of its error."""
    import dagster as dg

    from assets.monitoring.operations import kind

    events = [entry.dagster_event for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)]
    return [(e.step_key or "run", kind(e.step_failure_data.error)) for e in events if e is not None]


def turned_red(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str, str]]:
    """Checks that a run found red and that were not red before: asset and name."""
    import dagster as dg

    found = []
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        event = entry.dagster_event
        if event is None or event.asset_check_evaluation_data.passed:
            continue
        data = event.asset_check_evaluation_data
        new = data.metadata.get(NEW)
        if (new is not None and new.value) or not _was_red(instance, data.asset_check_key, run_id):
            found.append((data.asset_key.to_user_string(), data.check_name))
    return found


def _was_red(instance: dg.DagsterInstance, check: dg.AssetCheckKey, run_id: str) -> bool:
    """Whether the evaluation before this run's was red."""
    import dagster as dg

    for record in instance.event_log_storage.get_asset_check_execution_history(check, limit=5):
        event = record.event.dagster_event if record.event else None
        if (
            record.run_id != run_id
            and event is not None
            and event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ):
            return not event.asset_check_evaluation_data.passed
    return False
