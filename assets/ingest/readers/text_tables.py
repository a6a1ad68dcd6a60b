"""Tables in text, whatever wrote them: separator, quoting, and headers that do not fit their rows.

Gives names and rows of strings; what they mean belongs to the readers.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from assets.errors import DumpError
from assets.ingest.encodings import decoded

SEPARATORS = (",", ";", "\t", "|")
_LARGEST_FIELD = 10_000_000


@dataclass(frozen=True)
class TextTable:
    """`names` of the columns as written, `rows` of strings, one for each name; `ragged` rows do not fit, left out."""

    names: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    ragged: int = 0

    def column(self, index: int) -> list[str]:
        """One column's values, without surrounding blanks."""
        return [row[index].strip() for row in self.rows]


def plain(name: str) -> str:
    """A column's name for comparing: lower case, letters and digits only."""
    return re.sub(r"[^0-9a-zà-ÿ]", "", name.lower())


def header(head: bytes) -> tuple[str, ...]:
    """The column names that a file's first bytes give, or none where they are no table."""
    if b"\0" in head:
        return ()
    # A multi-byte character cut at the end of the head must not make the rest look like another encoding.
    text = head[: head.rfind(b"\n") + 1 or len(head)]
    lines = _without_separator_line(decoded(text).splitlines())
    first = next((line for line in lines if line.strip()), "")
    names = _names(first, separator_of(first))
    return names if len(names) > 1 else ()


def separator_of(line: str) -> str:
    """The separator that comes most often outside quotes."""
    bare = re.sub(r'"[^"]*"', "", line) or line
    bare = bare if any(s in bare for s in SEPARATORS) else line
    return max(SEPARATORS, key=bare.count)


def parse_table(data: bytes) -> TextTable:
    """Parse a delimited table.

    Raises:
        DumpError: it has no header and rows.
    """
    text = decoded(data).replace("\0", "")
    lines = [line for line in _without_separator_line(text.splitlines()) if line.strip()]
    if not lines:
        message = "the table is empty"
        raise DumpError(message)
    separator = separator_of(lines[0])
    names = _names(lines[0], separator)
    rows, broken = _rows(lines[1:], separator, len(names))
    if rows and sum(len(row) == len(names) + 1 for row in rows[:100]) > 0.9 * len(rows[:100]):
        # R's write.table leaves the row names without a header; others end each row with a separator.
        trailing = all(not row[-1].strip() for row in rows[:100] if len(row) == len(names) + 1)
        names = (*names, "") if trailing else ("", *names)
    if rows and not text.endswith(("\n", "\r")) and len(rows[-1]) < min([len(names), *map(len, rows[-2:-1])]):
        # A copy that was cut ends inside a row, perhaps inside a value.
        rows, broken = rows[:-1], broken + 1
    filled = [row + [""] * (len(names) - len(row)) if len(row) < len(names) else row for row in rows]
    whole = [row for row in filled if len(row) == len(names) or not any(f.strip() for f in row[len(names) :])]
    return TextTable(names, [row[: len(names)] for row in whole], len(rows) - len(whole) + broken)


def _rows(lines: Sequence[str], separator: str, width: int) -> tuple[list[list[str]], int]:
    """The fields of each row, and how many lines were left out: they open a quote that nothing closes.

    A quoted text may run over several lines; where it would swallow rows or fields, its line is left out and the next
    one read.
    """
    rows: list[list[str]] = []
    broken = at = 0
    while at < len(lines):
        for row, end in _until_broken(lines, at, separator, width):
            rows.append(row)
            at = end
        if at < len(lines):
            broken, at = broken + 1, at + 1
    return rows, broken


def _until_broken(lines: Sequence[str], at: int, separator: str, width: int) -> Iterator[tuple[list[str], int]]:
    """Rows from a line on, each with the line after it, up to one whose quotes do not hold."""
    csv.field_size_limit(_LARGEST_FIELD)
    # The empty line after the last one is read only by a quote that is still open there.
    reader = csv.reader((f"{line}\n" for line in chain(islice(lines, at, None), [""])), delimiter=separator)
    first = at
    while first < len(lines):
        try:
            row = next(reader)
        except csv.Error:
            return
        end = at + reader.line_num
        suspect = end > first + 1 or len(row) < width
        if suspect and (end > len(lines) or _misquoted(lines[first:end], separator, width)):
            return
        yield row, end
        first = end


def _misquoted(lines: Sequence[str], separator: str, width: int) -> bool:
    """Whether lines are no row: quoted wrongly, or held together by quotes where each is a row by itself."""
    try:
        fields = list(csv.reader([f"{line}\n" for line in lines], delimiter=separator, strict=True))
    except csv.Error:
        return True
    rows = len(lines) > 1 and width > 2 and all(line.count(separator) == width - 1 for line in lines)
    return rows or len(fields[0]) > width + 1


def _names(line: str, separator: str) -> tuple[str, ...]:
    names = next(csv.reader([line], delimiter=separator), [])
    if len(names) == 1 or any(separator in n for n in names):
        # Some exports quote half of the header, or all of it as one field.
        names = line.replace('"', "").split(separator)
    while names and not names[-1].strip():
        names = names[:-1]
    return tuple(n.strip().strip("\ufeff\"'").strip() for n in names)


def _without_separator_line(lines: list[str]) -> list[str]:
    """Drop Excel's `sep=;` line."""
    first = lines[0].strip().strip('"').lower() if lines else ""
    return lines[1:] if first.startswith("sep=") and len(first) <= 6 else lines
