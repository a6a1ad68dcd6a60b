"""Tables in text, whatever wrote them: separator, quoting, and headers that do not fit their rows.

Gives names and rows of strings; what they mean belongs to the readers.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from assets.errors import DumpError
from assets.ingest.encodings import decoded

SEPARATORS = (",", ";", "\t", "|")
_LARGEST_FIELD = 10_000_000


@dataclass(frozen=True)
class TextTable:
    """`names` of the columns as written, `rows` of strings, one for each name; `ragged` rows were left out."""

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
    lines = _without_separator_line(decoded(data).replace("\0", "").splitlines())
    lines = [line for line in lines if line.strip()]
    if not lines:
        message = "the table is empty"
        raise DumpError(message)
    separator = separator_of(lines[0])
    names = _names(lines[0], separator)
    csv.field_size_limit(_LARGEST_FIELD)
    try:
        rows = list(csv.reader(io.StringIO("\n".join(lines[1:])), delimiter=separator))
    except csv.Error as error:
        message = f"the table cannot be parsed ({error})"
        raise DumpError(message) from error
    if rows and sum(len(row) == len(names) + 1 for row in rows[:100]) > 0.9 * len(rows[:100]):
        # R's write.table leaves the row names without a header; others end each row with a separator.
        trailing = all(not row[-1].strip() for row in rows[:100] if len(row) == len(names) + 1)
        names = (*names, "") if trailing else ("", *names)
    filled = [row + [""] * (len(names) - len(row)) if len(row) < len(names) else row for row in rows]
    whole = [row for row in filled if len(row) == len(names) or not any(f.strip() for f in row[len(names) :])]
    return TextTable(names, [row[: len(names)] for row in whole], len(rows) - len(whole))


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
