from datetime import date as Date
from datetime import datetime

import numpy as np
import polars as pl
import pytest

from assets.errors import StudyError
from assets.ingest import catalogue as catalogue_module
from assets.ingest.catalogue import catalogue, uncatalogued
from assets.ingest.corrections import corrected, correction_of
from assets.ingest.entries import load
from assets.ingest.recording import Clip, Events, Recording, Segment
from assets.ingest.recordings import RECORDINGS, tidy_recordings, wanted_recordings
from assets.lake import Lake
from assets.study import Correction, Home, Study
from assets.tables import SIGNALS
from assets.units import run_unit
from tests.assets.ingest.makers import START, e4_files, put, unguarded, zipped

PATH = "P01/e4.zip"


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_module, "isolated", unguarded)
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")


def correcting(study: Study, **corrections: object) -> Study:
    return Study.model_validate({**study.model_dump(exclude={"corrections"}), "corrections": corrections})


def ingested(home: Home, study: Study) -> pl.DataFrame:
    catalogue(home, study, quiet=True)
    tidy_recordings(home, study)
    assert not run_unit(RECORDINGS, home, study, wanted_recordings(home, study), quiet=True).failed
    return Lake(home.lake).read_all(SIGNALS)


def test_everything_with_a_time_moves_together() -> None:
    beats = Events("beat", np.array([6_000_000]), np.array([800.0]), np.array([True]))
    recording = Recording(
        [Segment("eda", "µS", 5_000_000, 4.0, np.ones(4, np.float32))],
        [beats],
        [Clip(7_000_000, 1.0, 0.5, 0.0, b"")],
        pl.DataFrame({"participant": ["P"], "time_us": [8_000_000], "item": ["happy"], "value": [1.0]}),
    )
    moved = corrected(recording, Correction(shift_seconds=-2.5))
    assert moved.segments[0].start_us == 2_500_000
    assert moved.events[0].time_us.tolist() == [3_500_000]
    assert moved.clips[0].time_us == 4_500_000
    assert moved.answers["time_us"].to_list() == [5_500_000]
    assert "moved by -2 s" in moved.remarks[0]


def test_a_start_moves_the_first_of_all_times_there() -> None:
    start = datetime.fromisoformat("2026-03-01T09:30:00+01:00")
    recording = Recording([Segment("eda", "µS", us, 4.0, np.ones(4, np.float32)) for us in (9_000_000, 4_000_000)])
    moved = corrected(recording, Correction(starts=start))
    assert [s.start_us for s in moved.segments] == [int(start.timestamp()) * 1_000_000 + us for us in (5_000_000, 0)]


@pytest.mark.parametrize(
    "wrong", [{}, {"shift_seconds": 5, "starts": "2026-03-01T09:30:00Z"}, {"starts": "2026-03-01T09:30"}]
)
def test_a_correction_says_one_thing_and_says_it_with_an_offset(study: Study, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="starts"):
        correcting(study, **{PATH: wrong})


def test_two_corrections_of_one_dump_are_refused(study: Study) -> None:
    both = correcting(study, **{PATH: {"shift_seconds": 1}, "abcdef01": {"shift_seconds": 2}})
    with pytest.raises(StudyError, match="mean the same dump"):
        correction_of(both, PATH, "ABCDEF0123".lower())
    assert correction_of(both, "P01/other.zip", "0" * 64) is None


def test_a_clock_of_1970_is_refused_until_the_study_says_when_it_began(home: Home, study: Study) -> None:
    put(home.inbox / PATH, zipped(e4_files(start=1000)))
    assert ingested(home, study).is_empty()
    assert "[corrections]" in str(load(home)[0].reason)
    told = correcting(study, **{PATH: {"starts": "2022-02-07T09:27:41Z"}})
    assert uncatalogued(home, study=told) == [PATH]
    signals = ingested(home, told)
    assert signals.filter(signal="bvp")["start_us"].to_list() == [START * 1_000_000]
    assert load(home)[0].state == "read"


def test_a_changed_correction_restores_the_days_that_the_dump_touched(home: Home, study: Study) -> None:
    put(home.inbox / PATH, zipped(e4_files()))
    before = ingested(home, study)
    moved = ingested(home, correcting(study, **{PATH: {"shift_seconds": 3 * 86_400}}))
    assert before["date"].unique().to_list() == [Date(2022, 2, 7)]
    assert moved["date"].unique().to_list() == [Date(2022, 2, 10)]
    assert ingested(home, study).equals(before)
