"""A dump as a reader sees it: named members that can be opened, wherever they lie.

A single file is a dump of one member, an unpacked session is a dump of several, and the members of an archive look
the same. Readers open members through here only, so that limits hold everywhere. What an archive holds is unpacked
by `archives.py`, which files belong together is decided by `grouping.py`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from assets.errors import DumpError

HEAD_BYTES = 8192


@dataclass(frozen=True)
class Member:
    """One file of a dump. `name` is its path below the dump; `local` its place on disk, if it lies there itself."""

    name: str
    size: int
    opener: Callable[[], BinaryIO] = field(repr=False, compare=False)
    local: Path | None = None

    @property
    def base(self) -> str:
        """The file name without folders."""
        return PurePosixPath(self.name).name

    @property
    def suffix(self) -> str:
        """The extension, in lower case, with its dot."""
        return PurePosixPath(self.name).suffix.lower()

    def open(self) -> BinaryIO:
        """Open for reading bytes."""
        return self.opener()

    def head(self, count: int = HEAD_BYTES) -> bytes:
        """The first bytes."""
        with self.opener() as file:
            return file.read(count)

    def read(self, limit: int) -> bytes:
        """All bytes, refusing more than `limit`.

        Raises:
            DumpError: it is larger.
        """
        with self.opener() as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            message = f"{self.base} is larger than the {limit // 2**20} MB that [reading] max_unpacked_mb allows"
            raise DumpError(message)
        return data


@dataclass(frozen=True)
class Source:
    """Members that make one dump; `path` is where it lies in the inbox. Sidecars describe the others."""

    path: str
    members: tuple[Member, ...]
    sidecars: tuple[Member, ...] = ()

    @property
    def name(self) -> str:
        """The file or folder name."""
        return PurePosixPath(self.path).name

    @property
    def only(self) -> Member:
        """The member of a dump that has one."""
        return self.members[0]

    @property
    def single(self) -> bool:
        """Whether it is one file."""
        return len(self.members) == 1

    def head(self) -> bytes:
        """The first bytes of the first member; nothing where there is none."""
        return self.members[0].head() if self.members else b""


def file_member(path: Path, name: str | None = None) -> Member:
    """A file on disk as a member."""
    return Member(name or path.name, path.stat().st_size, lambda: path.open("rb"), path)


def bytes_member(name: str, data: bytes) -> Member:
    """Bytes in memory as a member."""
    return Member(name, len(data), lambda: io.BytesIO(data))


def source_of(path: str, members: Sequence[Member], sidecars: Sequence[Member] = ()) -> Source:
    """A source with its members in the order of their names, so that nothing depends on a listing's order."""
    return Source(path, tuple(sorted(members, key=lambda m: m.name)), tuple(sorted(sidecars, key=lambda m: m.name)))
