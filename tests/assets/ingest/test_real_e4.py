"""Every real E4 session is read, or refused for its true reason; known truths of the sessions hold."""

from pathlib import Path

import numpy as np
import pytest

from assets.ingest.inbox import scan
from assets.ingest.readers.base import Context
from assets.ingest.reading import coverage, read_dump
from assets.ingest.recording import Recording
from assets.study import Study

pytestmark = pytest.mark.real
SESSIONS = ("S01", "S03", "S05", "S08", "S11", "S14", "S17", "S20", "S23", "S26", "S28", "S31")


def read_folder(folder: Path, study: Study) -> dict[str, Recording]:
    """Sessions below a folder, by path; documents beside them are no recordings."""
    found = [f for f in scan(folder) if len(f.files) > 1 or f.path.endswith(".zip")]
    return {f.path: read_dump(f.source(), Context(study, "P01"))[1] for f in found}


@pytest.fixture(scope="module")
def sessions(real_data: Path) -> dict[str, Recording]:
    study = Study.model_validate({"study": {"timezone": "Europe/Dublin"}, "items": {"stai": {}}})
    return read_folder(real_data / "e4/stress_predict", study)


def test_all_twelve_stress_predict_sessions_are_read_whole(sessions: dict[str, Recording]) -> None:
    assert tuple(sessions) == SESSIONS
    for recording in sessions.values():
        by_signal = {s.signal: s for s in recording.segments}
        assert set(by_signal) == {"acc_x", "acc_y", "acc_z", "bvp", "eda", "temp", "hr"}
        hours = {n: len(s.samples) / s.rate_hz / 60 for n, s in by_signal.items()}
        assert all(51 < minutes < 61 for minutes in hours.values())
        assert 20 < np.median(by_signal["temp"].samples) < 40
        assert by_signal["eda"].samples[0] == 0.0
        norm = np.sqrt(sum(by_signal[f"acc_{axis}"].samples ** 2 for axis in "xyz"))
        assert np.median(norm) == pytest.approx(1.0, abs=0.06)


def test_the_sample_counts_are_those_of_the_files(sessions: dict[str, Recording], real_data: Path) -> None:
    for code, recording in sessions.items():
        for stream, signal in (("BVP", "bvp"), ("EDA", "eda"), ("TEMP", "temp"), ("HR", "hr"), ("ACC", "acc_x")):
            lines = (real_data / f"e4/stress_predict/{code}/{stream}.csv").read_bytes().count(b"\n") - 2
            assert sum(len(s.samples) for s in recording.segments if s.signal == signal) == lines


def test_only_the_session_known_for_it_has_tags_of_another_clock(sessions: dict[str, Recording]) -> None:
    flagged = {code for code, r in sessions.items() if any("outside the session" in s for s in r.remarks)}
    assert "S17" in flagged
    assert len(flagged) <= 3


def test_an_interval_is_valid_only_if_it_starts_at_the_beat_before(sessions: dict[str, Recording]) -> None:
    for recording in sessions.values():
        beats = next(e for e in recording.events if e.kind == "beat")
        gap_ms = np.diff(beats.time_us) / 1000
        assert np.array_equal(beats.valid[1:], np.abs(gap_ms - beats.value[1:]) < 10)
        assert 0.3 < beats.valid.mean() < 1.0


def test_every_edge_case_is_read(real_data: Path, study: Study) -> None:
    found = read_folder(real_data / "e4/edge_cases", study)
    assert set(found) == {
        "1644840744_A00000.zip", "empty_ibi_empty_tags", "header_only_ibi", "missing_temp_and_tags", "very_short_12s",
    }  # fmt: skip
    assert found["missing_temp_and_tags"].remarks == ["TEMP missing"]
    assert found["empty_ibi_empty_tags"].remarks == ["IBI 0 bytes"]
    short = {s.signal: len(s.samples) for s in found["very_short_12s"].segments}
    assert short == {"acc_x": 384, "acc_y": 384, "acc_z": 384, "bvp": 768, "eda": 48, "temp": 48, "hr": 2}
    assert found["1644840744_A00000.zip"].facts["serial"] == "A00000"


def test_the_cut_session_and_the_unworn_one_are_read_and_say_so(real_data: Path, study: Study) -> None:
    cut = read_folder(real_data / "e4/flirt_cut", study)["."]
    assert any(r.startswith("ends early, perhaps cut") for r in cut.remarks)
    unworn = read_folder(real_data / "e4/devicely_short", study)["."]
    assert max(float(s.samples.max()) for s in unworn.segments if s.signal == "eda") < 0.006
    covered = coverage("e4", unworn, Context(study, "P01"), 1_700_000_000_000_000)
    assert [str(t.date) for t in covered.touches] == ["2019-03-01"]
