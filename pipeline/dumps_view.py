"""How the catalogue looks on a terminal: what came, what it covers, what was refused and what to do. Printing only.

A wide terminal shows a table; a narrow one a few lines a dump, since columns too narrow for a file's name help nobody.
Nothing is ever cut off.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

WIDE = 140  # columns from which file names and remarks fit beside each other


def show_dumps(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """What came and what it covers; then what was refused, by what to do about it."""
    kept = [row for row in rows if row["state"] != "quarantined"]
    if kept:
        (_show_table if console.width >= WIDE else _show_lines)(console, kept)
    refused: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["state"] == "quarantined":
            refused[row["reason"] or "no reason kept"].append(f"{row['dump'][:8]}  {row['path']}")
    if refused:
        console.print("[bold red]Refused, and why[/] (the files lie untouched in the inbox)", highlight=False)
    for reason, paths in sorted(refused.items(), key=lambda said: (-len(said[1]), said[1])):
        console.print(f"\n[red]{escape(reason)}[/]", highlight=False)
        for path in paths:
            _print_path(console, path)
    counts = Counter(row["state"] for row in rows)
    states = "".join(f" · {n} {state}" for state, n in counts.items())
    console.print(f"\n{len(rows)} {'dump' if len(rows) == 1 else 'dumps'}{states}", highlight=False)


def show_waiting(console: Console, paths: Sequence[str], most: int = 10) -> None:
    """What lies in the inbox and is not in the catalogue as it lies there now."""
    if not paths:
        return
    console.print("\n[bold]Waiting for the next run[/] (new, changed, gone, or still being written)", highlight=False)
    for path in paths[:most]:
        _print_path(console, path)
    if len(paths) > most:
        console.print(f"  and {len(paths) - most} more", highlight=False)


def _print_path(console: Console, path: str) -> None:
    """A place in the inbox on one line, however long: a terminal breaks it, and it can still be copied."""
    console.print(f"  {path}", markup=False, highlight=False, soft_wrap=True)


def _show_table(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Dumps that were read, or were once: a row each, by their first folder."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
    for name in ("dump", "file", "came", "state", "covers", "holds", "remarks"):
        table.add_column(
            name, overflow="fold", no_wrap=name in {"dump", "came"}, max_width=46 if name == "remarks" else None
        )
    for _, inside in groupby(rows, _folder):
        for row in inside:
            table.add_row(
                row["dump"][:8], escape(row["path"]), _came(row), _state(row), _covers(row),
                escape(row["holds"] or ""), escape(row["reason"] or ""),
            )  # fmt: skip
        table.add_section()
    console.print(table)


def _show_lines(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """The same in a few lines each."""
    for folder, inside in groupby(rows, _folder):
        console.print(f"[bold]{escape(folder)}[/]", highlight=False)
        for row in inside:
            covers = f"  covers {_covers(row)}" if row["days"] else ""
            console.print(f"  {row['dump'][:8]}  {_state(row)}  came {_came(row)}{covers}", highlight=False)
            console.print(f"    {row['path']}", markup=False, highlight=False, soft_wrap=True)
            for said in (row["holds"], row["reason"]):
                if said:
                    console.print(Padding(escape(said), (0, 0, 0, 4)), highlight=False)
        console.print()


def _folder(row: Mapping[str, Any]) -> str:
    return str(row["path"]).partition("/")[0]


def _came(row: Mapping[str, Any]) -> str:
    return str(row["received"] or "")[:10]


def _state(row: Mapping[str, Any]) -> str:
    return f"[{'green' if row['state'] == 'read' else 'yellow'}]{row['state']}[/]"


def _covers(row: Mapping[str, Any]) -> str:
    days = row["days"] or []
    more = f" … {days[-1]} ({len(days)} days)" if len(days) > 1 else ""
    return f"{days[0]}{more}" if days else ""
