"""A recording split over dumps, or preceded by an unfinished upload of it: the lake is that of the whole alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from assets.ingest import catalogue as catalogue_module
from assets.ingest.catalogue import catalogue, forget, remember
from assets.ingest.day import frames
from assets.ingest.entries import REPLACED, load
from assets.ingest.readers.base import Context
from assets.ingest.reading import read_dump
from assets.ingest.recordings import RECORDINGS, tidy_recordings, wanted_recordings
from assets.ingest.source import bytes_member, source_of
from assets.lake import Lake
from assets.study import Correction, Home, Study
from assets.tables import EVENTS
from assets.units import run_unit
from tests.assets.ingest.makers import START, e4_files, put, unguarded, zipped

SECONDS = 60
DAY = (START - 3600) * 1_000_000, (START + 3600) * 1_000_000


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_module, "isolated", unguarded)
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")


def session(first: int = 0, last: int = SECONDS) -> dict[str, bytes]:
    """Seconds `first` to `last` of a minute with a beat every 0.875 s and a tag every 10 s, as an E4 writes it."""
    files = {}
    for name, data in e4_files(seconds=SECONDS).items():
        lines = data.decode().splitlines()
        if name in {"ACC.csv", "BVP.csv", "EDA.csv", "TEMP.csv"}:
            rate, columns = round(float(lines[1].split(",")[0])), len(lines[0].split(","))
            head = [", ".join([f"{START + first}.000000"] * columns), lines[1]]
            files[name] = "\n".join([*head, *lines[2 + first * rate : 2 + last * rate], ""]).encode()
    beats = [0.875 * n for n in range(1, SECONDS) if first < 0.875 * n <= last]
    files["IBI.csv"] = f"{START + first}.000000, IBI\n".encode()
    files["IBI.csv"] += "".join(f"{t - first:.6f},0.875000\n" for t in beats).encode()
    files["tags.csv"] = "".join(f"{START + s}.25\n" for s in range(5, SECONDS, 10) if first <= s < last).encode()
    return files


def day_of(study: Study, *dumps: Mapping[str, bytes]) -> tuple[list[int], list[float], list[bool], list[int]]:
    """The beats (time, interval, validity) and tags that the day's table holds."""
    read = [
        (str(n), read_dump(source_of("P01/s.zip", [bytes_member("s.zip", zipped(d))]), Context(study, "P01"))[1])
        for n, d in enumerate(dumps)
    ]
    events = frames(read, DAY)[EVENTS].sort("time_us")
    beats = events.filter(kind="beat")
    tags = events.filter(kind="tag")["time_us"].to_list()
    return beats["time_us"].to_list(), beats["value"].to_list(), beats["valid"].to_list(), tags


@pytest.mark.parametrize("at", [5, 21, 30, 35])
def test_beats_and_tags_at_the_joint_of_two_dumps_are_neither_lost_nor_doubled(study: Study, at: int) -> None:
    times, intervals, valid, tags = day_of(study, session())
    assert (len(times), len(tags), sum(valid)) == (59, 6, 58)
    for dumps in (
        (session(0, at), session(at, SECONDS)),
        (session(at, SECONDS), session(0, at)),
        (session(0, at), session()),
        (session(), session(at, SECONDS)),
        (session(0, at + 3), session(at - 3, SECONDS)),
    ):
        found = day_of(study, *dumps)
        assert (found[0], found[1], found[3]) == (times, intervals, tags)
        # Only of the beat right behind a joint no dump alone knows that its interval has no gap.
        assert sum(valid) - sum(found[2]) <= 1
    assert day_of(study, session(0, at), session())[2] == valid


def ingest(home: Home, study: Study) -> None:
    catalogue(home, study, quiet=True)
    tidy_recordings(home, study)
    assert not run_unit(RECORDINGS, home, study, wanted_recordings(home, study), quiet=True).failed


def parquet(home: Home) -> dict[str, bytes]:
    folders = [home.lake / table.name for table in RECORDINGS.tables]
    return {str(p.relative_to(home.lake)): p.read_bytes() for f in folders for p in sorted(f.rglob("*.parquet"))}


def content(home: Home) -> list[list[str]]:
    """All that is in the lake's tables, whichever dump gave it."""
    frames = [Lake(home.lake).read_all(table) for table in RECORDINGS.tables]
    return [sorted(map(str, f.drop(c for c in f.columns if c == "dump").rows())) for f in frames]


def states(home: Home) -> list[tuple[str, str]]:
    return sorted((e.path, e.state) for e in load(home))


def _e4(real: Path) -> bytes:
    return zipped({p.name: p.read_bytes() for p in sorted((real / "e4/flirt_cut").glob("*.csv"))})


def _fit(real: Path) -> bytes:
    return (real / "other/fit/garmin-fenix-5-run.fit").read_bytes()


def _strap(real: Path) -> bytes:
    return (real / "other/fit/event_timestamp.fit").read_bytes()


def _speech(real: Path) -> bytes:
    return min((real / "speech/nemo").rglob("*.wav")).read_bytes()


# name: the whole, how much of it had arrived, what becomes of that part (a zip ends with its table of contents; the
# watch writes a run's first heart rate behind its settings)
UPLOADS: Mapping[str, tuple[Callable[[Path], bytes], float, str]] = {
    "e4.zip": (_e4, 0.6, "quarantined"),
    "begun.fit": (_fit, 0.3, "quarantined"),
    "run.fit": (_fit, 0.75, "read"),
    "strap.fit": (_strap, 0.8, "read"),
    "2026-01-31T09-15-00Z.wav": (_speech, 0.6, "read"),
}


@pytest.mark.real
@pytest.mark.parametrize("name", UPLOADS)
def test_an_unfinished_upload_is_replaced_by_the_whole(
    home: Home, study: Study, real_data: Path, tmp_path: Path, name: str
) -> None:
    make, share, state = UPLOADS[name]
    whole = make(real_data)
    alone = Home(tmp_path / "alone")
    put(alone.inbox / "P01" / name, whole)
    ingest(alone, study)
    assert content(alone) != [[]] * len(RECORDINGS.tables)

    put(home.inbox / "P01" / name, whole[: int(len(whole) * share)], age_s=7200)
    ingest(home, study)
    (unfinished,) = load(home)
    assert unfinished.state == state
    assert unfinished.reason  # says that its end is missing, or what it lacks
    put(home.inbox / "P01/again" / name, whole)
    ingest(home, study)
    assert states(home) == sorted([(f"P01/{name}", state), (f"P01/again/{name}", "read")])
    assert content(home) == content(alone)

    (home.inbox / "P01/again" / name).unlink()
    put(home.inbox / "P01" / name, whole)
    ingest(home, study)
    assert [e.state for e in load(home) if e.path == f"P01/again/{name}"] == ["withdrawn"]
    assert sorted(e.state for e in load(home) if e.path == f"P01/{name}") == ["read", "withdrawn"]
    assert parquet(home) == parquet(alone)
    assert next(e.reason for e in load(home) if e.dump == unfinished.dump) == REPLACED


@pytest.mark.real
def test_a_session_copied_stream_by_stream_ends_as_the_whole(
    home: Home, study: Study, real_data: Path, tmp_path: Path
) -> None:
    files = {p.name: p.read_bytes() for p in sorted((real_data / "e4/flirt_cut").glob("*.csv"))}
    alone = Home(tmp_path / "alone")
    put(alone.inbox / "P01/s", files)
    ingest(alone, study)
    half = {"ACC.csv": files["ACC.csv"], "BVP.csv": files["BVP.csv"][: len(files["BVP.csv"]) // 3]}
    put(home.inbox / "P01/s", half, age_s=7200)
    ingest(home, study)
    assert states(home) == [("P01/s", "read")]
    put(home.inbox / "P01/s", files)
    ingest(home, study)
    assert states(home) == [("P01/s", "read"), ("P01/s", "withdrawn")]
    assert parquet(home) == parquet(alone)


@pytest.mark.real
def test_forgetting_or_moving_a_real_session_restores_exactly_its_days(
    home: Home, study: Study, real_data: Path
) -> None:
    files = {p.name: p.read_bytes() for p in sorted((real_data / "e4/flirt_cut").glob("*.csv"))}
    put(home.inbox / "P01/other", e4_files(START))
    ingest(home, study)
    without = parquet(home)
    put(home.inbox / "P01/real", files)
    ingest(home, study)
    with_it = parquet(home)
    mine = next(e for e in load(home) if e.path == "P01/real")
    assert {k for k in with_it if k not in without} == {k for k in with_it if any(str(d.date) in k for d in mine.keys)}

    forget(home, mine.dump[:10])
    ingest(home, study)
    assert parquet(home) == without
    remember(home, mine.dump[:10])
    ingest(home, study)
    assert parquet(home) == with_it

    later = study.model_copy(update={"corrections": {"P01/real": Correction(shift_seconds=2 * 86_400)}})
    ingest(home, later)
    moved = parquet(home)
    days = {e.path: sorted(k.date for k in e.keys) for e in load(home)}["P01/real"]
    assert days == [k + timedelta(days=2) for k in sorted(k.date for k in mine.keys)]
    assert {k: v for k, v in moved.items() if k in without} == without
    ingest(home, study)
    assert parquet(home) == with_it
