"""Archives as members in memory: never unpacked to disk, never without end.

A zip, gzip or tar is opened within the limits of `study.toml` (`[reading]`): how many members, how many bytes once
unpacked, how deep archives may lie in archives. A member that would leave its folder (`../`, an absolute path) makes
the whole archive refused: nobody zips a recording like that. An archive in another that cannot be opened is handed on
as `Unopened`, so that what lies beside it is read.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from assets.errors import DumpError
from assets.ingest.encodings import in_utf8
from assets.ingest.grouping import Entry, group, ignorable
from assets.ingest.source import Member, Source, source_of
from assets.study import Reading

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
GZIP_MAGIC = b"\x1f\x8b"
_OFFICE = ("xl/workbook.xml", "word/document.xml", "ppt/presentation.xml")


@dataclass(frozen=True)
class Unopened(Source):
    """An archive in an archive that is damaged or encrypted, and how."""

    reason: str = ""


class _UnopenedError(DumpError):
    """An archive is damaged or encrypted, which says nothing of what lies beside it."""


def units(source: Source, limits: Reading) -> list[Source]:
    """The dumps that a source holds: itself, or, if it is an archive, what lies in it (and in archives in it).

    Raises:
        DumpError: the archive is damaged or encrypted, or it or one in it is hostile or larger than the limits; the
            message says which.
    """
    budget = _Budget(limits)
    return [in_utf8(found, limits.max_unpacked_mb * 2**20) for found in _units(source, budget, 0)]


class _Budget:
    """What may still be unpacked from one dump, over all its archives."""

    def __init__(self, limits: Reading) -> None:
        self.members, self.bytes, self.depth = limits.max_members, limits.max_unpacked_mb * 2**20, limits.max_depth
        self.limits = limits

    def take(self, size: int) -> None:
        self.members -= 1
        self.bytes -= size
        if self.members < 0:
            message = f"the archive holds more than {self.limits.max_members} files ([reading] max_members)"
            raise DumpError(message)
        if self.bytes < 0:
            message = (
                f"the archive would unpack to more than {self.limits.max_unpacked_mb} MB ([reading] max_unpacked_mb)"
            )
            raise DumpError(message)


def _units(source: Source, budget: _Budget, depth: int) -> Iterator[Source]:
    try:
        members = _members(source, budget) if source.single else None
    except _UnopenedError as error:
        if not depth:
            raise
        yield Unopened(source.path, source.members, source.sidecars, str(error))
        return
    if members is None:
        yield source
        return
    if depth >= budget.depth:
        message = f"archives lie more than {budget.depth} deep in each other ([reading] max_depth)"
        raise DumpError(message)
    by_name = {m.name: m for m in members}
    for found in group(Entry(m.name, m.size, _head(m)) for m in members):
        path = f"{source.path}!{found.path}" if found.path else source.path
        inner = source_of(path, [by_name[n] for n in found.members], [by_name[n] for n in found.sidecars])
        yield from _units(inner, budget, depth + 1)


def _head(member: Member) -> Callable[[], bytes]:
    def peek() -> bytes:
        try:
            return member.head(256)
        except DumpError:
            return b""

    return peek


def _members(source: Source, budget: _Budget) -> list[Member] | None:
    """The members of an archive, or None where the source is none."""
    only = source.only
    head = only.head(512)
    if head.startswith(ZIP_MAGIC):
        return _zip(only, budget)
    if head.startswith(GZIP_MAGIC):
        return _gzip(only, budget)
    if head[257:262] == b"ustar":
        return _tar(only, budget)
    return None


def _zip(member: Member, budget: _Budget) -> list[Member] | None:
    try:
        archive = zipfile.ZipFile(member.open())
        infos = [i for i in archive.infolist() if not i.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        message = f"a damaged or unfinished zip ({error}): copy it again from the device or the vendor's site"
        raise _UnopenedError(message) from error
    names = [i.filename.replace("\\", "/") for i in infos]
    if any(n in _OFFICE for n in names):
        return None
    members = []
    for name, info in zip(names, infos, strict=True):
        _refuse_escape(name)
        if ignorable(name):
            continue
        budget.take(info.file_size)
        if info.flag_bits & 1:
            message = "the zip is encrypted: unpack it with its password and copy the files instead"
            raise _UnopenedError(message)
        members.append(Member(name, info.file_size, _ZipOpener(archive, info)))
    return members


class _ZipOpener:
    """Opens one member of a zip; damage inside it becomes a reason instead of a crash."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._archive, self._info = archive, info

    def __call__(self) -> BinaryIO:
        try:
            return cast("BinaryIO", _Checked(self._archive.open(self._info), self._info.filename))
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, ValueError, EOFError) as error:
            raise _damaged(self._info.filename, error) from error


class _Checked(io.RawIOBase):
    """A member's stream whose errors of unpacking are reasons."""

    def __init__(self, stream: object, name: str) -> None:
        self._stream, self._name = cast("BinaryIO", stream), name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._stream.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError) as error:
            raise _damaged(self._name, error) from error

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer))
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


def _gzip(member: Member, budget: _Budget) -> list[Member]:
    """One gzipped file; unpacked here in memory, within the budget, since gzip does not say how large it gets."""
    name = PurePosixPath(member.name).name
    name = name[:-3] if name.lower().endswith(".gz") else f"{name}.unpacked"
    if name.lower().endswith(".tgz"):
        name = name[:-4] + ".tar"
    try:
        with gzip.open(member.open()) as stream:
            data = stream.read(budget.bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(member.name, error) from error
    budget.take(len(data))
    return [Member(name, len(data), lambda: io.BytesIO(data))]


def _tar(member: Member, budget: _Budget) -> list[Member]:
    try:
        archive = tarfile.open(fileobj=member.open(), mode="r:")  # noqa: SIM115 (members are read from it later)
        infos = [i for i in archive.getmembers() if i.isfile()]
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise _damaged(member.name, error) from error
    members = []
    for info in infos:
        _refuse_escape(info.name)
        if not ignorable(info.name.removeprefix("./")):
            budget.take(info.size)
            members.append(Member(info.name.removeprefix("./"), info.size, _tar_opener(archive, info)))
    return members


def _tar_opener(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], BinaryIO]:
    def opener() -> BinaryIO:
        stream = archive.extractfile(info)
        if stream is None:
            message = f"{info.name} in the archive is no file"
            raise DumpError(message)
        return cast("BinaryIO", stream)

    return opener


def _refuse_escape(name: str) -> None:
    if name.startswith("/") or ".." in name.split("/") or (len(name) > 1 and name[1] == ":"):
        message = "the archive names a file outside itself ('../' or an absolute path); refused, nothing was unpacked"
        raise DumpError(message)


def _damaged(name: str, error: Exception) -> DumpError:
    return _UnopenedError(f"{PurePosixPath(name).name} in the archive is damaged ({error}): copy the archive again")
