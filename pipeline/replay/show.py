"""The ledger as a person and a program read it: a table of nights, and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.replay.ledger import Row, totals
from pipeline.replay.script import UNITS

WIDE = 240
STATES = ("read", "duplicate", "quarantined", "withdrawn")


def table(rows: Sequence[Row]) -> Table:
    """One line a night; `computed/due` beside each other."""
    shown = Table(title="Replay", caption="days: recordings, physiology, summaries, acoustic (computed, due if other)")
    for name in ("night", "date"):
        shown.add_column(name)
    for name in ("files", "read/dup/refused/withdrawn", "days computed", "version", "champion", "coverage"):
        shown.add_column(name, justify="right")
    shown.add_column("drift")
    for name in ("runs", "work s", "beyond s"):
        shown.add_column(name, justify="right")
    shown.add_column("special")
    for one in rows:
        shown.add_row(*_cells(one), style="red" if one.faults else None)
    return shown


def tell(console: Console, rows: Sequence[Row]) -> None:
    """Print the table, what disagrees, and the sums; into a file or a pipe as wide as the table is."""
    console = console if console.is_terminal else Console(file=console.file, width=WIDE)
    console.print(table(rows))
    for one in rows:
        for fault in one.faults:
            console.print(f"[bold red]night {one.number} ({one.date}):[/] {fault}", highlight=False, soft_wrap=True)
    said = ", ".join(f"{name} {value:g}" for name, value in totals(rows).items())
    console.print(said, highlight=False, soft_wrap=True)


def write_json(path: Path, rows: Sequence[Row], facts: dict[str, Any]) -> None:
    """Write the whole ledger."""
    ledger = {**facts, "totals": totals(rows), "nights": [one.as_dict() for one in rows]}
    path.write_text(json.dumps(ledger, indent=1, default=str, sort_keys=True) + "\n")


def _cells(one: Row) -> list[str]:
    due, seen = one.due, one.seen
    counts = [
        f"{seen.computed[unit]}" + ("" if seen.computed[unit] == due.computed[unit] else f"({due.computed[unit]})")
        for unit in UNITS
    ]
    return [
        str(one.number),
        f"{one.date:%a %d %b}",
        f"{due.delivered}" + (f" −{due.taken}" if due.taken else ""),
        "/".join(str(seen.states.get(state, 0)) for state in STATES),
        " ".join(counts),
        ", ".join(f"{v.number} {v.training}" for v in seen.versions if v.number in one.new_versions),
        str(one.champion or ""),
        "" if seen.coverage is None else f"{seen.coverage:.2f}",
        ", ".join(sorted({d.feature for d in seen.drift})),
        str(seen.runs),
        f"{seen.work_s:.0f}",
        f"{seen.orchestration_s:.0f}",
        ", ".join(one.remarks),
    ]


def line(one: Row) -> str:
    """One night in a line, while the next is being played."""
    cells = _cells(one)
    said = f"night {cells[0]} ({cells[1]}): {cells[2]} files; days {cells[4]}; version {cells[5] or '–'}"
    faults = "".join(f"\n  ! {fault}" for fault in one.faults)
    return f"{said}; champion {cells[6] or '–'}; {one.seen.real_s:.0f} s{faults}"
