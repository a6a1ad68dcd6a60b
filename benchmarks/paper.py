"""The paper's grid on a simulated study: fusion × personalisation × weighting beside every baseline, under P1.

Run: `OMP_NUM_THREADS=1 python -m benchmarks.paper [small|paper|losses] [people] [days] [seeds] [--write]` (paper, 100,
14 and 1 by default). Finished cells are kept in a folder under the temporary one, so a run that was stopped goes on.
With `--write` the table and picture replace those between the grid's markers in docs/results.md.
"""

from __future__ import annotations

import hashlib
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
from benchmarks._arguments import asking
from models.cohort import Cohort
from models.paper.design import GRIDS, PaperSettings, cells
from models.paper.grid import Bench, Cell, Result, Store, references, run_cells, table
from models.tables import cohort_from_frame
from pipeline.experiments import bar

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results.md"
PICTURE = PAGE.parent / "images" / "paper-grid.png"
CAUTION = (
    "Simulated body and voice carry affect by construction: this compares designs, not how well real people are read."
)
SHOWN = 12  # cells at each end of the table in the page


def main() -> None:
    """Run what was asked for."""
    parser = asking(__doc__)
    parser.add_argument("grid", nargs="?", default="paper", choices=tuple(GRIDS), help="which designs")
    for name, default in (("people", 100), ("days", 14), ("seeds", 1)):
        parser.add_argument(name, nargs="?", default=default, type=int)
    parser.add_argument("--write", action="store_true", help="put table and picture into docs/results.md")
    run(**vars(parser.parse_args()))


def run(grid: str, people: int, days: int, seeds: int, *, write: bool) -> None:
    """Run the grid, print its table and, if asked, write it to the page."""
    study = Study.model_validate({"study": {"timezone": "UTC"}, "items": {name: {} for name in PAPER_ITEMS}})
    frame = simulated_moments(study, participants=people, days=days, seed=1)
    bench = Bench.of(cohort_from_frame(frame, items_of(study), modalities()))
    settings = PaperSettings()
    made = [Cell(design, seed) for design in cells(grid) for seed in range(seeds)]
    given = (paper_code(), made_of(bench.split.cohort), people, days)
    keys = {c: _key(*given, c.name, replace(settings, seed=c.seed).as_dict()) for c in made}
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
    if write:
        PAGE.write_text(page_section(PAGE.read_text(), text))
        grid_picture(plainly).savefig(PICTURE, dpi=110)


def _section(plainly: list[dict[str, Any]], command: str, answers: int, seconds: float) -> str:
    cells_only = [row for row in plainly if row["seeds"]]
    shown = {row["name"] for row in cells_only[:SHOWN] + cells_only[-SHOWN:]}
    told = (
        f"{command}: a simulated study, P1 (the last fifth of each person's answers after a gap of 12 h, {answers} of "
        f"them, none of which anyone sees). {len(cells_only)} designs took {seconds / 60:.0f} minutes on one core. "
        f"{summary(plainly)} {CAUTION}"
    )
    lines = [
        "## The paper's grid",
        "",
        told,
        "",
        f"![Every design and baseline beside the personal mean]({PICTURE.relative_to(PAGE.parent)})",
        "",
        f"The {SHOWN} best and the {SHOWN} worst designs, and every baseline, by fusion/personalisation/weighting."
        if len(cells_only) > 2 * SHOWN
        else "Designs by fusion/personalisation/weighting.",
        "",
        f"| {' | '.join(HEADER)} |",
        f"|{'---|' * len(HEADER)}",
    ]
    kept = [row for row in plainly if not row["seeds"] or row["name"] in shown]
    lines += [f"| {' | '.join(texts)} |" for texts in table_rows(kept)]
    return "\n".join(lines)


def made_of(cohort: Cohort) -> str:
    """A digest of answers and measurements, so that another simulator makes other cells."""
    found = hashlib.sha256(cohort.answers.tobytes())
    for modality in cohort.modalities.values():
        found.update(modality.values.tobytes())
    return found.hexdigest()


def _key(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


if __name__ == "__main__":
    main()
