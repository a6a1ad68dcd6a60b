"""Taking old model versions out of the registry: their figures go to the lake first, then version, run and files go.

Kept are: whatever an alias names, the version that a rollback would return to, the last macro version, which micro
nights build on, the newest few, and everything young.
`mlflow gc` ignores registered models, so versions are taken out first and their runs and files after; a command
killed between leaves runs in MLflow's own waste, which the next one empties.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from assets.lake import Lake
from assets.learning.schedule import last_macro
from assets.monitoring.history import Night, night_of
from assets.monitoring.tables import DECISIONS, RETIRED
from assets.study import Home, Retention, Study
from models.errors import RegistryError
from models.registry import MODEL, Registry, Version
from pipeline.decide import previous

if TYPE_CHECKING:
    from mlflow import MlflowClient

GC_TIMEOUT_S = 600


@dataclass(frozen=True)
class Aged:
    """A version and when it was registered."""

    version: Version
    made: datetime


def retire_versions(home: Home, study: Study, now: datetime) -> int:
    """Take out the versions that nobody needs any more, and runs that never made one; how many versions went.

    Raises:
        RegistryError: MLflow could not empty its waste.
    """
    registry = Registry(home.mlflow, study.study.name)
    if not registry.exists():
        return 0
    client, lake = registry.client(), Lake(home.lake)
    found = {int(v.version): v for v in client.search_model_versions(f"name = '{MODEL}'", max_results=10_000)}
    versions = registry.versions()
    aged = [Aged(v, _time(found[v.number].creation_timestamp)) for v in versions if v.number in found]
    old = superfluous(aged, lake.read(DECISIONS), study.retention, now)
    metrics = registry.metrics([v.run_id for v in old])
    _remember(lake, [night_of(v, metrics.get(v.run_id, {})) for v in old], now)
    for version in old:
        client.delete_model_version(MODEL, str(version.number))
        model_id = found[version.number].model_id
        if model_id:
            client.delete_logged_model(model_id)
        client.delete_run(version.run_id)
    _drop_runs(client, registry, {v.run_id for v in versions}, now - timedelta(days=study.retention.versions_days))
    _empty_waste(registry)
    return len(old)


def superfluous(versions: Sequence[Aged], decisions: pl.DataFrame, settings: Retention, now: datetime) -> list[Version]:
    """The versions to take out.

    Args:
        versions: all of them, with their age.
        decisions: champions set by hand.
        settings: how many and how long to keep.
        now: UTC.
    """
    newest = sorted((a.version.number for a in versions), reverse=True)[: settings.versions]
    everyone = [a.version for a in versions]
    needed = {a.version.number for a in versions if a.version.aliases} | set(newest)
    for version in everyone:
        if version.aliases:
            back = previous(version, everyone, decisions)
            needed |= {back.number} if back else set()
    base = last_macro(sorted(everyone, key=lambda v: v.number, reverse=True))
    needed |= {base.number} if base else set()
    limit = now - timedelta(days=settings.versions_days)
    return [a.version for a in versions if a.version.number not in needed and a.made < limit]


def _remember(lake: Lake, nights: Sequence[Night], now: datetime) -> None:
    """Add to the lake's table of retired versions; one that is there already stays as it was."""
    before = lake.read(RETIRED)
    known = set(before["version"].to_list())
    rows: list[dict[str, object]] = [
        {
            "version": n.version,
            "trained_until": n.trained_until,
            "answers": n.answers,
            "people": n.people,
            "kind": n.kind,
            "training": n.training,
            "gate": n.gate,
            "reason": n.reason,
            "gate_figures": json.dumps(dict(n.gate_figures), sort_keys=True),
            "metrics": json.dumps(dict(n.metrics), sort_keys=True),
            "retired_us": int(now.timestamp() * 1e6),
        }
        for n in nights
        if n.version not in known
    ]
    if rows:
        lake.write(RETIRED, pl.concat([before, RETIRED.frame(rows)]))


def _drop_runs(client: MlflowClient, registry: Registry, versioned: set[str], limit: datetime) -> None:
    """Move old runs that no version came from (killed, failed, left behind) into MLflow's waste."""
    before_ms = int(limit.timestamp() * 1000)
    query = f"attributes.start_time < {before_ms}"
    runs: Any = client.search_runs([registry.experiment()], query, max_results=1000)
    for run in runs:
        if run.info.run_id not in versioned and run.info.status != "RUNNING":
            client.delete_run(run.info.run_id)


def _empty_waste(registry: Registry) -> None:
    """What MLflow's own command does: remove deleted runs and models with their files, for good."""
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "gc",
        "--backend-store-uri",
        registry.uri,
        "--tracking-uri",
        registry.uri,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=GC_TIMEOUT_S, check=False)  # noqa: S603  # our own
    if done.returncode:
        message = f"`mlflow gc` could not empty MLflow's waste in {registry.folder}: {done.stderr.strip()[-300:]}"
        raise RegistryError(message)


def _time(milliseconds: int | None) -> datetime:
    return datetime.fromtimestamp((milliseconds or 0) / 1000, UTC)
