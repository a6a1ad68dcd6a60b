"""What `macromicro evaluate` does and shows beyond the night's table: other protocols, seeds, a control, the grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from assets.learning.honest_table import NOTHING, leaves, number
from assets.study import Home, Study
from pipeline.lock import lock
from pipeline.summary import NIGHTLY
from pipeline.terminal import show_lines

TITLES = NIGHTLY | {
    "P1": "P1: the last fifth of each person's answers, none of which is seen",
    "P3": "P3: people never trained on, after their first {} answers",
}
FIGURES = (
    ("pooled CCC", "pooled_ccc", 3, 1),
    ("MAE", "mae", 2, 1),
    ("lift over EWMA,\n% of scale", "lift_over_ewma.mean", 2, 100),
)
"""Of several seeds: heading, the figure (`honest_table.leaves`), digits, and times what."""
APART = 0.02  # pooled CCC by which chance alone may lift a model over the personal mean


def protocols(
    home: Home, study: Study, asked: Sequence[str], console: Console, *, seeds: int = 1, permuted: bool = False
) -> list[dict[str, dict[str, Any]]]:
    """The tables of some protocols, those that no night makes with a progress bar; for each seed, the study's first."""
    from assets.learning.asked import Variant, protocol_tables

    found = []
    with lock(home, "macromicro evaluate"), bar(console) as progress:
        for more in range(seeds):

            def say(text: str, share: float, more: int = more) -> None:
                progress(f"seed {more + 1} of {seeds}, {text}" if seeds > 1 else text, (more + share) / seeds)

            found.append(protocol_tables(home, study, asked, say, Variant(more, permuted)))
    return found


def grid(home: Home, study: Study, name: str, console: Console, *, seeds: int | None = None) -> list[dict[str, Any]]:
    """Run what is missing of a grid, with a progress bar; its table as plain values, the best line first.

    Each design is trained with so many seeds, by default as many as the study says. The home is locked while moments
    are read; a night may run while the cells do.
    """
    from assets.learning.grid import load_material, run_grid

    if seeds is not None:
        study = study.model_copy(update={"training": study.training.model_copy(update={"seeds": seeds})})
    with lock(home, "macromicro evaluate"):
        material = load_material(home, study)
    with bar(console) as progress:
        return run_grid(home, study, name, material, progress).rows


def titled(tables: Mapping[str, dict[str, Any]], *, permuted: bool = False) -> dict[str, dict[str, Any]]:
    """Tables under titles that say what a protocol is, and whether it is the control."""
    after = "; answers in random order" if permuted else ""
    return {TITLES[p.split(" k=")[0]].format(p.split("=")[-1]) + after: table for p, table in tables.items()}


def show_protocols(
    console: Console,
    found: Sequence[Mapping[str, dict[str, Any]]],
    show: Callable[[Console, dict[str, dict[str, Any]]], None],
    *,
    permuted: bool,
) -> None:
    """What `protocols` found: of one seed by `show`, of several how far they lie apart; of a control what it says."""
    tables = [titled(table, permuted=permuted) for table in found]
    if len(tables) > 1:
        show_seeds(console, tables)
    else:
        show(console, tables[0])
    if permuted:
        show_control(console, found)


def show_seeds(console: Console, found: Sequence[Mapping[str, Mapping[str, Any]]]) -> None:
    """How far tables of several seeds lie apart: each figure's mean, lowest and highest, one table a protocol."""
    for protocol in found[0]:
        title = f"{protocol}; {len(found)} seeds, mean (lowest … highest)"
        shown = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", padding=0, show_edge=False)
        for name in ("model", *(name for name, *_ in FIGURES)):
            shown.add_column(name, justify="left" if name == "model" else "right", no_wrap=True)
        models = sorted(found[0][protocol], key=lambda m: -(found[0][protocol][m]["pooled_ccc"] or 0))
        for model in models:
            cells = [
                _spread(_of_seeds(found, protocol, model, figure), digits, times)
                for _, figure, digits, times in FIGURES
            ]
            shown.add_row(model.replace("_", " "), *cells, style="bold" if model == "macro_micro" else "")
        console.print(shown)
        console.print()


def show_control(console: Console, found: Sequence[Mapping[str, Mapping[str, Any]]]) -> None:
    """Whether the model falls to the personal mean once answers stand in random order; of several seeds their mean.

    Far above it something is seen that may not be; far below it a model is kept that does worse than no model.
    """
    for protocol in found[0]:
        ours, mean = (_average(_of_seeds(found, protocol, m, "pooled_ccc")) for m in ("macro_micro", "personal_mean"))
        if ours is None or mean is None:
            continue
        fine = abs(ours - mean) <= APART
        why = "something is seen that may not be" if ours > mean else "it does worse than the mean that it starts from"
        told = "as it must be" if fine else f"more than {APART:g} apart: {why}, or there are few answers"
        console.print(
            f"{protocol}: macro micro {ours:.3f}, personal mean {mean:.3f}; {told}.",
            style="" if fine else "bold red",
            highlight=False,
        )


def _of_seeds(found: Sequence[Mapping[str, Mapping[str, Any]]], protocol: str, model: str, figure: str) -> list[float]:
    """A figure by seed; none where it is undefined for one of them."""
    values = [dict(leaves(each[protocol].get(model, {}))).get(figure) for each in found]
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else []


def _average(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _spread(values: Sequence[float], digits: int, times: float) -> str:
    if not values:
        return NOTHING
    mean, low, high = (number(times * v, digits) for v in (sum(values) / len(values), min(values), max(values)))
    return mean if low == high else f"{mean} ({low} … {high})"


def show_grid(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    """The grid's table, in two so that each line has its room, and where it stands against the personal mean."""
    from assets.learning.grid_pages import AGREEMENT, ERROR, HEADER, summary, table_rows

    lines = table_rows(rows)
    designs = {line[0] for line, row in zip(lines, rows, strict=True) if row["seeds"]}
    show_lines(
        console, "The paper's grid under P1", HEADER, lines, (AGREEMENT, ERROR),
        lambda line: "" if line[0] in designs else "dim",
    )  # fmt: skip
    console.print(summary(rows), highlight=False)


@contextmanager
def bar(console: Console) -> Iterator[Callable[[str, float], None]]:
    """A bar that says what is being done and how long it will take."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("starting", total=1.0)

        def say(text: str, share: float) -> None:
            shown.update(task, description=text, completed=share)

        yield say
