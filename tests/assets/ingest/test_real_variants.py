"""Real files as they reach an inbox after people, browsers and spreadsheets have had them in their hands."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from assets.ingest.readers.base import Context
from assets.ingest.reading import read_dump
from assets.ingest.recording import Recording
from assets.ingest.source import bytes_member, source_of
from assets.study import Study
from tests.assets.ingest.makers import zipped

Files = dict[str, bytes]
SESSIONS = ("e4/devicely_short", "e4/flirt_cut", "e4/edge_cases/missing_temp_and_tags")
TWIN = b"\0\5\x16\7\0\2\0\0Mac OS X        " + b"\0" * 80
TABLES = {
    "other/everion/CsvData_signals_EV-EC39-7079-57A8.csv": "everion",
    "other/garmin/data.csv": "garmin_logger",
    "other/polar_h10/polar_h10_converted.csv": "polar",
    "other/shimmer/read_test_data.csv": "shimmer",
}
BINARIES = {"other/faros/testfile_read.EDF": "edf", "other/fit/garmin-fenix-5-run.fit": "garmin_fit"}


def _ended(data: bytes, end: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\n", end)


OF_SESSIONS: Mapping[str, Callable[[Files], Files]] = {
    "zipped": lambda files: {"1.zip": zipped(files)},
    "zipped with its folder": lambda files: {"1.zip": zipped(files, "1644840744_A00000/")},
    "zipped in a zip": lambda files: {"1.zip": zipped({"inner/session.zip": zipped(files)})},
    "zipped on a Mac": lambda files: {
        "1.zip": zipped({**{f"s/{n}": d for n, d in files.items()}, **{f"__MACOSX/s/._{n}": TWIN for n in files}})
    },
    "unzipped on a Mac": lambda files: {**files, ".DS_Store": b"\0\0\0\1Bud1"},
    "renamed for a participant": lambda files: {n.replace(".csv", "_S01.csv"): d for n, d in files.items()},
    "in small letters": lambda files: {n.lower(): d for n, d in files.items()},
    "with CRLF": lambda files: {n: _ended(d, b"\r\n") for n, d in files.items()},
    "with a BOM": lambda files: {n: b"\xef\xbb\xbf" + d if d else d for n, d in files.items()},
    "with an empty member beside it": lambda files: {**files, "info.txt": b""},
}
OF_FILES: Mapping[str, Callable[[str, bytes], tuple[str, bytes]]] = {
    "renamed": lambda name, data: (f"recording of monday{Path(name).suffix}", data),
    "without an extension": lambda name, data: (Path(name).stem, data),
    "zipped": lambda name, data: ("a.zip", zipped({name: data}, "inner folder/")),
    "gzipped": lambda name, data: (f"{name}.gz", gzip.compress(data, 1, mtime=0)),
    "zipped on a Mac": lambda name, data: ("a.zip", zipped({name: data, f"__MACOSX/._{name}": TWIN})),
}
OF_TEXT: Mapping[str, Callable[[str, bytes], tuple[str, bytes]]] = {
    **OF_FILES,
    "with LF": lambda name, data: (name, _ended(data, b"\n")),
    "with CRLF": lambda name, data: (name, _ended(data, b"\r\n")),
    "with a BOM": lambda name, data: (name, b"\xef\xbb\xbf" + data),
    "in UTF-16, as Excel's Unicode text": lambda name, data: (name, data.decode().encode("utf-16")),
}


def read(files: Mapping[str, bytes], study: Study) -> tuple[str, Recording]:
    name = next(iter(files)) if len(files) == 1 else "session"
    return read_dump(source_of(f"P01/{name}", [bytes_member(n, d) for n, d in files.items()]), Context(study, "P01"))


def told(reader: str, recording: Recording) -> object:
    """All that is in a recording, to compare."""
    segments = sorted((s.signal, s.unit, s.start_us, s.rate_hz, s.samples.tobytes()) for s in recording.segments)
    events = sorted(
        (e.kind, e.time_us.tobytes(), np.nan_to_num(e.value, nan=-1).tobytes(), e.valid.tobytes())
        for e in recording.events
    )
    return reader, segments, events


def session(folder: Path) -> Files:
    return {p.name: p.read_bytes() for p in sorted(folder.glob("*.csv"))}


@pytest.mark.real
@pytest.mark.parametrize("folder", SESSIONS)
def test_a_session_is_the_same_however_it_was_packed_and_named(real_data: Path, study: Study, folder: str) -> None:
    files = session(real_data / folder)
    whole = told(*read(files, study))
    assert whole[0] == "e4"  # type: ignore[index]
    differing = [how for how, change in OF_SESSIONS.items() if told(*read(change(files), study)) != whole]
    assert differing == []


@pytest.mark.real
@pytest.mark.parametrize(("file", "reader"), [*TABLES.items(), *BINARIES.items()])
def test_a_file_is_the_same_however_it_was_packed_and_named(
    real_data: Path, study: Study, file: str, reader: str
) -> None:
    path = real_data / file
    data = path.read_bytes()
    data = data if reader in BINARIES.values() else b"".join(data.splitlines(keepends=True)[:3_000])
    whole = told(*read({path.name: data}, study))
    assert whole[0] == reader  # type: ignore[index]
    changes = OF_FILES if reader in BINARIES.values() else OF_TEXT
    differing = [how for how, change in changes.items() if told(*read(dict([change(path.name, data)]), study)) != whole]
    assert differing == []


@pytest.mark.real
@pytest.mark.parametrize("lost", ["ACC.csv", "BVP.csv", "EDA.csv", "HR.csv", "IBI.csv", "TEMP.csv", "tags.csv"])
def test_a_real_session_that_lost_a_stream_keeps_the_others(real_data: Path, study: Study, lost: str) -> None:
    files = session(real_data / "e4/devicely_short")
    signals = {s.signal for s in read(files, study)[1].segments}
    stream = {"ACC.csv": {"acc_x", "acc_y", "acc_z"}}.get(lost, {lost[:-4].lower()})
    for left in ({n: d for n, d in files.items() if n != lost}, {**files, lost: b""}):
        assert {s.signal for s in read(left, study)[1].segments} == signals - stream
