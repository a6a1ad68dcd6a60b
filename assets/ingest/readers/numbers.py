"""Numbers out of text, fast: columns of plain numbers as device exports write them.

Polars parses a clean file in one go; a file with broken lines is parsed again line by line, and what is no number
becomes NaN, counted, never guessed.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.errors import DumpError


@dataclass(frozen=True)
class Columns:
    """`values` (rows, columns) as float32 or float64, NaN where a field is no number; `bad` counts such rows."""

    values: NDArray[np.floating]
    bad: int


def columns(data: bytes, count: int, *, separator: str = ",", dtype: pl.DataType | None = None) -> Columns:
    """Parse lines of `count` numbers each.

    Args:
        data: the lines, without a header; a last line without an end may be cut and is left out.
        count: numbers a line.
        separator: between them.
        dtype: `pl.Float32()` (the default) or `pl.Float64()`.
    """
    dtype = dtype or pl.Float32()
    numpy_type = np.float32 if dtype == pl.Float32() else np.float64
    data = data[: data.rfind(b"\n") + 1]
    if not data.strip():
        return Columns(np.zeros((0, count), numpy_type), 0)
    schema = {str(n): dtype for n in range(count)}
    try:
        frame = pl.read_csv(data, has_header=False, schema=schema, separator=separator, quote_char=None)
    except (pl.exceptions.PolarsError, ValueError):
        return _tolerant(data, count, separator, numpy_type)
    if frame.width != count or frame.null_count().sum_horizontal().item():
        return _tolerant(data, count, separator, numpy_type)
    return Columns(frame.to_numpy(order="fortran").astype(numpy_type, copy=False), 0)


def _tolerant(data: bytes, count: int, separator: str, numpy_type: type) -> Columns:
    """The same, line by line: blank lines are skipped, other broken ones are NaN."""
    rows, bad = [], 0
    broken = [float("nan")] * count
    for line in io.BytesIO(data):
        text = line.strip()
        if not text:
            continue
        try:
            row = [float(f) for f in text.split(separator.encode())]
        except ValueError:
            row = broken
        if len(row) != count or row is broken:
            row, bad = broken, bad + 1
        rows.append(row)
    return Columns(np.array(rows, numpy_type).reshape(-1, count), bad)


def first_lines(data: bytes, count: int) -> tuple[list[str], int]:
    """The first lines as text (without their ends), and where the rest begins."""
    lines, position = [], 0
    for _ in range(count):
        end = data.find(b"\n", position)
        stop = len(data) if end < 0 else end
        lines.append(data[position:stop].decode("utf-8", "replace").lstrip("\ufeff").strip())
        position = len(data) if end < 0 else end + 1
    return lines, position


def micros(text: str) -> int:
    """Seconds written as a decimal number, as µs, without passing through a float.

    Raises:
        DumpError: it is no such number.
    """
    match = re.fullmatch(r"\s*(\d{1,11})(?:\.(\d*))?\s*", text)
    if not match:
        message = f"{text[:40]!r} is no time in seconds"
        raise DumpError(message)
    return int(match[1]) * 1_000_000 + int((match[2] or "")[:6].ljust(6, "0"))
