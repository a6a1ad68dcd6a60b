"""From a table in the inbox to a modality of the moments."""

import pytest

from assets.ingest import catalogue as catalogue_module
from assets.ingest.catalogue import catalogue
from assets.ingest.recordings import RECORDINGS, wanted_recordings
from assets.moments.cohort import load_cohort, load_moments
from assets.moments.unit import refresh_moments
from assets.study import Home, Study
from assets.units import run_unit
from tests.assets.ingest.makers import put, unguarded


def test_a_table_of_daily_values_reaches_the_model(home: Home, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_module, "isolated", unguarded)
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")
    told = Study.model_validate({**study.model_dump(), "daily_values": {"columns": ["rmssd", "steps"]}})
    put(
        home.inbox / "daily_values/fitbit.csv",
        "participant,date,rmssd,steps\nP1,2026-03-01,40.5,\nP1,2026-03-02,50,9000\n",
    )
    put(home.inbox / "self_reports/a.csv", "participant,time,happy\nP1,2026-03-02 12:00,7\nP1,2026-03-03 12:00,8\n")
    catalogue(home, told, quiet=True)
    assert not run_unit(RECORDINGS, home, told, wanted_recordings(home, told), quiet=True).failed
    assert not refresh_moments(home, told, quiet=True).failed
    moments = load_moments(home, told)
    assert moments.select("daily.rmssd", "daily.steps").rows() == [(40.5, None), (50.0, 9000.0)]
    assert load_cohort(home, told).modalities["daily"].names == ("rmssd", "steps")
    put(home.inbox / "daily_values/fitbit.csv", "participant,date,rmssd,steps\nP1,2026-03-01,41.5,\n", age_s=10)
    catalogue(home, told, quiet=True)
    run_unit(RECORDINGS, home, told, wanted_recordings(home, told), quiet=True)
    refresh_moments(home, told, quiet=True)
    assert load_moments(home, told)["daily.rmssd"].to_list() == [41.5, None]
