"""Clocks that change, and clocks that are wrong, on E4 sessions: what the issue names, one by one."""

from __future__ import annotations

from datetime import UTC, datetime
from datetime import date as Date
from zoneinfo import ZoneInfo

import pytest

from assets.ingest import catalogue as catalogue_module
from assets.ingest.catalogue import catalogue
from assets.ingest.entries import Entry, load
from assets.ingest.recordings import RECORDINGS, tidy_recordings, wanted_recordings
from assets.lake import Key, Lake
from assets.study import Home, Study
from assets.tables import EVENTS, SIGNALS
from assets.units import run_unit
from tests.assets.ingest.makers import START, e4_files, put, unguarded

PLACE = "P01/e4"


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_module, "isolated", unguarded)
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")


def ingested(home: Home, study: Study) -> Entry:
    catalogue(home, study, quiet=True)
    tidy_recordings(home, study)
    assert not run_unit(RECORDINGS, home, study, wanted_recordings(home, study), quiet=True).failed
    return load(home)[0]


def pieces(home: Home) -> list[tuple[str, int, int]]:
    """Day, start (s) and length of each piece of the pulse signal in the lake."""
    found = Lake(home.lake).read_all(SIGNALS).filter(signal="bvp").sort("start_us")
    rows = found.select("date", "start_us", "samples").iter_rows()
    return [(str(day), start // 1_000_000, len(samples)) for day, start, samples in rows]


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@pytest.mark.parametrize(
    ("start", "day"),
    [("2026-03-29T01:59:50+01:00", "2026-03-29"), ("2026-10-25T02:59:50+02:00", "2026-10-25")],
    ids=["spring", "autumn"],
)
def test_a_session_across_a_change_of_the_clock_has_no_seam(home: Home, study: Study, start: str, day: str) -> None:
    put(home.inbox / PLACE, e4_files(epoch(start)))
    ingested(home, study)
    assert pieces(home) == [(day, epoch(start), 20 * 64)]
    events = Lake(home.lake).read(EVENTS, Key("P01", Date.fromisoformat(day)))
    assert events.filter(kind="beat").height == 3
    assert events.filter(kind="tag").height == 1


@pytest.mark.parametrize(
    ("start", "hours"),
    [("2026-03-29T23:59:50+02:00", 23), ("2026-10-25T23:59:50+01:00", 25), ("2026-06-01T23:59:50+02:00", 24)],
)
def test_a_session_over_midnight_is_cut_where_a_day_of_23_or_25_hours_ends(
    home: Home, study: Study, start: str, hours: int
) -> None:
    put(home.inbox / PLACE, e4_files(epoch(start)))
    ingested(home, study)
    (first, at, before), (second, border, after) = pieces(home)
    assert (at, border, before, after) == (epoch(start), epoch(start) + 10, 640, 640)
    begun = datetime.fromisoformat(f"{first}T00:00:00").replace(tzinfo=ZoneInfo(study.timezone))
    assert border - int(begun.timestamp()) == hours * 3600
    assert (Date.fromisoformat(second) - Date.fromisoformat(first)).days == 1


@pytest.mark.parametrize(
    ("clock", "told"),
    [("1970-01-01T00:16:40+00:00", "it has data of 1970-01-01"), ("2085-03-01T10:00:00+00:00", "later than the file")],
)
def test_a_clock_at_1970_or_2085_is_flagged_and_a_correction_moves_it(
    home: Home, study: Study, clock: str, told: str
) -> None:
    put(home.inbox / PLACE, e4_files(epoch(clock)))
    refused = ingested(home, study)
    assert refused.state == "quarantined"
    assert told in str(refused.reason)
    assert "[corrections]" in str(refused.reason)
    began = datetime.fromtimestamp(START, UTC).isoformat()
    put_right = Study.model_validate(study.model_dump() | {"corrections": {PLACE: {"starts": began}}})
    assert ingested(home, put_right).state == "read"
    assert pieces(home) == [("2022-02-07", START, 20 * 64)]


def test_a_clock_hours_off_the_tags_is_flagged_and_a_correction_moves_the_session(home: Home, study: Study) -> None:
    files = e4_files() | {"tags.csv": f"{START + 5 - 12 * 3600}.25\n".encode()}
    put(home.inbox / PLACE, files)
    flagged = ingested(home, study)
    assert flagged.state == "read"
    assert "tag" in str(flagged.reason)
    assert "12" in str(flagged.reason)
    moved = Study.model_validate(study.model_dump() | {"corrections": {PLACE: {"shift_seconds": -12 * 3600}}})
    ingested(home, moved)
    assert pieces(home) == [("2022-02-06", START - 12 * 3600, 20 * 64)]
