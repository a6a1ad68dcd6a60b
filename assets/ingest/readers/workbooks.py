"""Excel workbooks (`.xlsx`) as tables of text; dates become ISO text, formulas their last value."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from io import BytesIO

from assets.errors import DumpError
from assets.ingest.readers.text_tables import TextTable
from assets.ingest.source import Source

_WORKBOOK = "xl/workbook.xml"
_MOST_COLUMNS = 2_000


def is_workbook(source: Source) -> bool:
    """Whether a file is an Excel workbook."""
    if not source.single or not source.head().startswith(b"PK"):
        return False
    try:
        with source.only.open() as file, zipfile.ZipFile(file) as archive:
            return _WORKBOOK in archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def sheets(data: bytes, most_bytes: int) -> Iterator[tuple[str, TextTable]]:
    """The name and the table of each sheet that has a header and rows.

    Raises:
        DumpError: the workbook is damaged, or would unpack to more than `most_bytes`.
    """
    import openpyxl

    try:
        _refuse_large(data, most_bytes)
        book = openpyxl.load_workbook(BytesIO(data), read_only=True, data_only=True)
        found = [(s.title, _table(s.iter_rows(values_only=True, max_col=_MOST_COLUMNS))) for s in book.worksheets]
    except DumpError:
        raise
    except Exception as error:  # openpyxl raises whatever its XML trips over
        message = f"the workbook is damaged ({type(error).__name__}): save it again as XLSX or CSV"
        raise DumpError(message) from error
    yield from ((name, table) for name, table in found if table is not None)


def _refuse_large(data: bytes, most_bytes: int) -> None:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        if sum(i.file_size for i in archive.infolist()) > most_bytes:
            message = "the workbook would unpack to more than [reading] max_unpacked_mb"
            raise DumpError(message)


def _table(rows: Iterator[tuple[object, ...]]) -> TextTable | None:
    filled = [row for row in rows if any(cell not in {None, ""} for cell in row)]
    if len(filled) < 2:
        return None
    width = max(n for n, cell in enumerate(filled[0], 1) if cell not in {None, ""})
    names = tuple(_text(cell) for cell in filled[0][:width])
    return TextTable(names, [[_text(cell) for cell in row[:width]] + [""] * (width - len(row)) for row in filled[1:]])


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat(" ")
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()
