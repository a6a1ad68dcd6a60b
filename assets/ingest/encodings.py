"""The one place that decides how a text is encoded.

Excel's "Unicode text" is UTF-16: such a file is turned into UTF-8 before any reader is asked, so that every reader
knows its format in it. Which of the one-byte encodings a text is in, `decoded` decides; what it means, the readers.
"""

from __future__ import annotations

from dataclasses import replace

from assets.errors import DumpError
from assets.ingest.source import Member, Source, bytes_member

_BY_MARK = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_HEAD = 4096
_CONTROLS = frozenset(map(chr, range(32))) - set("\t\n\r\f")


def decoded(data: bytes) -> str:
    """Text in the encoding its first bytes give away, else UTF-8, else the one of old Windows programs."""
    wide = wide_encoding(data[:_HEAD])
    if wide:
        return data.decode(wide, "replace").removeprefix("\ufeff")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def wide_encoding(head: bytes) -> str | None:
    """Which UTF-16 a text begins in, with or without its mark; None where it is none."""
    wide = _BY_MARK.get(head[:2]) or _unmarked(head)
    if wide is None:
        return None
    try:
        text = head[: len(head) // 2 * 2].decode(wide).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        # A pair of surrogates may be cut at the end of the head; anywhere else this is no text.
        if error.start < len(head) - 4:
            return None
        text = head[: error.start].decode(wide)
    return wide if text and not _CONTROLS.intersection(text) else None


def _unmarked(head: bytes) -> str | None:
    """A text that begins with letters of which every second byte is 0, and goes on so."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if head[1:4:2] == b"\0\0" and odd > 8 * (even + 1):
        return "utf-16-le"
    return "utf-16-be" if head[:4:2] == b"\0\0" and even > 8 * (odd + 1) else None


def in_utf8(source: Source, most_bytes: int) -> Source:
    """The same dump with members that are text in UTF-16 in UTF-8; others as they are.

    Raises:
        DumpError: such a member is larger than may be read into memory.
    """
    members = tuple(_in_utf8(m, most_bytes) for m in source.members)
    return source if members == source.members else replace(source, members=members)


def _in_utf8(member: Member, most_bytes: int) -> Member:
    try:
        wide = wide_encoding(member.head(_HEAD))
    except DumpError:  # damaged in its archive: its reader says so
        return member
    return member if wide is None else bytes_member(member.name, decoded(member.read(most_bytes)).encode())
