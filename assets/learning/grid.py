"""The paper's grid on a study: resumable, with an MLflow run for the grid and one below it for every cell.

Finished cells lie under the home's scratch folder by the digest of all that they depend on, so a grid that was killed
goes on where it stopped, and one on the same moments and code is only read again. Its runs are an MLflow experiment of
their own, apart from the nights'. The table is kept in the lake. Reads moments once, at the start.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import models
from assets.lake import Lake
from assets.learning.evaluation import plain
from assets.learning.work import gap_of, moments_digest
from assets.ledger import digest
from assets.moments.cohort import load_cohort
from assets.study import Home, Study
from models.errors import ModelError
from models.registry import INPUTS, Registry

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from models.cohort import Cohort
    from models.paper.design import PaperSettings
    from models.paper.grid import Cell, Result, Row

SHARED = ("cohort", "standardise", "losses", "weighting", "protocols", "metrics", "history", "trunk", "spread")
"""Modules of `models/`, beside `models/paper/`, that a cell's numbers depend on."""
PARENT = "mlflow.parentRunId"
UNTOUCHED_S = 7 * 86_400.0  # after which nobody works on a folder of cells
Say = Callable[[str, float], None]


@dataclass(frozen=True)
class Material:
    """Moments to run a grid on, and their digest."""

    cohort: Cohort
    inputs: str


@dataclass(frozen=True)
class Ran:
    """The grid's table (plain values, best first), how many cells it has, and how many were run just now."""

    rows: list[dict[str, Any]]
    cells: int
    fresh: int
    run_id: str


def load_material(home: Home, study: Study) -> Material:
    """Read the moments.

    Raises:
        ModelError: nobody has answered yet.
    """
    cohort = load_cohort(home, study)
    if not cohort.labelled.any():
        message = f"{home.root} holds no answers yet. Run: macromicro run"
        raise ModelError(message)
    return Material(cohort, digest(moments_digest(home, study), paper_code(), gap_of(study)))


def run_grid(home: Home, study: Study, grid: str, material: Material, progress: Say | None = None) -> Ran:
    """Run what is missing of a grid and make its table.

    Args:
        home: the data home.
        study: seeds (`training.seed`, `training.seeds`) and limits of training.
        grid: `small` or `paper`.
        material: the moments.
        progress: told the cell that was done and the share of all (0–1).

    Raises:
        ModelError: no grid has this name, or there are too few answers.
        LeakageError: the moments know of something from after their time.
    """
    from models.paper.grid import Bench, Store, references, run_cells, table

    keys, settings = keys_of(study, grid, material.inputs)
    bench, store = Bench.of(material.cohort, gap_of(study)), Store(_folder(home, material.inputs))
    fresh: list[Cell] = []
    with _Tracked(home, study, grid, digest(material.inputs, sorted(keys.values())), settings) as tracked:

        def done(cell: Cell, result: Result, new: bool) -> None:  # noqa: FBT001
            tracked.cell(cell, keys[cell], result)
            fresh.extend([cell] if new else [])
            if progress is not None:
                tracked.seen += 1
                progress(cell.name, tracked.seen / len(keys))

        results = run_cells(bench, keys, settings, store, done)
        rows = table(results, references(bench), seed=study.training.seed)
        tracked.end(rows)
    plainly: list[dict[str, Any]] = plain([row.as_dict() for row in rows])
    kept = {"inputs": material.inputs, "table": plainly}
    Lake(home.lake).write_bytes(f"evaluation/grid_{grid}.json", json.dumps(kept, sort_keys=True).encode())
    return Ran(plainly, len(keys), len(fresh), tracked.run_id)


def keys_of(study: Study, grid: str, inputs: str) -> tuple[dict[Cell, str], PaperSettings]:
    """Every cell of a grid with the digest of all that it depends on, and the settings that cells share."""
    from models.paper.design import PaperSettings, cells
    from models.paper.grid import Cell

    training = study.training
    settings = PaperSettings(max_epochs=min(PaperSettings.max_epochs, training.max_epochs))
    made = [Cell(design, training.seed + n) for design in cells(grid) for n in range(training.seeds)]
    keys = {c: digest(inputs, c.design.name, replace(settings, seed=c.seed).as_dict()) for c in made}
    return keys, settings


def paper_code() -> str:
    """One hash over the code that decides a cell."""
    root = Path(models.__file__).parent
    content = hashlib.sha256()
    for file in sorted([*(root / "paper").glob("*.py"), *(root / f"{name}.py" for name in SHARED)]):
        content.update(file.name.encode() + b"\0" + file.read_bytes())
    return content.hexdigest()[:16]


def _folder(home: Home, inputs: str) -> Path:
    """Where finished cells of these inputs lie; those of other inputs go once no grid can be at work on them."""
    base = home.scratch / "paper_grid"
    for old in base.glob("*") if base.exists() else ():
        if old.name != inputs and time.time() - old.stat().st_mtime > UNTOUCHED_S:  # a cell more touches its folder
            shutil.rmtree(old, ignore_errors=True)
    return base / inputs


class _Tracked:
    """The grid in MLflow: one run for the grid, taken up again where it was left, and one below it for each cell."""

    def __init__(self, home: Home, study: Study, grid: str, inputs: str, settings: PaperSettings) -> None:
        self._registry = Registry(home.mlflow, f"{study.study.name}: paper grid")
        self._grid, self._inputs, self._settings = grid, inputs, settings
        self.run_id, self.seen = "", 0
        self._finished: set[str] = set()

    def __enter__(self) -> Self:
        self._experiment = self._registry.experiment()
        self._client: MlflowClient = self._registry.client()
        same = f"tags.grid_inputs = '{self._inputs}'"
        self._registry.mend(same)  # of a grid that was killed; another may be running
        found = self._client.search_runs([self._experiment], same, max_results=1)
        if found:
            self.run_id = str(found[0].info.run_id)
            self._registry.mend(f"tags.{PARENT} = '{self.run_id}'")
            self._client.update_run(self.run_id, "RUNNING")
        else:
            tags = {"grid_inputs": self._inputs, "grid": self._grid}
            made = self._client.create_run(self._experiment, run_name=f"{self._grid} grid", tags=tags)
            self.run_id = str(made.info.run_id)
            self._log(self.run_id, self._settings.as_dict(), {})
            self._registry.log_environment(self.run_id)
            self._registry.log_dataset(self.run_id, "moments", self._inputs[:36], {})
        self._finished = set(self._children())
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._client.set_terminated(self.run_id, "FINISHED" if kind is None else "FAILED")

    def cell(self, cell: Cell, key: str, result: Result) -> None:
        """Log a cell, unless its run is there already."""
        if key in self._finished:
            return
        from models.paper.grid import figures

        design = cell.design
        tags = {PARENT: self.run_id, INPUTS: key, "mlflow.runName": cell.name}
        run = self._client.create_run(self._experiment, tags=tags).info.run_id
        parts = {n: getattr(design, n) for n in ("fusion", "personalisation", "weighting", "loss")}
        self._log(run, {**parts, "seed": cell.seed}, figures(result))
        self._client.set_terminated(run, "FINISHED")
        self._finished.add(key)

    def end(self, rows: Iterable[Row]) -> None:
        """Log the table and the figure with the grid's run."""
        from assets.learning.grid_pages import grid_picture

        plainly = plain([row.as_dict() for row in rows])
        self._client.log_dict(self.run_id, {"table": plainly}, "table.json")
        self._client.log_figure(self.run_id, grid_picture(plainly), "grid.png")
        best = next(row for row in plainly if row["seeds"])
        self._log(self.run_id, {}, {f"best.{k}": best[k] for k in ("pooled_ccc", "mae", "over") if best[k] is not None})

    def _children(self) -> Iterable[str]:
        token: str | None = None
        while True:
            page = self._client.search_runs(
                [self._experiment],
                f"tags.{PARENT} = '{self.run_id}' and attributes.status = 'FINISHED'",
                page_token=token,
            )
            yield from (run.data.tags[INPUTS] for run in page)
            token = page.token
            if not token:
                return

    def _log(self, run_id: str, params: dict[str, Any], figures: dict[str, float]) -> None:
        from mlflow.entities import Metric, Param

        metrics = [Metric(k, v, 0, 0) for k, v in figures.items() if abs(v) < float("inf")]
        self._client.log_batch(run_id, metrics, [Param(k, str(v)) for k, v in params.items()])
