"""Columns of short texts out of a logger's lines, fast, and whatever state the lines are in.

A clean file is split by Polars in one go. Where that fails (lines with more fields than the header, stray quotes) each
line is split by itself: fields that are missing are null, those too many are dropped. What a field means belongs to
the readers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl


def text_columns(
    body: bytes, names: Sequence[str], separator: str, types: Mapping[str, pl.DataType] | None = None
) -> pl.DataFrame:
    """The lines' fields, null where there is none; strings come without surrounding blanks and quotes.

    Args:
        body: whole lines, without a header.
        names: of the columns, each once.
        separator: between fields, one ASCII character.
        types: what columns should be; one that holds anything else comes as strings, with all the others.
    """
    schema: dict[str, pl.DataType] = dict.fromkeys(names, pl.String())
    schema |= types or {}
    if not body[:4096].strip() and not body.strip():
        return pl.DataFrame(schema=schema)
    try:
        table = pl.read_csv(
            body,
            schema=schema,
            separator=separator,
            has_header=False,
            quote_char=None,
            encoding="utf8-lossy",
            truncate_ragged_lines=True,
        )
    except (pl.exceptions.PolarsError, ValueError):
        table = _line_by_line(body, names, separator)
    return table.with_columns(pl.col(pl.String).str.strip_chars(" \t\r\"'"))


def _line_by_line(body: bytes, names: Sequence[str], separator: str) -> pl.DataFrame:
    lines = pl.Series("line", body.replace(b"\0", b"").decode("utf-8", "replace").splitlines(), pl.String())
    return (
        lines.filter(lines.str.len_bytes() > 0)
        .str.split_exact(separator, len(names) - 1)
        .struct.rename_fields(list(names))
        .struct.unnest()
    )
