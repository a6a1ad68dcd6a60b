"""The readers, and the one function that decides which of them reads a dump.

Specific formats come before general ones: the first reader that claims a dump by its content reads it. Another
installed package adds readers through entry points of the group `macromicro.readers`, each a `Reader`; they are
asked first.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import entry_points

from assets.errors import DumpError
from assets.ingest.encodings import decoded
from assets.ingest.readers import (
    apple_health,
    daily_values,
    e4,
    edf,
    embraceplus,
    embraceplus_minutes,
    everion,
    fitbit,
    garmin_fit,
    garmin_logger,
    generic,
    holter,
    oura,
    polar,
    rr_text,
    self_reports,
    shimmer,
    voice,
    xdf,
)
from assets.ingest.readers.base import Reader
from assets.ingest.source import Source
from assets.study import Study

ENTRY_POINTS = "macromicro.readers"
OWN: tuple[Reader, ...] = (
    daily_values.READER,
    e4.READER,
    edf.READER,
    embraceplus.READER,
    everion.READER,
    embraceplus_minutes.READER,
    fitbit.READER,
    garmin_fit.READER,
    polar.READER,  # goes by a header; the Garmin logger has none, and takes any lines that look like its own
    garmin_logger.READER,
    shimmer.READER,
    holter.READER,
    apple_health.READER,
    oura.READER,
    xdf.READER,
    generic.READER,
    voice.READER,
    rr_text.READER,
    self_reports.READER,
)

_KNOWN = (
    (b"%PDF", "a PDF"),
    (b"Obj\x01", "an Avro file that is not an EmbracePlus recording"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it and copy what is in it"),
    (b"Rar!", "a RAR archive: unpack it and copy what is in it"),
    (b"\xd0\xcf\x11\xe0", "an old Office file (.xls or .doc): save tables as CSV or XLSX"),
    (b"\xffBIOSEMI", "a BDF file (24 bits): save it as EDF+"),
    (b"SQLite format 3", "an SQLite database: export its tables as CSV"),
    (b"<!DOCTYPE html", "a web page: perhaps a download that needed a login"),
    (b"<html", "a web page: perhaps a download that needed a login"),
    (b"version https://git-lfs", "a git-lfs pointer, not the file itself: fetch the file"),
    (b"\x80\x02", "a Python pickle: it could run code when opened, and is refused"),
    (b"\x80\x03", "a Python pickle: it could run code when opened, and is refused"),
    (b"\x80\x04", "a Python pickle: it could run code when opened, and is refused"),
    (b"\x80\x05", "a Python pickle: it could run code when opened, and is refused"),
)
_WFDB = re.compile(rb"^(?:#.*\n)*[\w./-]+ \d+ \d+(?:\.\d+)?(?:[/(]\S+)? \d+[^\n]*\n\s*[\w./~-]+ \d+")
_NUMBER = re.compile(r"^[\s\"']*[+-]?\d+(?:[.,]\d+)?(?:e[+-]?\d+)?[\s\"']*$", re.IGNORECASE)
_NO_TEXT = bytes(n for n in range(32) if n not in b"\t\n\r\f\x1b")
_MAP_IT = "map a device's own table in study.toml, [formats]"
# The same of formats that open with what many have.
_INSIDE = (
    (b"<gpx", "a track of positions (GPX): positions are never read"),
    (b"<ClinicalDocument", "a clinical document: Apple Health writes the same into export.xml, which is read"),
)


@cache
def readers() -> tuple[Reader, ...]:
    """Every reader, in the order they are asked."""
    found = sorted(entry_points(group=ENTRY_POINTS), key=lambda e: e.name)
    loaded = [e.load() for e in found]
    return (*(r for r in loaded if isinstance(r, Reader)), *OWN)


def reader_named(name: str) -> Reader | None:
    """A reader by its name, or None where no installed package brings it."""
    return next((r for r in readers() if r.name == name), None)


def mapped_reader(source: Source, study: Study) -> Reader | None:
    """The reader that a study's own settings give a dump, or None."""
    return next((r for r in readers() if r.mapped(source, study)), None)


def reader_of(source: Source, study: Study | None = None) -> Reader:
    """The reader that a study's settings or else a dump's content ask for.

    Raises:
        DumpError: no reader knows it; the message says what it looks like.
    """
    if not any(m.size for m in source.members):
        message = "empty (0 bytes): the copy was cut off, or nothing was recorded; copy it again or leave it"
        raise DumpError(message)
    mapped = mapped_reader(source, study) if study is not None else None
    if mapped:
        return mapped
    for reader in readers():
        if reader.claims(source):
            return reader
    message = f"no reader knows this format: it looks like {_looks(source.head())}"
    raise DumpError(message)


def _looks(head: bytes) -> str:
    for magic, what in _KNOWN:
        if head.startswith(magic):
            return what
    for sign, what in _INSIDE:
        if sign in head:
            return what
    if not head.strip(b"\0"):
        return "nothing but zero bytes, as a copy that was cut off leaves; copy it again"
    if _WFDB.match(head):
        return "the header of a PhysioNet (WFDB) record: save the record as EDF (mit2edf)"
    return _unknown(head)


def _unknown(head: bytes) -> str:
    odd = len(head) - len(head.translate(None, _NO_TEXT)) + head.decode("utf-8", "replace").count("\ufffd")
    if b"\0" in head or odd > len(head) / 8:
        return "a binary file of an unknown kind"
    lines = [line for line in decoded(head).splitlines() if line.strip()]
    if sum(bool(_NUMBER.match(line)) for line in lines[:-1] or lines) > len(lines) / 2:
        return f"a column of numbers without times; {_MAP_IT}"
    if lines and sum(lines[0].count(sign) for sign in ",;\t"):
        return (
            "a table without a column of times (a self-report table needs one, such as 'time', "
            f"and columns named as the items of study.toml); {_MAP_IT}"
        )
    return "plain text without a recording"
