"""Writes the pages of `docs/` that are made from declarations in the code: `make docs`.

A page that differs from what this would write fails a test, so the pages stay true.
"""

from __future__ import annotations

from pathlib import Path

from assets.tables import TABLES, Table

FOLDER = Path(__file__).parent


def tables_page() -> str:
    """`docs/tables.md`: every table of the lake with its columns."""
    intro = (
        "# Tables of the lake\n\nMade from `assets/tables.py` by `make docs`. A part lies at "
        "`lake/<table>/<key>=<value>/…/part.parquet`.\nTimes are UTC microseconds; days are the participant's own.\n"
    )
    return intro + "".join(_table(table) for table in TABLES)


def _table(table: Table) -> str:
    keys = ", ".join(f"`{k}`" for k in table.keys) or "none: one part"
    columns = [c for c in table.columns if table.name != "acoustic" or not c.meaning.startswith("functional")]
    rows = "".join(f"| `{c.name}` | {c.dtype} | {c.unit} | {c.meaning} |\n" for c in columns)
    more = (
        "\nand the 88 functionals of eGeMAPSv02 ([features](features.md)).\n"
        if len(columns) < len(table.columns)
        else ""
    )
    head = (
        f"\n## {table.name}\n\n{table.meaning} Keys: {keys}.\n\n| column | type | unit | meaning |\n|---|---|---|---|\n"
    )
    return head + rows + more


PAGES = {"tables.md": tables_page}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page())


if __name__ == "__main__":
    main()
