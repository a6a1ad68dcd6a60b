import json
from typing import Any

import numpy as np
import pytest

from assets.errors import DumpError
from assets.ingest.recording import Recording
from assets.study import Study
from tests.assets.ingest.makers import read

NIGHT: dict[str, Any] = {
    "id": "8f9a5221", "day": "2026-01-31", "type": "long_sleep", "average_hrv": 44, "efficiency": 91,
    "bedtime_start": "2026-01-30T23:00:00+01:00", "bedtime_end": "2026-01-31T06:30:00+01:00",
    "heart_rate": {"interval": 300.0, "items": [None, 62, 60, None, 58], "timestamp": "2026-01-30T23:00:00+01:00"},
    "hrv": {"interval": 300.0, "items": [40, 42, 44], "timestamp": "2026-01-30T23:00:00+01:00"},
    "sleep_phase_5_min": "4421133", "readiness": {"score": 80}, "movement_30_sec": "11432",
}  # fmt: skip


def oura(document: Any, study: Study) -> Recording:
    return read("oura.json", json.dumps(document), study)


def daily(recording: Recording) -> dict[str, float]:
    assert {str(d) for d in recording.daily["date"]} == {"2026-01-31"}
    return {n: v for _, _, n, v in recording.daily.rows()}


def test_heart_rates_keep_their_moments(study: Study) -> None:
    rows = [
        {"bpm": 60 + n, "source": "sleep", "timestamp": f"2026-01-31T01:0{n}:03+00:00"} for n in (2, 0, 1)
    ]  # fmt: skip
    (hr,) = oura({"data": rows, "next_token": None}, study).events
    assert hr.kind == "hr"
    assert hr.value.tolist() == [60, 61, 62]
    assert str(np.datetime64(int(hr.time_us[0]), "us"))[:19] == "2026-01-31T01:00:03"


@pytest.mark.parametrize(
    "wrapped", [{"data": [NIGHT]}, [NIGHT], {"email": "a@b.c", "sleep": [NIGHT], "tag": []}, NIGHT]
)
def test_a_night_is_the_same_from_api_and_app(study: Study, wrapped: Any) -> None:
    recording = oura(wrapped, study)
    start = int(np.datetime64("2026-01-30T22:00:00", "us").astype(np.int64))
    parts = [(s.signal, s.unit, (s.start_us - start) // 300_000_000, s.samples.tolist()) for s in recording.segments]
    assert parts == [
        ("hr_5min", "bpm", 1, [62, 60]),
        ("hr_5min", "bpm", 4, [58]),
        ("rmssd_5min", "ms", 0, [40, 42, 44]),
    ]
    (sleep,) = recording.events
    assert ((sleep.time_us - start) // 300_000_000).tolist() == [0, 2, 3, 5, 7]
    assert sleep.value[:-1].tolist() == [0, 1, 2, 3]
    assert daily(recording) == {"sleep_average_hrv": 44, "sleep_efficiency": 91, "sleep_readiness_score": 80}
    assert "a@b.c" not in str(recording)


def test_scores_of_a_day_say_of_what(study: Study) -> None:
    rows = [
        {
            "day": "2026-01-31",
            "score": 70,
            "contributors": {"deep_sleep": 60},
            "timestamp": "2026-01-31T00:00:00+00:00",
        },
        {"day": "2026-01-31", "score": 80, "contributors": {"hrv_balance": 75}, "temperature_deviation": -0.1},
        {"day": "2026-01-31", "score": 90, "steps": 8000, "contributors": {"meet_daily_targets": 95}},
        {"day": "2026-01-31", "spo2_percentage": {"average": 97.3}},
    ]
    assert daily(oura({"data": rows}, study)) == {
        "sleep_score": 70, "sleep_contributors_deep_sleep": 60, "readiness_score": 80,
        "readiness_contributors_hrv_balance": 75, "readiness_temperature_deviation": -0.1, "activity_score": 90,
        "activity_steps": 8000, "activity_contributors_meet_daily_targets": 95, "spo2_spo2_percentage_average": 97.3,
    }  # fmt: skip


def test_the_first_version_s_series_have_0_for_nothing(study: Study) -> None:
    night = {"summary_date": "2026-01-31", "bedtime_start": "2026-01-30T23:00:00+01:00", "rmssd_5min": [0, 30, 0, 31]}
    parts = oura({"sleep": [night]}, study).segments
    assert [s.samples.tolist() for s in parts] == [[30], [31]]


def test_the_first_version_s_nights_belong_to_the_morning_after(study: Study) -> None:
    night = {"summary_date": "2026-01-30", "bedtime_start": "2026-01-30T23:00:00+01:00", "is_longest": 1, "rmssd": 54}
    ready = {"summary_date": "2026-01-30", "period_id": 0, "score": 62, "score_recovery_index": 45}
    walked = {"summary_date": "2026-01-31", "score": 87, "steps": 9206}
    assert daily(oura({"sleep": [night], "readiness": [ready], "activity": [walked]}, study)) == {
        "sleep_rmssd": 54, "readiness_score": 62, "readiness_score_recovery_index": 45, "activity_score": 87,
        "activity_steps": 9206,
    }  # fmt: skip
    assert daily(oura({"readiness": [ready]}, study))["readiness_score"] == 62


def test_workouts_and_sessions_are_no_numbers_of_a_day(study: Study) -> None:
    workout = {"day": "2026-01-31", "activity": "cycling", "calories": 300, "start_datetime": "2026-01-31T10:00:00Z"}
    session = {"day": "2026-01-31", "type": "rest", "motion_count": {"interval": 5, "items": [0]}}
    recording = oura({"sleep": [NIGHT], "workout": [workout], "session": [session]}, study)
    assert all(name.startswith("sleep_") for name in recording.daily["name"])
    assert recording.remarks == ["2 objects of no known kind left out"]


def test_a_cut_export_is_refused(study: Study) -> None:
    with pytest.raises(DumpError, match="cut or damaged"):
        read("oura.json", json.dumps({"data": [NIGHT]})[:-20], study)
