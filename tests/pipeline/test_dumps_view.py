import io
import re

import pytest
from rich.console import Console

from pipeline.dumps_view import show_dumps, show_waiting


def _row(path: str, state: str, reason: str | None = None) -> dict[str, object]:
    return {
        "dump": f"{len(path):064x}", "path": path, "state": state, "reason": reason,
        "days": ["2026-01-31", "2026-02-01"],
        "received": "2026-02-02T08:00:00Z", "holds": "bvp, eda 5.0 h · 12 tags",
    }  # fmt: skip


def test_what_was_refused_stands_below_its_reason_once() -> None:
    console = Console(width=140, record=True, file=io.StringIO())
    cut = "a damaged [zip]: copy it again"
    refused = [_row("P01/a.zip", "quarantined", cut), _row("P02/b.zip", "quarantined", cut)]
    show_dumps(console, [_row("P01/e4", "read", "tags missing"), *refused])
    told = console.export_text()
    assert told.count(cut) == 1
    assert told.index("P01/e4") < told.index(cut) < told.index("P01/a.zip") < told.index("P02/b.zip")
    assert "2026-01-31 … 2026-02-01 (2 days)" in told
    assert "bvp, eda 5.0 h · 12 tags" in told
    assert told.rstrip().endswith("3 dumps · 1 read · 2 quarantined")


def test_what_waits_for_the_next_run_is_listed_and_the_rest_counted() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    show_waiting(console, [])
    assert console.export_text() == ""
    show_waiting(console, [f"P01/[{n}].zip" for n in range(12)])
    told = console.export_text()
    assert "P01/[9].zip" in told
    assert "P01/[10].zip" not in told
    assert "and 2 more" in told


@pytest.mark.parametrize("width", [80, 100, 160])
def test_nothing_is_cut_off_however_long_a_name_and_narrow_a_terminal(width: int) -> None:
    console = Console(width=width, record=True, file=io.StringIO())
    name = "P01/week 1/" + "export of everything " * 6 + "日本語.zip"
    states = ("read", "duplicate", "withdrawn", "quarantined")
    rows = [_row(f"{n} {name}", state, f"same content as {name}") for n, state in enumerate(states)]
    show_dumps(console, rows)
    told = console.export_text()
    assert "…" not in told.replace("2026-01-31 … 2026-02-01", "")
    words = re.sub(r"\s", "", told)
    if width < 140:
        assert all(f"{n} {name}" in told for n in range(4))  # to be copied as it is
        assert words.count(re.sub(r"\s", "", f"same content as {name}")) == 4
    assert all(f"{row['dump']}"[:8] in told for row in rows)
    assert all(told.count(state) >= 2 for state in states[:3])
    assert max(len(line) for line in told.splitlines() if "P01/" not in line and line.strip()) <= width
