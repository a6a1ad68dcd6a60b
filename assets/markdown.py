"""Small tables as Markdown text, for the UI's metadata and for model cards."""

from __future__ import annotations

from collections.abc import Iterable


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table; bars in cells are escaped."""
    names = list(header)
    lines = [names, ["---"] * len(names), *([str(v).replace("|", "\\|") for v in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
