"""What lies in the inbox: one `Found` a dump, from a listing alone.

Nothing here opens a file, but for the first bytes of files that are named like E4 members, and nothing here or
anywhere else changes one. Reading belongs to the readers, and what has been seen before to `catalogue.py`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assets.ingest.grouping import Entry, Group, group, ignorable
from assets.ingest.source import Source, file_member, source_of
from assets.study import PARTICIPANT_PATTERN

SELF_REPORTS_FOLDER = "self_reports"
DAILY_VALUES_FOLDER = "daily_values"
COHORT_FOLDERS = (SELF_REPORTS_FOLDER, DAILY_VALUES_FOLDER)


@dataclass(frozen=True)
class File:
    """One file of the inbox: `path` is relative to it, `mtime_ns` when it was last changed."""

    path: str
    real: Path
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Found:
    """A dump in the inbox: a file, or the files of one session in a folder.

    `participant` is the first folder's name, None in the folders of cohort-wide tables and where `problem` says
    why there is none.
    """

    path: str
    participant: str | None
    files: tuple[File, ...]
    sidecars: tuple[File, ...] = ()
    problem: str | None = None

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(f.size for f in (*self.files, *self.sidecars))

    @property
    def received_us(self) -> int:
        """When the newest of its files was changed (UTC µs)."""
        return max((f.mtime_ns for f in (*self.files, *self.sidecars)), default=0) // 1000

    @property
    def signature(self) -> str:
        """Changes whenever a file is added, taken away, resized or touched."""
        parts = sorted(f"{f.path}\0{f.size}\0{f.mtime_ns}" for f in (*self.files, *self.sidecars))
        return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:24]

    def source(self) -> Source:
        """Its files for a reader; member names are relative to the dump's folder."""
        folder = "" if len(self.files) == 1 else os.path.commonpath([os.path.dirname(f.path) for f in self.files])  # noqa: PTH120
        members = [file_member(f.real, _below(folder, f)) for f in self.files]
        return source_of(self.path, members, [file_member(f.real) for f in self.sidecars])


def scan(inbox: Path, only: str | None = None) -> list[Found]:
    """Every dump in the inbox (or below one of its first folders), sorted by path.

    A folder that cannot be listed, or a link to nothing, is found with its problem.
    """
    start = inbox / only if only else inbox
    seen = list(_walk(start, f"{only}/" if only else "", set()))
    by_path = {item.path: item for item in seen if isinstance(item, File)}
    entries = [Entry(f.path, f.size, _Peek(f.real)) for f in by_path.values()]
    found = [_found(g, by_path) for g in group(entries)]
    return sorted([*found, *(item for item in seen if isinstance(item, Found))], key=lambda f: f.path)


def participant_of(path: str) -> tuple[str | None, str | None]:
    """The participant that a path in the inbox names, or None with the problem (None twice in cohort folders)."""
    first, slash, _ = path.partition("/")
    if first in COHORT_FOLDERS:
        return None, None
    if not slash:
        return None, (
            "lies outside a participant's folder: move it to inbox/<participant>/, or a table with a participant "
            f"column to inbox/{SELF_REPORTS_FOLDER}/"
        )
    if not re.fullmatch(PARTICIPANT_PATTERN, first):
        return None, (
            "its first folder is no study code: rename that folder to 1–64 letters, digits, '_' or '-' "
            "(a code, never a person's name)"
        )
    return first, None


def _found(found: Group, by_path: dict[str, File]) -> Found:
    files = tuple(by_path[m] for m in found.members)
    participant, problem = participant_of(files[0].path)
    return Found(found.path or ".", participant, files, tuple(by_path[s] for s in found.sidecars), problem)


def _walk(folder: Path, prefix: str, seen: set[tuple[int, int]]) -> Iterator[File | Found]:
    """Files below a folder, links followed but never in a circle."""
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda e: e.name)
    except OSError as error:
        if prefix:
            yield _unreadable(prefix.rstrip("/"), error)
        return
    for entry in entries:
        path = prefix + os.fsencode(entry.name).decode("utf-8", "backslashreplace")
        if ignorable(path):
            continue
        try:
            if entry.is_dir():
                yield from _walk(folder / entry.name, f"{path}/", seen)
            else:
                status = entry.stat()
                yield File(path, folder / entry.name, status.st_size, status.st_mtime_ns)
        except OSError as error:
            yield _unreadable(path, error)


def _unreadable(path: str, error: OSError) -> Found:
    return Found(path, participant_of(path)[0], (), (), f"cannot be opened ({error.strerror}): check its permissions")


@dataclass(frozen=True)
class _Peek:
    """Reads a file's first bytes when asked; a file that cannot be opened has none."""

    path: Path

    def __call__(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                return file.read(256)
        except OSError:
            return b""


def _below(folder: str, file: File) -> str:
    return file.path[len(folder) :].lstrip("/") if folder else file.path.rsplit("/", 1)[-1]
