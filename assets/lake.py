"""The Parquet lake: the only place that opens a lake path.

A table's part lies at `<table>/date=YYYY-MM-DD/participant=<id>/part.parquet` (or the shorter path that its
declared keys give). A part is written whole, by one writer, to a temporary name and then moved into place, so a
reader sees the old part or the new one and a killed run leaves neither half. The same rows give the same bytes:
nothing in a part depends on when or by whom it was written. The root is a path or a URL; everything goes through
`pyarrow.fs`.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date as Date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from assets.errors import LakeError
from assets.tables import Table

TEMPORARY = ".tmp-"
MAGIC, LEAST_BYTES = b"PAR1", 12  # a Parquet file begins and ends with it; between them at least its footer's length
WRITING = ".writing"  # one folder for files on their way, so that a killed writer's leavings are found at once


@dataclass(frozen=True, order=True)
class Key:
    """Which part of a table: a local day, a participant, both or neither."""

    participant: str | None = None
    date: Date | None = None


@dataclass(frozen=True)
class Part:
    """What was written: `content` is the SHA-256 of the file's bytes."""

    rows: int
    bytes: int
    content: str


class Lake:
    """Tables of Parquet parts under one root (a local folder or a URL that `pyarrow.fs` knows)."""

    def __init__(self, root: str | Path) -> None:
        self.root = str(root)
        self._files, self._base = _file_system(self.root)

    def write(self, table: Table, frame: pl.DataFrame, key: Key = Key()) -> Part:
        """Replace one part by `frame`, checked against the table's declared columns and sorted as declared.

        Raises:
            LakeError: the frame's columns or types are not those declared, or the part cannot be written.
        """
        arrow = _checked(table, frame).to_arrow(compat_level=pl.CompatLevel.oldest())
        sink = pa.BufferOutputStream()
        pq.write_table(arrow, sink, compression="zstd", write_statistics=True)
        data = sink.getvalue()
        self.write_bytes(self._path(table, key), data)
        return Part(arrow.num_rows, data.size, hashlib.sha256(data).hexdigest())

    def read(self, table: Table, key: Key = Key(), columns: list[str] | None = None) -> pl.DataFrame:
        """One part; a part that does not exist is the declared table without rows.

        Raises:
            LakeError: the part is damaged, or the storage refuses; the message names it and what to do.
        """
        path = self._path(table, key)
        try:
            data = self.read_bytes(path)
        except OSError as error:
            message = f"the lake cannot read {path} under {self.root}: {error}"
            raise LakeError(message) from error
        if data is None:
            return table.empty().select(columns or pl.all())
        try:
            return _decoded(table, data, columns)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            said = next(iter(str(error).splitlines()), "")
            message = (
                f"{path} under {self.root} is damaged: {said}. Remove it, and {key.participant or 'its'}'s file in "
                f"the ledger/ folder of the unit that makes {table.name}: the next night computes it again. "
                "`macromicro doctor` names that folder."
            )
            raise LakeError(message) from error

    def read_all(
        self, table: Table, *, participants: set[str] | None = None, dates: set[Date] | None = None
    ) -> pl.DataFrame:
        """Every part of a table (or those of some participants or days), with its keys as columns."""
        frames = []
        for key in self.keys(table):
            if (participants is None or key.participant in participants) and (dates is None or key.date in dates):
                values = [pl.lit(getattr(key, name)).alias(name) for name in table.keys]
                frames.append(self.read(table, key).with_columns(values))
        keys = {name: pl.Date() if name == "date" else pl.String() for name in table.keys}
        empty = table.empty().with_columns(pl.lit(None, dtype).alias(name) for name, dtype in keys.items())
        return pl.concat(frames) if frames else empty

    def keys(self, table: Table) -> Iterator[Key]:
        """The parts that exist, in order of day and participant."""
        found = []
        for path in self._list(table.name):
            if path.endswith("/part.parquet"):
                pairs = dict(p.split("=", 1) for p in path.split("/") if "=" in p)
                day = pairs.get("date")
                found.append(Key(pairs.get("participant"), Date.fromisoformat(day) if day else None))
        yield from sorted(found, key=lambda k: (k.date or Date.min, k.participant or ""))

    def exists(self, table: Table, key: Key = Key()) -> bool:
        """Whether the part is there."""
        return bool(self._files.get_file_info(f"{self._base}/{self._path(table, key)}").type == pafs.FileType.File)

    def remove(self, table: Table, key: Key = Key()) -> None:
        """Delete one part, if it is there."""
        if self.exists(table, key):
            self._files.delete_file(f"{self._base}/{self._path(table, key)}")

    def read_bytes(self, path: str) -> bytes | None:
        """A small file of the lake's own book-keeping, or None."""
        full = f"{self._base}/{path}"
        if self._files.get_file_info(full).type is not pafs.FileType.File:
            return None
        with self._files.open_input_file(full) as source:
            return bytes(source.read())

    def write_bytes(self, path: str, data: bytes | pa.Buffer) -> None:
        """Replace a file in one step: readers see the old bytes or the new, a kill leaves no half.

        Raises:
            LakeError: the storage refuses (full, read-only, unreachable).
        """
        place = f"{self._base}/{path}"
        temporary = f"{self._base}/{WRITING}/{TEMPORARY}{os.getpid()}-{path.replace('/', '~')}"
        try:
            for folder in (place.rsplit("/", 1)[0], temporary.rsplit("/", 1)[0]):
                self._files.create_dir(folder, recursive=True)
            with self._files.open_output_stream(temporary) as target:
                target.write(data)
            if isinstance(self._files, pafs.LocalFileSystem):
                _to_disk(temporary)
            self._files.move(temporary, place)
        except OSError as error:
            message = f"the lake cannot write {path} under {self.root}: {error}. Nothing there was changed."
            raise LakeError(message) from error

    def sweep(self) -> None:
        """Remove what killed writers left half-written; only for whoever alone may write the lake."""
        selector = pafs.FileSelector(f"{self._base}/{WRITING}", allow_not_found=True)
        for left in self._files.get_file_info(selector):
            self._files.delete_file(left.path)

    def cut(self) -> list[str]:
        """Paths of the parts that are no whole Parquet files: these begin and end with the same four letters."""
        return [p for p in self._list("") if p.endswith("/part.parquet") and not self._whole(p)]

    def list_files(self, folder: str) -> list[str]:
        """Paths of the files below a folder, relative to the root, sorted; temporary ones left out."""
        return sorted(self._list(folder))

    def _list(self, folder: str) -> list[str]:
        selector = pafs.FileSelector(f"{self._base}/{folder}", recursive=True, allow_not_found=True)
        infos = self._files.get_file_info(selector)
        paths = [i.path[len(self._base) + 1 :] for i in infos if i.type == pafs.FileType.File]
        return [p for p in paths if TEMPORARY not in p]

    def _whole(self, path: str) -> bool:
        with self._files.open_input_file(f"{self._base}/{path}") as source:
            size = source.size()
            return bool(size >= LEAST_BYTES and source.read_at(4, 0) == MAGIC == source.read_at(4, size - 4))

    @staticmethod
    def _path(table: Table, key: Key) -> str:
        folders = [table.name]
        for name in table.keys:
            value = getattr(key, name)
            if value is None:
                message = f"table {table.name} is kept by {name}; this part names none"
                raise LakeError(message)
            folders.append(f"{name}={value}")
        return "/".join([*folders, "part.parquet"])


def _file_system(root: str) -> tuple[pafs.FileSystem, str]:
    if "://" in root:
        files, base = pafs.FileSystem.from_uri(root)
        return files, base.rstrip("/")
    return pafs.LocalFileSystem(), str(Path(root).resolve())


def _to_disk(path: str) -> None:
    """Have the machine write a file out: one moved into place before that may be empty after a loss of power."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _decoded(table: Table, data: bytes, columns: list[str] | None) -> pl.DataFrame:
    # Polars decodes a wide part five times faster than pyarrow does.
    there = set(pl.read_parquet_schema(io.BytesIO(data)))
    frame = pl.read_parquet(data, columns=[c for c in columns if c in there] if columns else None)
    declared = [c for c in table.columns if columns is None or c.name in columns]
    # A part written before a column was declared has none of it: it is null there.
    return frame.select(
        pl.col(c.name).cast(c.dtype) if c.name in there else pl.lit(None, c.dtype).alias(c.name) for c in declared
    )


def _checked(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    declared = {c.name: c.dtype for c in table.columns}
    wrong = [f"{n}: {t}" for n, t in frame.schema.items() if declared.get(n) != t]
    missing = [n for n in declared if n not in frame.columns]
    if wrong or missing:
        message = f"table {table.name}: undeclared or mistyped {wrong}, missing {missing}. Nothing was written."
        raise LakeError(message)
    return frame.select(list(declared)).sort(list(table.order), maintain_order=True)
