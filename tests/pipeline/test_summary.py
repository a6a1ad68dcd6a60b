import io

from rich.console import Console

from pipeline.summary import show_dumps, show_waiting


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
