"""Small dumps made by hand: E4 sessions, sounds, tables."""

import io
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from assets.ingest.readers.base import Context
from assets.ingest.reading import read_dump
from assets.ingest.recording import Recording
from assets.ingest.source import Source, bytes_member, source_of
from assets.study import Study

START = 1_644_226_061  # 2022-02-07 09:27:41 UTC


def e4_files(start: int = START, seconds: int = 20, eda: float = 0.5) -> dict[str, bytes]:
    """The seven files of a session in the vendor's layout."""
    acc = "".join(f"{n % 3 - 1},2,64\n" for n in range(32 * seconds))
    bvp = "".join(f"{10 * np.sin(n / 10):.2f}\n" for n in range(64 * seconds))
    return {
        "ACC.csv": f"{start}.000000, {start}.000000, {start}.000000\n32.000000, 32.000000, 32.000000\n{acc}".encode(),
        "BVP.csv": f"{start}.00\n64.000000\n{bvp}".encode(),
        "EDA.csv": (f"{start}.000000\n4.000000\n0.000000\n" + f"{eda:.6f}\n" * (4 * seconds - 1)).encode(),
        "TEMP.csv": (f"{start}.000000\n4.000000\n" + "33.41\n" * (4 * seconds)).encode(),
        "HR.csv": (f"{start + 10}.000000\n1.000000\n" + "61.50\n" * max(seconds - 10, 0)).encode(),
        "IBI.csv": f"{start}.000000, IBI\n2.000000,0.875000\n2.890625,0.890625\n6.000000,0.900000\n".encode(),
        "tags.csv": f"{start + 5}.25\n".encode(),
        "info.txt": b".csv files in this archive are in the following format:\n",
    }


def zipped(files: Mapping[str, bytes], inner: str = "") -> bytes:
    """Files as a zip, perhaps in an inner folder."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"{inner}{name}", data)
    return sink.getvalue()


def put(path: Path, data: bytes | str | Mapping[str, bytes], age_s: float = 3600) -> Path:
    """Write a file, or a folder of files, that looks as if it had lain there a while."""
    if isinstance(data, Mapping):
        for name, content in data.items():
            put(path / name, content, age_s)
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    then = path.stat().st_mtime - age_s
    os.utime(path, (then, then))
    return path


def sound(seconds: float = 1.0, rate: int = 16_000, peak: float = 0.5, channels: int = 1, **kind: str) -> bytes:
    """A 200 Hz tone as a WAV (or another format of soundfile's)."""
    tone = peak * np.sin(2 * np.pi * 200 * np.arange(int(seconds * rate)) / rate)
    sink = io.BytesIO()
    soundfile.write(
        sink, np.tile(tone[:, None], (1, channels)), rate, **({"format": "WAV", "subtype": "PCM_16"} | kind)
    )
    return sink.getvalue()


def source(name: str, data: bytes | str | Mapping[str, bytes], sidecar: bytes | None = None) -> Source:
    """A dump in memory: one file, or the files of a folder."""
    files = data if isinstance(data, Mapping) else {name: data.encode() if isinstance(data, str) else data}
    sidecars = [bytes_member("sidecar.json", sidecar)] if sidecar is not None else []
    return source_of(f"P01/{name}", [bytes_member(n, d) for n, d in files.items()], sidecars)


def read(
    name: str, data: bytes | str | Mapping[str, bytes], study: Study, participant: str | None = "P01"
) -> Recording:
    """Read a dump in memory as the catalogue would."""
    return read_dump(source(name, data), Context(study, participant))[1]


def signal(recording: Recording, name: str) -> np.ndarray:
    """All samples of one signal."""
    return np.concatenate([s.samples for s in recording.segments if s.signal == name])


def unguarded(work: Callable[[Any], Any], tasks: Iterable[Any], _: object) -> Iterator[tuple[Any, Any]]:
    """In place of `isolated`: reads here and now, for tests of the book-keeping."""
    return ((task, work(task)) for task in tasks)
