"""Damaged dumps without end: a seed of every reader, changed as uploads, disks and people change files.

Case `n` is the same whenever it is made, so a failure is told by its number. `benchmarks/fuzz_readers.py` runs many,
`test_fuzz.py` some.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from assets.errors import DumpError
from assets.ingest.readers.base import Context
from assets.ingest.reading import coverage, read_dump
from assets.ingest.recording import Recording
from assets.ingest.source import bytes_member, source_of
from assets.study import Study
from tests.assets.ingest import test_encodings as encodings
from tests.assets.ingest.makers import e4_files, sound, zipped
from tests.assets.ingest.readers import test_damaged_exports as exports
from tests.assets.ingest.readers import test_damaged_loggers as loggers
from tests.assets.ingest.readers import test_embraceplus as embraceplus
from tests.assets.ingest.readers import test_self_reports as self_reports
from tests.assets.ingest.readers import test_survey_apps as survey_apps

RECEIVED_US = 1_900_000_000_000_000
NAMED = "2026-01-31T09-15-00Z"
LARGEST_REAL = 400_000
ABSURD = (
    b"1e308", b"-1e308", b"nan", b"inf", b"-0", b"0", b"", b"99999999999999999999999", b"-9999999999999", b"1970-01-01",
    b"9999-12-31T23:59:59", b"0000-00-00", b"2026-13-45 99:99", b"\xff\xff\xff\xff", b"\x00", b"\x7f\xff\xff\xff", b'"',
    b"\xef\xbb\xbf", b"\r", b"'; --", b"\xc3\x28", b"null", b"[[[[[[[[", b"{" * 300, b"&lol;", b",,,,,,,,",
    b"\t\n\n",
)  # fmt: skip
_NUMBER = re.compile(rb"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Seed:
    """A dump that is read: where it lies, its files, and the reader that reads it."""

    path: str
    files: Mapping[str, bytes]
    reader: str

    @property
    def context(self) -> Context:
        """Whose it is, by its folder."""
        owner = self.path.partition("/")[0]
        return Context(STUDY, None if owner in {"self_reports", "daily_values"} else owner)


STUDY = Study.model_validate(
    {
        **exports.STUDY.model_dump(mode="json", exclude_unset=True),
        "items": {name: {} for name in ("happy", "anxious", "cheerful")},
        "reading": {"max_unpacked_mb": 64, "max_members": 200},
    }
)


def _one(name: str, data: bytes | str, reader: str, folder: str = "P01") -> Seed:
    return Seed(f"{folder}/{name}", {name: data.encode() if isinstance(data, str) else data}, reader)


def _compressed(kind: str) -> bytes:
    sink = io.BytesIO()
    soundfile.write(sink, 0.3 * np.sin(np.arange(8_000) / 5), 16_000, format=kind)
    return sink.getvalue()


def made_seeds() -> list[Seed]:
    """Small files of every reader, made in code."""
    e4 = e4_files(seconds=12)
    answers = {"answers": [{"questionId": "happy", "value": 5}], "timeCompleted": 1_769_850_900}
    prompts = [[f"2026-01-31T09:{n}:00Z", n] for n in range(10, 30)]
    long = "time,item,value\n" + "".join(f"2026-01-31T09:{n:02}:00+01:00,happy,{n}\n" for n in range(20))
    daily = "participant,date,steps,asleep\n" + "".join(f"P01,2026-01-{n:02},{n * 100},yes\n" for n in range(1, 31))
    kinds = {"fit": "garmin_fit", "garmin": "garmin_logger", "acc": "garmin_logger", "ppi": "polar", "rr": "rr_text"}
    other = {
        "minutes": "embraceplus_minutes", "fitbit_intraday": "fitbit", "apple": "apple_health", "csv": "generic",
        "parquet": "generic",
    }  # fmt: skip
    wide = {"garmin.csv": "garmin_logger", "shimmer.txt": "shimmer", "heart_rate.csv": "fitbit"}
    return [
        Seed("P01/e4", e4, "e4"),
        _one("s.zip", zipped(e4, "1644226061_A00000/"), "e4"),
        _one("a.avro", embraceplus.record(), "embraceplus"),
        *(_one(f"{NAMED}.txt", data, kinds.get(name, name)) for name, data in loggers.SEEDS.items()),
        *(_one("heart_rate.x", data, other.get(name, name)) for name, data in exports.SEEDS.items()),
        _one(f"{NAMED}.wav", sound(), "voice"),
        *(_one(f"{NAMED}.{kind}", _compressed(kind.upper()), "voice") for kind in ("flac", "ogg", "mp3")),
        _one("answers.csv", self_reports.PLAIN, "self_reports", "self_reports"),
        _one("answers.xlsx", survey_apps.workbook([["time", "happy"], *prompts]), "self_reports"),
        _one("answers.json", json.dumps(answers), "self_reports"),
        _one("long.csv", long, "self_reports"),
        *(_one(name, data, "self_reports") for name, data in survey_apps.DIALECTS.items()),
        *(_one(name, encodings.TABLES[name].encode("utf-16"), reader) for name, reader in wide.items()),
        _one("values.csv", daily, "daily_values", "daily_values"),
        _one("mixed.zip", zipped({**e4, f"v/{NAMED}.wav": sound(), "a/l.csv": long.encode()}), "e4+self_reports+voice"),
    ]  # fmt: skip


def real_seeds(folder: Path) -> list[Seed]:
    """Small real files that are read (a few of the clips), and sessions as folders and zips."""
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and 0 < p.stat().st_size <= LARGEST_REAL):
        seed = _one(f"{NAMED}{path.suffix}" if path.suffix in {".wav", ".txt"} else path.name, path.read_bytes(), "")
        if path.parent.name == "nemo" or "e4" in path.parts or (path.suffix == ".wav" and path.stem[-1:] != "5"):
            continue
        try:
            found.append(replace(seed, reader=outcome(seed)))
        except DumpError:
            continue
    for session in sorted((folder / "e4/edge_cases").glob("*/")):
        files = {p.name: p.read_bytes() for p in sorted(session.iterdir())}
        found += [Seed("P01/e4", files, "e4"), _one("e4.zip", zipped(files), "e4")]
    return found


def outcome(seed: Seed) -> str:
    """Read a dump as the catalogue does; gives its reader.

    Raises:
        DumpError: it is refused.
        AssertionError: what was read is not sound.
    """
    source = source_of(seed.path, [bytes_member(n, d) for n, d in seed.files.items()])
    reader, recording = read_dump(source, seed.context)
    coverage(reader, recording, seed.context, RECEIVED_US)
    _check(recording)
    return reader


def _check(recording: Recording) -> None:
    for segment in recording.segments:
        assert segment.samples.dtype == np.float32
        assert len(segment.samples)
        assert np.isfinite(segment.samples).all(), segment.signal
        assert 0 < segment.rate_hz < 100_000, segment.signal
    for events in recording.events:
        assert len(events.time_us) == len(events.value) == len(events.valid)
        assert (np.diff(events.time_us) >= 0).all(), events.kind
        if events.kind == "beat":
            assert np.isfinite(events.value[events.valid]).all()
    assert recording.answers["value"].is_finite().all()
    assert recording.daily["value"].is_finite().all()


def case(seeds: list[Seed], number: int) -> Seed:
    """The damaged dump of this number."""
    rng = np.random.default_rng([number, 3])
    damaged = seeds[number % len(seeds)]
    for _ in range(1 + int(rng.integers(3) == 0)):
        if len(damaged.files) > 1 and rng.random() < 0.4:
            damaged = replace(damaged, files=_members(dict(damaged.files), rng))
        elif damaged.path.endswith(".zip") and rng.random() < 0.6:
            damaged = replace(damaged, files={n: _rezipped(d, rng) for n, d in damaged.files.items()})
        else:
            other = seeds[int(rng.integers(len(seeds)))]
            name = list(damaged.files)[int(rng.integers(len(damaged.files)))]
            change = CHANGES[int(rng.integers(len(CHANGES)))]
            data = change(damaged.files[name], next(iter(other.files.values())), rng)
            damaged = replace(damaged, files={**damaged.files, name: data})
    return damaged


def _members(files: dict[str, bytes], rng: np.random.Generator) -> dict[str, bytes]:
    """Two members swapped, or one lost, emptied, doubled or named otherwise."""
    first, second = (list(files)[int(n)] for n in rng.choice(len(files), 2, replace=False))
    match int(rng.integers(5)):
        case 0:
            files[first], files[second] = files[second], files[first]
        case 1:
            del files[first]
        case 2:
            files[first] = b""
        case 3:
            files[f"copy of {first}"] = files[first]
        case _:
            files[f"{first}.bak"] = files.pop(first)
    return files


def _rezipped(data: bytes, rng: np.random.Generator) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = {n: archive.read(n) for n in archive.namelist()}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError):
        return data
    if len(files) < 2:
        return data
    if rng.random() < 0.5:
        return zipped(_members(files, rng))
    name = list(files)[int(rng.integers(len(files)))]
    return zipped({**files, name: CHANGES[int(rng.integers(len(CHANGES)))](files[name], data, rng)})


def _cut(data: bytes, _: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(len(data) + 1))]


def _flip(data: bytes, _: bytes, rng: np.random.Generator) -> bytes:
    changed = np.frombuffer(data, np.uint8).copy()
    if len(changed):
        within = len(changed) if rng.random() < 0.5 else min(len(changed), 512)
        places = rng.integers(0, within, int(rng.integers(1, 20)))
        changed[places] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
    return changed.tobytes()


def _absurd(data: bytes, _: bytes, rng: np.random.Generator) -> bytes:
    """A number, or any place, becomes something that nobody would write."""
    value = ABSURD[int(rng.integers(len(ABSURD)))]
    start = int(rng.integers(len(data) + 1)) if rng.random() < 0.7 else 0
    found = _NUMBER.search(data, start)
    at, end = found.span() if found else (start, start)
    return data[:at] + value + data[end:]


def _everywhere(data: bytes, _: bytes, rng: np.random.Generator) -> bytes:
    """One number becomes absurd wherever it stands."""
    numbers = _NUMBER.findall(data[:4096])
    if not numbers:
        return data
    return data.replace(numbers[int(rng.integers(len(numbers)))], ABSURD[int(rng.integers(len(ABSURD)))])[:4_000_000]


def _hole(data: bytes, _: bytes, rng: np.random.Generator) -> bytes:
    at, size = int(rng.integers(len(data) + 1)), int(rng.integers(1, 400))
    return data[:at] + (b"\0" * size if rng.random() < 0.5 else b"") + data[at + size :]


def _again(data: bytes, _: bytes, rng: np.random.Generator) -> bytes:
    at, size = int(rng.integers(len(data) + 1)), int(rng.integers(1, 2_000))
    return data[:at] + data[max(at - size, 0) : at] + data[at:]


def _foreign(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """Another file's bytes in the middle, behind, or instead."""
    at = int(rng.integers(len(data) + 1))
    match int(rng.integers(3)):
        case 0:
            return data[:at] + other[:4_000] + data[at:]
        case 1:
            return data + other
        case _:
            return other


def _encoded(data: bytes, _: bytes, rng: np.random.Generator) -> bytes:
    text = data.decode("latin-1")
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: text.encode("utf-16"),
        lambda: text.encode("utf-16-be"),
        lambda: text.encode("utf-32"),
        lambda: text.encode("utf-8-sig"),
        lambda: text.replace("\n", "\r\n").encode("latin-1"),
        lambda: text.replace("\n", "\r").encode("latin-1"),
        lambda: text.replace(",", ";").replace(".", ",").encode("latin-1"),
        lambda: text.replace("e", "é").encode("utf-8"),
        lambda: text.replace("a", "ä").encode("latin-1"),
        lambda: text.upper().encode("utf-8"),
    )
    return ways[int(rng.integers(len(ways)))]()


def _lines(data: bytes, _: bytes, rng: np.random.Generator) -> bytes:
    """Lines shuffled, or the header gone, or one line very long."""
    lines = data.split(b"\n")
    match int(rng.integers(3)):
        case 0:
            return b"\n".join([lines[0], *(lines[int(n)] for n in 1 + rng.permutation(len(lines) - 1))])
        case 1:
            return b"\n".join(lines[1:])
        case _:
            at = int(rng.integers(len(lines)))
            return b"\n".join([*lines[:at], (lines[at] or b"x") * 500, *lines[at + 1 :]])


CHANGES = (_cut, _flip, _flip, _absurd, _absurd, _everywhere, _hole, _again, _foreign, _encoded, _lines)
