"""What runs beside the nights: the morning's report, the weekly house-keeping, and the sensors that tell people.

After a night that failed the report is written at once, since nobody needs it more than then. Whom a notice reaches
is `notify.py`, when there is one `notices.py`, what house-keeping removes `housekeeping.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assets.study import Home, Study
from pipeline.housekeeping import clean
from pipeline.jobs import LEARNING, NIGHTLY
from pipeline.notices import after_run

REPORT, MORNING, HOUSEKEEPING = "report", "morning", "housekeeping"
REPORTED = dg.AssetSelection.assets("data_yield", "drift", "report")
REPORT_JOB = dg.define_asset_job(
    MORNING, selection=REPORTED, description="Data yield, drift and the report, on everything as it stands."
)
LOOK_S = 30


@dataclass(frozen=True)
class Watching:
    """Jobs, schedules and sensors to add to a study's definitions."""

    jobs: tuple[dg.JobDefinition | UnresolvedAssetJobDefinition, ...]
    schedules: tuple[dg.ScheduleDefinition, ...]
    sensors: tuple[dg.SensorDefinition, ...]


def watching(home: Home, study: Study) -> Watching:
    """Everything that watches one study."""
    tidy = housekeeping(home, study)
    running = dg.DefaultScheduleStatus.RUNNING if study.schedule.enabled else dg.DefaultScheduleStatus.STOPPED
    schedules = (
        _schedule(REPORT_JOB, MORNING, study.report.morning, study, running),
        _schedule(tidy, HOUSEKEEPING, study.retention.weekly, study, running),
    )
    return Watching((REPORT_JOB, tidy), schedules, (failed_runs(study), red_checks(study)))


def housekeeping(home: Home, study: Study) -> dg.JobDefinition:
    """The job that forgets what may be forgotten; it waits for the home like any other run."""

    @dg.op(name="clean", description="Remove what [retention] of study.toml no longer keeps; the inbox never.")
    def forget(context: dg.OpExecutionContext) -> None:
        done = clean(home, study, context.instance)
        context.log.info("removed: %s", ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in done.figures().items()))

    @dg.job(name=HOUSEKEEPING, description="Once a week: old runs, model versions, logs, reports and scratch files.")
    def tidy() -> None:
        forget()

    return tidy


def failed_runs(study: Study) -> dg.SensorDefinition:
    """Tells people of every run that failed, and has the report written after a night that did."""

    @dg.run_failure_sensor(
        name="failed_runs",
        description="Tells people of a run that failed; after a failed night the report is written at once.",
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=LOOK_S,
        request_job=REPORT_JOB,
    )
    def failed(context: dg.RunFailureSensorContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        run = context.dagster_run
        after_run(context.instance, run, study)
        if run.job_name in {NIGHTLY, LEARNING}:
            yield dg.RunRequest(f"report-after-{run.run_id}")
        else:
            yield dg.SkipReason("Told; the report waits for the morning.")

    return failed


def red_checks(study: Study) -> dg.SensorDefinition:
    """Tells people of checks that turned red in a run that worked."""

    @dg.run_status_sensor(
        dg.DagsterRunStatus.SUCCESS,
        name="red_checks",
        description="Tells people when a check turns red in a run that worked.",
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=LOOK_S,
    )
    def red(context: dg.RunStatusSensorContext) -> None:
        after_run(context.instance, context.dagster_run, study)

    return red


def _schedule(
    job: dg.JobDefinition | UnresolvedAssetJobDefinition,
    name: str,
    cron: str,
    study: Study,
    status: dg.DefaultScheduleStatus,
) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=name, job=job, cron_schedule=cron, execution_timezone=study.timezone, default_status=status
    )
