"""What an asset tells Dagster's UI of its work: counts, hashes and small pictures, never a row of health data.

Every daily asset reports the same figures in the same words, so that a researcher reads one page as the next.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets import markdown
from assets.raster import pixels
from assets.tables import Table
from assets.units import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST_PICTURE = 100_000  # bytes: event logs are never pruned, and pictures lie in them
DPIS = (110, 80, 60, 40)


def picture(figure: Figure, alt: str) -> dg.MarkdownMetadataValue:
    """A figure as a picture in the metadata: a PNG inside the Markdown, below 100 kB.

    Args:
        figure: made with `matplotlib.figure.Figure` (no pyplot, no state between assets).
        alt: what it shows, for readers without pictures.

    Raises:
        ValueError: the figure stays too large even at the lowest resolution.
    """
    for dpi in DPIS:
        data = io.BytesIO()
        pixels(figure, dpi).save(data, format="PNG")
        text = f"![{alt}](data:image/png;base64,{base64.b64encode(data.getvalue()).decode()})"
        if len(text) < LARGEST_PICTURE:
            return dg.MetadataValue.md(text)
    message = f"the picture {alt!r} stays above {LARGEST_PICTURE} bytes; draw fewer marks or rasterise them"
    raise ValueError(message)


def unit_metadata(report: Report, table: Table) -> dict[str, Any]:
    """What a run of a unit of work did for one of its tables: rows, people, days computed and skipped, content."""
    done = report.computed
    return {
        "dagster/row_count": report.rows[table.name],
        "participants": len({key.participant for key in done}),
        "participant-days computed": len(done),
        "participant-days unchanged": report.skipped,
        "participant-days failed": len(report.failed),
        "bytes": report.bytes,
        "content": report.content,
    } | ({"failures": failures(report)} if report.failed else {})


def failures(report: Report, most: int = 20) -> dg.MarkdownMetadataValue:
    """Which participant-days failed and why, as a table (study codes and messages, no data)."""
    rows = [(f"{k.participant} {k.date}", why.splitlines()[0][:200]) for k, why in sorted(report.failed.items())[:most]]
    return markdown_table(("participant-day", "why"), rows)


def markdown_table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> dg.MarkdownMetadataValue:
    """A small table for the metadata."""
    return dg.MetadataValue.md(markdown.table(header, rows))


def column_schema(table: Table) -> Mapping[str, dg.TableSchema]:
    """A table's declared columns with unit and meaning, as the UI shows them."""
    columns = [
        dg.TableColumn(c.name, str(c.dtype), f"{c.meaning} ({c.unit})" if c.unit else c.meaning) for c in table.columns
    ]
    return {"dagster/column_schema": dg.TableSchema(columns)}
