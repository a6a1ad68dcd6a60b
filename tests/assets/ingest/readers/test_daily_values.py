from datetime import date as Date
from pathlib import Path

import polars as pl
import pytest

from assets.errors import DumpError
from assets.ingest import catalogue as catalogue_module
from assets.ingest.catalogue import catalogue
from assets.ingest.readers.base import Context
from assets.ingest.reading import read_dump
from assets.ingest.recording import Recording
from assets.ingest.recordings import RECORDINGS, wanted_recordings
from assets.ingest.source import bytes_member, source_of
from assets.lake import Lake
from assets.study import Home, Study
from assets.tables import DAILY_VALUES
from assets.units import run_unit
from tests.assets.ingest.makers import put, unguarded


def read(data: bytes | str, study: Study) -> Recording:
    data = data.encode() if isinstance(data, str) else data
    return read_dump(source_of("daily_values/fitbit.csv", [bytes_member("fitbit.csv", data)]), Context(study, None))[1]


def test_numbers_become_values_and_the_rest_is_named(study: Study) -> None:
    text = "participant,date,steps,asleep,badge,happy\nP01,2026-01-31,8000,True,gold,3\n"
    text += "P01,2026-02-01,,no,,\nAnna M,2026-02-01,1,no,x,1\n"
    recording = read(text, study)
    assert recording.daily.rows() == [
        ("P01", Date(2026, 1, 31), "asleep", 1.0),
        ("P01", Date(2026, 1, 31), "steps", 8000.0),
        ("P01", Date(2026, 2, 1), "asleep", 0.0),
    ]
    assert recording.remarks == [
        "1 rows have no study code as participant",
        "columns without numbers, left out: badge",
        "items of the study belong to inbox/self_reports/, left out here: happy",
    ]


def values(text: str, study: Study) -> list[float]:
    return read(text, study).daily["value"].to_list()


def test_commas_group_thousands_where_a_column_has_no_other(study: Study) -> None:
    steps = 'participant,date,steps\nP01,2026-01-30,"8,542"\nP01,2026-01-31,950\nP01,2026-02-01,"1,012,004.5"\n'
    assert values(steps, study) == [8542.0, 950.0, 1_012_004.5]
    for cell, number in (("61,5", 61.5), ("0,125", 0.125)):
        mixed = f'participant,date,weight\nP01,2026-01-30,"8,542"\nP01,2026-01-31,"{cell}"\n'
        assert values(mixed, study) == [8.542, number]
    assert values("participant;date;weight\nP01;2026-01-30;61,542\n", study) == [61.542]


def test_cells_that_are_no_numbers_are_counted_by_their_column(study: Study) -> None:
    rows = "".join(f"P01,2026-01-{day},{1000 + day},60\n" for day in range(10, 25))
    recording = read(f"participant,date,steps,pulse\n{rows}P01,2026-01-30,1.234.567,61\n", study)
    assert recording.daily.height == 31
    assert recording.remarks == ["1 values of steps are no numbers, left out"]


def test_a_table_without_numbers_is_refused(study: Study) -> None:
    with pytest.raises(DumpError, match="no row has a study code, a date"):
        read("participant,date,mood\nP01,2026-01-31,good\n", study)


def test_daily_values_arrive_on_their_day(home: Home, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_module, "isolated", unguarded)
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")
    put(home.inbox / "daily_values/a.csv", "participant,date,steps\nP01,2026-01-31,8000\nP02,2026-02-01,50\n")
    catalogue(home, study, quiet=True)
    run_unit(RECORDINGS, home, study, wanted_recordings(home, study), quiet=True)
    found = Lake(home.lake).read_all(DAILY_VALUES).select("participant", "date", "name", "value")
    assert found.rows() == [("P01", Date(2026, 1, 31), "steps", 8000.0), ("P02", Date(2026, 2, 1), "steps", 50.0)]


@pytest.mark.real
def test_lifesnaps_runs_through_it(real_data: Path, study: Study) -> None:
    recording = read((real_data / "lifesnaps/daily_fitbit_sema.csv").read_bytes(), study)
    assert recording.daily.select("participant", "date").n_unique() > 3_000
    assert recording.daily["participant"].n_unique() == 36
    rmssd = recording.daily.filter(name="rmssd")["value"]
    assert 5 < rmssd.median() < 150
    first = recording.daily.filter(participant="621e2e8e67b776a24055b564", date=Date(2021, 5, 24), name="steps")
    assert first.filter(pl.col("value") > 0).height == 1
