"""What `macromicro evaluate` does and shows beyond the night's table: other protocols, and the paper's grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from assets.study import Home, Study
from pipeline.lock import lock

TITLES = {
    "P1": "P1: the last fifth of each person's answers, none of which is seen",
    "P3": "P3: people never trained on, after their first {} answers",
}


def protocols(home: Home, study: Study, asked: Sequence[str], console: Console) -> dict[str, dict[str, Any]]:
    """The tables of some protocols, those that no night makes with a progress bar."""
    from assets.learning.asked import protocol_tables

    with lock(home, "macromicro evaluate"), bar(console) as progress:
        return protocol_tables(home, study, asked, progress)


def grid(home: Home, study: Study, name: str, console: Console) -> list[dict[str, Any]]:
    """Run what is missing of a grid, with a progress bar; its table as plain values, the best line first.

    The home is locked while moments are read; a night may run while the cells do.
    """
    from assets.learning.grid import load_material, run_grid

    with lock(home, "macromicro evaluate"):
        material = load_material(home, study)
    with bar(console) as progress:
        return run_grid(home, study, name, material, progress).rows


def titled(tables: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Tables under titles that say what a protocol is; those of the night have theirs already."""
    return {TITLES.get(p.split(" k=")[0], p).format(p.split("=")[-1]): table for p, table in tables.items()}


def show_grid(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    """The grid's table and where it stands against the personal mean."""
    from assets.learning.grid_pages import HEADER, summary, table_rows

    shown = Table(box=box.SIMPLE_HEAD, title="The paper's grid under P1", title_justify="left")
    for place, name in enumerate(HEADER):
        shown.add_column(name, justify="right" if place else "left", overflow="fold")
    for row, texts in zip(rows, table_rows(rows), strict=True):
        shown.add_row(*map(escape, texts), style="" if row["seeds"] else "dim")
    console.print(shown)
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
