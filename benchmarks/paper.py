"""The paper's grid on a simulated study: fusion × personalisation × weighting beside every baseline, under P1.

Run: `OMP_NUM_THREADS=1 python -m benchmarks.paper [small|paper] [people] [days] [seeds]` (paper, 100, 14 and 1 by
default). Finished cells are kept in a folder under the temporary one, so a run that was stopped goes on. Its table and
picture are written between the grid's markers in docs/results.md.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from assets.learning.evaluation import plain
from assets.learning.grid import paper_code
from assets.learning.grid_pages import HEADER, grid_picture, page_section, summary, table_rows
from assets.moments.table import items_of, modalities
from assets.simulated.moments import simulated_moments
from assets.study import PAPER_ITEMS, Study
from models.paper.design import PaperSettings, cells
from models.paper.grid import Bench, Cell, Result, Store, references, run_cells, table
from models.tables import cohort_from_frame
from pipeline.experiments import bar

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results.md"
PICTURE = PAGE.parent / "images" / "paper-grid.png"
CAUTION = (
    "Simulated body and voice carry affect by construction: this compares designs, not how well real people are read."
)
SHOWN = 12  # cells at each end of the table in the page


def main(grid: str = "paper", people: str = "100", days: str = "14", seeds: str = "1") -> None:
    """Run the grid, print its table and write it to the page."""
    study = Study.model_validate({"study": {"timezone": "UTC"}, "items": {name: {} for name in PAPER_ITEMS}})
    frame = simulated_moments(study, participants=int(people), days=int(days), seed=1)
    bench = Bench.of(cohort_from_frame(frame, items_of(study), modalities()))
    settings = PaperSettings()
    made = [Cell(design, seed) for design in cells(grid) for seed in range(int(seeds))]
    keys = {c: _key(paper_code(), people, days, c.name, replace(settings, seed=c.seed).as_dict()) for c in made}
    spent: list[float] = []
    with bar(Console(stderr=True)) as progress:

        def done(cell: Cell, result: Result, _: bool) -> None:  # noqa: FBT001
            spent.append(result.seconds)
            progress(cell.name, len(spent) / len(keys))

        store = Store(Path(tempfile.gettempdir()) / "macromicro-paper-grid")
        results = run_cells(bench, keys, settings, store, done)
    start = time.process_time()
    rows = table(results, references(bench))
    print(f"table and baselines: {time.process_time() - start:.1f} processor seconds")
    plainly = plain([row.as_dict() for row in rows])
    text = _section(plainly, f"`benchmarks/paper.py {grid} {people} {days} {seeds}`", len(bench.rows), sum(spent))
    print(text)
    PAGE.write_text(page_section(PAGE.read_text(), text))
    grid_picture(plainly).savefig(PICTURE, dpi=110)


def _section(plainly: list[dict[str, Any]], command: str, answers: int, seconds: float) -> str:
    cells_only = [row for row in plainly if row["seeds"]]
    shown = {row["name"] for row in cells_only[:SHOWN] + cells_only[-SHOWN:]}
    told = (
        f"{command}: a simulated study, P1 (the last fifth of each person's answers after a gap of 12 h, {answers} of "
        f"them, none of which anyone sees). {len(cells_only)} cells took {seconds / 60:.0f} minutes on one core. "
        f"{summary(plainly)} {CAUTION}"
    )
    lines = [
        "## The paper's grid",
        "",
        told,
        "",
        f"![Every cell and baseline beside the personal mean]({PICTURE.relative_to(PAGE.parent)})",
        "",
        f"The {SHOWN} best and the {SHOWN} worst cells, and every baseline; a cell is fusion/personalisation/weighting."
        if len(cells_only) > 2 * SHOWN
        else "A cell is fusion/personalisation/weighting.",
        "",
        f"| {' | '.join(HEADER)} |",
        f"|{'---|' * len(HEADER)}",
    ]
    kept = [row for row in plainly if not row["seeds"] or row["name"] in shown]
    lines += [f"| {' | '.join(texts)} |" for texts in table_rows(kept)]
    return "\n".join(lines)


def _key(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


if __name__ == "__main__":
    main(*sys.argv[1:])
