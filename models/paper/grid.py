"""Running the paper's grid: each cell once per seed, what is finished is never run again, one table at the end.

The grid is judged under P1: known people, the last fifth of their answers after a gap, none of which anyone sees. A
cell's result is the sufficient statistics of its predictions per person and item, from which every figure and every
bootstrap draw follows (`models/metrics.py`). Intervals resample participants, paired over all cells and references,
with the figure averaged over seeds in each draw. MLflow and the lake belong to `assets/learning/`.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from models.baselines import BASELINES, OrnsteinUhlenbeck
from models.bootstrap import DRAWS, bounds, draws, over_items, pooled
from models.cohort import Cohort, Floats
from models.errors import ModelError
from models.guards import guard_past, guard_windows
from models.metrics import Sums, ccc, icc, implied_q, mae, person_ccc, sums, within_r
from models.paper.design import Design, PaperSettings
from models.paper.fitting import fit_paper
from models.protocols import GAP_H, Split, frozen
from models.threads import torch_threads

AGAINST = "personal_mean"


@dataclass(frozen=True, order=True)
class Cell:
    """One design with one seed."""

    design: Design
    seed: int

    @property
    def name(self) -> str:
        """The design's name and the seed."""
        return f"{self.design.name} seed {self.seed}"


@dataclass(frozen=True)
class Result:
    """What a cell came to: statistics (people, items, 7), epochs, people whose fine-tuning was kept, seconds."""

    each: Sums
    epochs: int
    kept: int
    seconds: float


@dataclass(frozen=True)
class Row:
    """One line of the table: a design over its seeds, or a reference (`seeds` 0). Pairs are 95 % intervals over people.

    `seed_sd` is the spread of pooled CCC over seeds; `over` the gain in pooled CCC over the personal mean.
    """

    name: str
    seeds: int
    pooled_ccc: float
    pooled_ccc_ci: tuple[float, float]
    mae: float
    mae_ci: tuple[float, float]
    person_ccc: float
    within_r: float
    implied_q: float
    over: float
    over_ci: tuple[float, float]
    seed_sd: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class Store:
    """Results of finished cells in a folder, one small file each, written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, key: str) -> Result | None:
        """The result under this key, if the cell is finished."""
        file = self.folder / f"{key}.npz"
        if not file.exists():
            return None
        file.touch()  # what is still asked for is not old, whoever tidies up
        with np.load(file, allow_pickle=False) as held:
            return Result(held["each"], int(held["epochs"]), int(held["kept"]), float(held["seconds"]))

    def put(self, key: str, result: Result) -> None:
        """Keep a finished cell."""
        data = io.BytesIO()
        np.savez_compressed(data, **asdict(result))
        part = self.folder / f"{key}.{os.getpid()}.part"
        part.write_bytes(data.getvalue())
        part.replace(self.folder / f"{key}.npz")


@dataclass(frozen=True)
class Bench:
    """What all cells share: the split, and which test row is whose."""

    split: Split
    rows: np.ndarray
    person: np.ndarray
    people: int

    @classmethod
    def of(cls, cohort: Cohort, gap_h: float = GAP_H) -> Bench:
        """P1 on a whole cohort, with a gap as long as the longest look-back.

        Raises:
            LeakageError: features know of later ones, or look-backs overlap the training stretch.
            ModelError: nobody has answers to test on.
        """
        guard_past(cohort)
        split = frozen(cohort, gap_h)
        guard_windows(split, gap_h)
        rows = np.flatnonzero(split.test)
        if not len(rows):
            message = (
                f"too few answers for the grid: nobody has any {gap_h:g} hours after the first four fifths of theirs"
            )
            raise ModelError(message)
        used, person = np.unique(cohort.person[rows], return_inverse=True)
        return cls(split, rows, person, len(used))

    def judged(self, predicted: Floats) -> Sums:
        """Statistics of predictions of every row of the cohort."""
        return sums(predicted[self.rows], self.split.cohort.answers[self.rows], self.person, self.people)


def run_cell(bench: Bench, cell: Cell, settings: PaperSettings) -> Result:
    """Fit one cell and predict the test stretch, on one thread so that the last digit stays."""
    start = time.perf_counter()
    with torch_threads():
        model = fit_paper(bench.split.cohort, bench.split.train, cell.design, replace(settings, seed=cell.seed))
        predicted = model.predict(bench.split.cohort)
    return Result(bench.judged(predicted), len(model.curve), model.kept, time.perf_counter() - start)


def run_cells(
    bench: Bench,
    keys: Mapping[Cell, str],
    settings: PaperSettings,
    store: Store,
    done: Callable[[Cell, Result, bool], None] | None = None,
) -> dict[Cell, Result]:
    """Every cell's result; cells whose key the store holds are not run again.

    Args:
        bench: split and rows.
        keys: each cell with the digest of all that it depends on.
        settings: of all cells.
        store: finished cells.
        done: told each cell, its result, and whether it was run just now.
    """
    results = {}
    for cell, key in keys.items():
        found = store.get(key)
        result = found or run_cell(bench, cell, settings)
        if found is None:
            store.put(key, result)
        results[cell] = result
        if done is not None:
            done(cell, result, found is None)
    return results


def references(bench: Bench) -> dict[str, Sums]:
    """Every baseline on the same rows, fitted on the same ones."""
    split, out = bench.split, {}
    for name, make in BASELINES.items():
        baseline = make()
        if isinstance(baseline, OrnsteinUhlenbeck):
            baseline.fit(split.cohort, split.train)
        else:
            baseline.fit(split.cohort, split.train, split.seen)
        out[name] = bench.judged(baseline.predict(split.cohort, split.seen))
    return out


def table(
    results: Mapping[Cell, Result], baselines: Mapping[str, Sums], *, draw_count: int = DRAWS, seed: int = 0
) -> list[Row]:
    """Designs and references with intervals, the highest pooled CCC first."""
    people = len(baselines[AGAINST])
    drawn = draws(people, draw_count, seed)
    usual = _agreement(baselines[AGAINST]), pooled(baselines[AGAINST], drawn)[0]
    by_design: dict[str, list[Sums]] = {}
    for cell, result in sorted(results.items()):
        by_design.setdefault(cell.design.name, []).append(result.each)
    rows = [_row(name, each, len(each), drawn, usual) for name, each in by_design.items()]
    rows += [_row(name, [each], 0, drawn, usual) for name, each in baselines.items()]
    return sorted(rows, key=lambda row: -np.nan_to_num(row.pooled_ccc, nan=-1.0))


def figures(result: Result) -> dict[str, float]:
    """A cell's own figures, for experiment logs."""
    total = result.each.sum(0)
    return {
        "pooled_ccc": float(over_items(ccc(total))),
        "mae": float(over_items(mae(total))),
        "person_ccc": float(over_items(person_ccc(result.each))),
        "within_r": float(over_items(within_r(result.each))),
        "epochs": float(result.epochs),
        "kept": float(result.kept),
        "seconds": result.seconds,
    }


def _row(name: str, seeds: Sequence[Sums], count: int, drawn: Floats, usual: tuple[float, Floats]) -> Row:
    agreement, people = [_agreement(each) for each in seeds], drawn.shape[1]
    sampled = [pooled(each, drawn) for each in seeds]
    sampled_ccc, sampled_mae = (np.mean([s[k] for s in sampled], axis=0) for k in (0, 1))
    return Row(
        name=name,
        seeds=count,
        pooled_ccc=float(np.mean(agreement)),
        pooled_ccc_ci=bounds(sampled_ccc, people),
        mae=float(np.mean([over_items(mae(each.sum(0))) for each in seeds])),
        mae_ci=bounds(sampled_mae, people),
        person_ccc=float(np.mean([over_items(person_ccc(each)) for each in seeds])),
        within_r=float(np.mean([over_items(within_r(each)) for each in seeds])),
        implied_q=float(np.mean([over_items(implied_q(ccc(each.sum(0)), icc(each))) for each in seeds])),
        over=float(np.mean(agreement)) - usual[0],
        over_ci=bounds(sampled_ccc - usual[1], people),
        seed_sd=float(np.std(agreement, ddof=1)) if len(agreement) > 1 else float("nan"),
    )


def _agreement(each: Sums) -> float:
    return float(over_items(ccc(each.sum(0))))
