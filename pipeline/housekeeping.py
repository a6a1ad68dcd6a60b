"""House-keeping: what a home may forget, forgotten once a week.

Old runs of Dagster lose their step logs, or go altogether where everything they made has been made anew since: what an
asset last made of each day stays, with its pictures. Model versions that nobody needs leave the registry
(`retire.py`); logs, reports, scratch and half-written files go by age. The inbox is never touched, and of the lake
only half-written files. How long things stay is `[retention]` of `study.toml`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from assets.lake import TEMPORARY
from assets.monitoring.days import DAYS
from assets.monitoring.sizes import FOLDER
from assets.study import Home, Study
from pipeline.retire import retire_versions

if TYPE_CHECKING:
    import dagster as dg

CLEARED_TAG = "macromicro/log"
TEMPORARY_AGE = timedelta(days=1)  # no write takes a day: such a file's writer was killed
RUNS_AT_ONCE = 500


@dataclass(frozen=True)
class Cleaned:
    """What went: runs deleted, runs that lost their step log, model versions, files, and the bytes of those files."""

    runs: int = 0
    logs_cleared: int = 0
    versions: int = 0
    files: int = 0
    bytes: int = 0

    def figures(self) -> dict[str, int]:
        """As plain numbers, for people and for Dagster."""
        return asdict(self)


def clean(home: Home, study: Study, instance: dg.DagsterInstance, now: datetime | None = None) -> Cleaned:
    """Forget what may be forgotten. The caller holds the home's lock.

    Args:
        home: the data home.
        study: its settings.
        instance: Dagster's storage of the home.
        now: UTC; the present by default.

    Raises:
        RegistryError: MLflow could not empty its waste.
    """
    now = now or datetime.now(UTC)
    runs, cleared = clean_runs(instance, now - timedelta(days=study.retention.runs_days))
    versions = retire_versions(home, study, now)
    files = size = 0
    for path in [*old_files(home, study, now)]:
        size += path.lstat().st_size
        path.unlink(missing_ok=True)
        files += 1
    for folder in (home.scratch, home.root / FOLDER):
        _drop_empty(folder)
    return Cleaned(runs, cleared, versions, files, size)


def clean_runs(instance: dg.DagsterInstance, before: datetime) -> tuple[int, int]:
    """Forget runs that ended before a time.

    Returns:
        How many were deleted, and how many only lost their step log because an asset's latest state came from them.
    """
    needed, deleted, cleared = _needed_runs(instance), 0, 0
    for run in _old_runs(instance, before):
        shutil.rmtree(_compute_logs(instance) / run.run_id, ignore_errors=True)
        if run.run_id not in needed:
            instance.delete_run(run.run_id)
            _remove_shard(instance, run.run_id)
            deleted += 1
        elif CLEARED_TAG not in run.tags and _clear_shard(instance, run.run_id):
            instance.add_run_tags(run.run_id, {CLEARED_TAG: "cleared"})
            cleared += 1
    return deleted, cleared


def old_files(home: Home, study: Study, now: datetime) -> Iterator[Path]:
    """Logs, reports, scratch and half-written files that are older than they may be."""
    keep = study.retention
    ages = (
        (home.root / "logs", "**/*", timedelta(days=keep.logs_days)),
        (home.root / FOLDER, "*.html", timedelta(days=keep.reports_days)),
        (home.root / FOLDER / DAYS, "*.html", timedelta(days=keep.day_pages_days)),
        (home.scratch, "**/*", timedelta(days=keep.scratch_days)),
        (home.lake, f"**/{TEMPORARY}*", TEMPORARY_AGE),
        (home.root / FOLDER, f"**/{TEMPORARY}*", TEMPORARY_AGE),
        (home.mlflow, "mlflow.db.new", TEMPORARY_AGE),
    )
    for folder, pattern, age in ages:
        limit = (now - age).timestamp()
        for path in sorted(folder.glob(pattern)):
            if path.is_file() and path.lstat().st_mtime < limit:
                yield path


def _old_runs(instance: dg.DagsterInstance, before: datetime) -> Sequence[dg.DagsterRun]:
    import dagster as dg

    over = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    # Times of creation are kept without a zone, in UTC.
    filters = dg.RunsFilter(statuses=over, created_before=before.astimezone(UTC).replace(tzinfo=None))
    found: list[dg.DagsterRun] = []
    while page := instance.get_runs(filters, cursor=found[-1].run_id if found else None, limit=RUNS_AT_ONCE):
        found.extend(page)
    return found


def _needed_runs(instance: dg.DagsterInstance) -> set[str]:
    """Runs from which an asset's latest materialization of any partition, or a check's latest outcome, came."""
    import sqlalchemy as db
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as Checks
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as Events
    from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        message = f"house-keeping knows SQL storages only, not {type(storage).__name__}"
        raise TypeError(message)
    made = Events.c.dagster_event_type == "ASSET_MATERIALIZATION"
    latest = db.select(db.func.max(Events.c.id)).where(made).group_by(Events.c.asset_key, Events.c.partition)
    judged = db.select(db.func.max(Checks.c.id)).group_by(Checks.c.asset_key, Checks.c.check_name)
    with storage.index_connection() as connection:
        runs = connection.execute(db.select(Events.c.run_id).where(Events.c.id.in_(latest))).all()
        checks = connection.execute(db.select(Checks.c.run_id).where(Checks.c.id.in_(judged))).all()
    return {str(row[0]) for row in (*runs, *checks) if row[0]}


def _clear_shard(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Empty a run's own file of events; what assets made stays in the index. The file stays, for open pages."""
    import sqlalchemy as db
    from dagster._core.storage.event_log import SqliteEventLogStorage
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as Events

    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage) or not Path(storage.path_for_shard(run_id)).exists():
        return False
    with storage.run_connection(run_id) as connection:
        connection.execute(Events.delete())
    engine = db.create_engine(storage.conn_string_for_shard(run_id), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(db.text("VACUUM"))
    engine.dispose()
    return True


def _remove_shard(instance: dg.DagsterInstance, run_id: str) -> None:
    from dagster._core.storage.event_log import SqliteEventLogStorage

    storage = instance.event_log_storage
    if isinstance(storage, SqliteEventLogStorage):
        for ending in ("", "-wal", "-shm"):
            Path(storage.path_for_shard(run_id) + ending).unlink(missing_ok=True)


def _compute_logs(instance: dg.DagsterInstance) -> Path:
    """Where steps' own output lies, one folder a run."""
    return Path(instance.storage_directory())


def _drop_empty(folder: Path) -> None:
    """Remove folders without anything in them, the deepest first."""
    for path in sorted((p for p in folder.glob("**/*") if p.is_dir()), reverse=True):
        if not any(path.iterdir()):
            path.rmdir()
