"""Tables of a terminal: figures stay with their intervals on one line, headings take the lines that need be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import fill

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

HEADING = 10  # letters of a line of it


def show_lines(
    console: Console,
    title: str,
    header: Sequence[str],
    lines: Sequence[Sequence[str]],
    parts: Sequence[Sequence[int]],
    style: Callable[[Sequence[str]], str] = lambda _line: "",
) -> None:
    """One table in several, so that each has its room.

    Args:
        console: where to.
        title: above the first.
        header: what stands above each column.
        lines: a text for each column.
        parts: which columns stand in which table; the first is on the left, the others on the right.
        style: of a line.
    """
    for part, above in zip(parts, (title, *[None] * len(parts)), strict=False):
        shown = Table(box=box.SIMPLE_HEAD, title=above, title_justify="left", padding=0)
        for place in part:
            heading, side = fill(header[place], HEADING), "right" if place else "left"
            shown.add_column(heading, justify=side, no_wrap=True, overflow="fold")  # type: ignore[arg-type]
        for line in lines:
            shown.add_row(*(escape(line[place]) for place in part), style=style(line))
        console.print(shown)
