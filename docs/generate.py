"""Writes the pages of `docs/` that are made from declarations in the code: `make docs`.

A page that differs from what this would write fails a test, so the pages stay true.
"""

from __future__ import annotations

from pathlib import Path

from assets.features.egemaps import EGEMAPS_NAMES
from assets.learning.tables import EVALUATION, PREQUENTIAL
from assets.moments.table import days_table, moments_table
from assets.monitoring.tables import DAILY, DECISIONS, DRIFT, RETIRED
from assets.study import Study
from assets.tables import TABLES, Table

FOLDER = Path(__file__).parent
STUDY = Study.model_validate({"study": {"timezone": "UTC"}, "items": {"<item>": {}}})
FEATURES_OF = {
    "acoustic": "and the 88 functionals of eGeMAPSv02",
    "days": "and `yesterday.<feature>`, the means of the day, and `daily.<value>` of the study's daily values",
    "moments": "and of each modality `<m>.<feature>`, its value in the look-back, with `<m>.<feature>.past_mean` and "
    "`<m>.<feature>.past_sd`, the person's own mean and SD of it before",
    "daily": "and `<m>.<feature>`, the median of the day",
}
LATER = (days_table(STUDY), moments_table(STUDY), EVALUATION, PREQUENTIAL, DAILY, DRIFT, DECISIONS, RETIRED)


def tables_page() -> str:
    """`docs/tables.md`: every table of the lake with its columns."""
    intro = (
        "# Tables of the lake\n\nMade from the tables' declarations by `make docs`. A part lies at "
        "`lake/<table>/<key>=<value>/…/part.parquet`.\nTimes are UTC microseconds; days are the participant's own. "
        "The analysis-ready table is [`moments`](#moments).\n"
    )
    return intro + "".join(_table(table) for table in (*TABLES, *LATER))


def _table(table: Table) -> str:
    keys = ", ".join(f"`{k}`" for k in table.keys) or "none: one part"
    columns = [c for c in table.columns if not _of_a_feature(table, c.name)]
    told = ((c.name, c.dtype, c.unit, c.meaning.replace("<", "&lt;")) for c in columns)
    rows = "".join(f"| `{name}` | {dtype} | {unit} | {meaning} |\n" for name, dtype, unit, meaning in told)
    more = f"\n{FEATURES_OF[table.name]} ([features](features.md)).\n" if len(columns) < len(table.columns) else ""
    head = (
        f"\n## {table.name}\n\n{table.meaning} Keys: {keys}.\n\n| column | type | unit | meaning |\n|---|---|---|---|\n"
    )
    return head + rows + more


def _of_a_feature(table: Table, column: str) -> bool:
    """Whether a column is told by the page of features: there are hundreds."""
    if table.name == "acoustic":
        return column in EGEMAPS_NAMES
    return "." in column and not column.endswith((".coverage", ".past_n"))


PAGES = {"tables.md": tables_page}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page())


if __name__ == "__main__":
    main()
