import json
from datetime import UTC, datetime
from datetime import date as Date
from typing import Any

import numpy as np
import pytest

from assets.errors import DumpError
from assets.ingest.overlap import events_once
from assets.ingest.readers import json_tables
from assets.ingest.recording import Recording
from assets.study import Study
from tests.assets.ingest.makers import read, zipped

DAY = Date(2026, 1, 31)


def events(recording: Recording, kind: str) -> list[tuple[str, float]]:
    found = next(e for e in recording.events if e.kind == kind)
    return [
        (str(np.datetime64(t, "us"))[:19], v) for t, v in zip(found.time_us.tolist(), found.value.tolist(), strict=True)
    ]


def daily(recording: Recording) -> dict[tuple[str, str], float]:
    return {(str(d), n): v for _, d, n, v in recording.daily.rows()}


def intraday(day: str, *rows: tuple[str, float], kind: str = "heart") -> str:
    value: Any = {"restingHeartRate": 61} if kind == "heart" else "8,000"
    dataset = [{"time": t, "value": v} for t, v in rows]
    return json.dumps(
        {
            f"activities-{kind}": [{"dateTime": day, "value": value}],
            f"activities-{kind}-intraday": {"dataset": dataset, "datasetInterval": 1, "datasetType": "second"},
        }
    )


def test_intraday_times_are_the_wearer_s_wall_clock(study: Study) -> None:
    recording = read("h.json", intraday("2026-01-31", ("00:00:05", 61), ("00:00:15", 63), ("12:00:00", 70)), study)
    assert events(recording, "hr") == [
        ("2026-01-30T23:00:05", 61),
        ("2026-01-30T23:00:15", 63),
        ("2026-01-31T11:00:00", 70),
    ]
    assert daily(recording) == {("2026-01-31", "resting_hr_bpm"): 61}


def test_both_clock_changes_keep_every_value_once(study: Study) -> None:
    spring = read("h.json", intraday("2026-03-29", ("01:59:00", 60), ("03:01:00", 61)), study)
    assert [t for t, _ in events(spring, "hr")] == ["2026-03-29T00:59:00", "2026-03-29T01:01:00"]
    rows = [("02:30:00", 60), ("02:59:00", 61), ("02:01:00", 62), ("02:30:00", 63), ("03:30:00", 64)]
    autumn = read("h.json", intraday("2026-10-25", *rows), study)
    assert events(autumn, "hr") == [
        ("2026-10-25T00:30:00", 60),
        ("2026-10-25T00:59:00", 61),
        ("2026-10-25T01:01:00", 62),
        ("2026-10-25T01:30:00", 63),
        ("2026-10-25T02:30:00", 64),
    ]


def test_steps_of_the_api_keep_the_minutes_walked(study: Study) -> None:
    recording = read("s.json", intraday("2026-01-31", ("08:00:00", 0), ("08:01:00", 42), kind="steps"), study)
    assert events(recording, "steps") == [("2026-01-31T07:01:00", 42)]
    assert daily(recording) == {("2026-01-31", "steps"): 8000}


def test_takeout_s_heart_rates_are_utc_and_those_of_no_confidence_none(study: Study) -> None:
    rows = [
        {"dateTime": "01/31/26 04:00:05", "value": {"bpm": 63, "confidence": 2}},
        {"dateTime": "01/31/26 04:00:15", "value": {"bpm": 70, "confidence": 0}},
    ]
    recording = read("heart_rate-2026-01-31.json", json.dumps(rows), study)
    assert events(recording, "hr") == [("2026-01-31T04:00:05", 63)]
    assert recording.remarks == ["1 heart rates of confidence 0, left out"]


def test_a_list_that_does_not_say_what_it_counts_is_refused(study: Study) -> None:
    rows = json.dumps([{"dateTime": f"01/31/26 04:0{n}:00", "value": f"{n}"} for n in range(3)])
    assert events(read("steps-2026-01-31.json", rows, study), "steps")[-1] == ("2026-01-31T04:02:00", 2)
    with pytest.raises(DumpError, match="does not say what it counts"):
        read("a.json", rows, study)
    bare = json.dumps([{"time": "08:00:00", "value": 61}])
    assert events(read("heart_2026-01-31.json", bare, study), "hr") == [("2026-01-31T07:00:00", 61)]
    with pytest.raises(DumpError, match="says neither its date"):
        read("a.json", bare, study)


def test_a_month_of_one_number_a_day_becomes_daily_values(study: Study) -> None:
    rows = [{"dateTime": f"01/0{n}/26 00:00:00", "value": f"{700 + n}"} for n in (1, 2)]
    assert daily(read("sedentary_minutes-2026-01-01.json", json.dumps(rows), study)) == {
        ("2026-01-01", "sedentary_minutes"): 701,
        ("2026-01-02", "sedentary_minutes"): 702,
    }
    resting = [{"dateTime": "01/01/26 00:00:00", "value": {"date": "01/01/26", "value": 60.5, "error": 6.1}}]
    resting += [{"dateTime": "01/02/26 00:00:00", "value": {"date": None, "value": 0.0, "error": 0.0}}]
    found = daily(read("resting_heart_rate-2026-01-01.json", json.dumps(resting), study))
    assert found == {("2026-01-01", "resting_hr_bpm"): 60.5}


def test_a_night_becomes_stages_with_their_interruptions_and_the_morning_s_sums(study: Study) -> None:
    log = {
        "dateOfSleep": "2026-01-31", "minutesAsleep": 400, "minutesAwake": 30, "timeInBed": 430, "efficiency": 93,
        "mainSleep": True,
        "levels": {
            "summary": {"deep": {"count": 1, "minutes": 60}},
            "data": [
                {"dateTime": "2026-01-30T23:00:00.000", "level": "light", "seconds": 1800},
                {"dateTime": "2026-01-30T23:30:00.000", "level": "deep", "seconds": 3600},
            ],
            "shortData": [{"dateTime": "2026-01-30T23:40:00.000", "level": "wake", "seconds": 60}],
        },
    }  # fmt: skip
    recording = read("sleep-2026-01-01.json", json.dumps([log]), study)
    found = events(recording, "sleep")
    assert [(t[11:16], v) for t, v in found[:-1]] == [("22:00", 1), ("22:30", 2), ("22:40", 0), ("22:41", 2)]
    assert found[-1][0] == "2026-01-30T23:30:00"
    assert np.isnan(found[-1][1])
    assert daily(recording)["2026-01-31", "sleep_minutes_asleep"] == 400
    assert daily(recording)["2026-01-31", "sleep_minutes_deep"] == 60
    assert daily(recording)["2026-01-31", "sleep_efficiency"] == 93


def test_a_classic_night_counts_its_minutes_once(study: Study) -> None:
    log = {
        "dateOfSleep": "2026-01-31", "minutesAsleep": 400, "minutesAwake": 30, "timeInBed": 430, "type": "classic",
        "levels": {
            "summary": {"restless": {"minutes": 20}, "awake": {"minutes": 10}, "asleep": {"minutes": 400}},
            "data": [{"dateTime": "2026-01-30T23:00:00.000", "level": "asleep", "seconds": 24000}],
        },
    }  # fmt: skip
    found = daily(read("sleep-2026-01-01.json", json.dumps([log]), study))
    assert {n: v for (_, n), v in found.items()} == {
        "sleep_minutes_asleep": 400, "sleep_minutes_awake": 30, "sleep_minutes_restless": 20, "sleep_time_in_bed": 430,
    }  # fmt: skip


def test_steps_of_the_phone_are_not_added_to_the_wristband_s(study: Study) -> None:
    text = (
        "timestamp,steps,data source\n2026-01-31T07:01:00Z,42,Charge 6\n2026-01-31T07:01:00Z,40,MobileTrack\n"
        "2026-01-31T07:01:18.008Z,30,Phone Health Connect\n"
    )
    recording = read("steps_2026-01-01.csv", text, study)
    assert events(recording, "steps") == [("2026-01-31T07:01:00", 42)]
    assert events(recording, "steps_phone") == [("2026-01-31T07:01:00", 40), ("2026-01-31T07:01:18", 30)]


def test_oxygen_at_its_floor_is_none(study: Study) -> None:
    text = "timestamp,value\n2026-01-31T03:00:00Z,50.0\n2026-01-31T03:01:00Z,96.1\n"
    recording = read("Minute SpO2 - 2026-01-31.csv", text, study)
    assert events(recording, "spo2") == [("2026-01-31T03:01:00", 96.1)]
    assert recording.remarks == ["1 minutes at 50 %, Fitbit's sign that no oxygen could be measured, left out"]
    newer = "timestamp,oxygen saturation percentage,data source\n2026-01-31T03:01:00Z,96.1,Charge 6\n"
    assert events(read("oxygen_saturation_2026-01-01.csv", newer, study), "spo2") == events(recording, "spo2")


def test_a_resting_rate_a_day_is_no_heart_rate_at_midnight(study: Study) -> None:
    text = "timestamp,beats per minute,data source\n2026-01-31T00:00:00Z,58.5,Charge 6\n"
    recording = read("daily_resting_heart_rate.csv", text, study)
    assert daily(recording) == {("2026-01-31", "resting_hr_bpm"): 58.5}
    assert not recording.events


def test_a_score_of_the_morning_belongs_to_the_wearer_s_day(study: Study) -> None:
    text = "sleep_log_entry_id,timestamp,overall_score\n7,2026-01-30T23:30:00Z,81\n8,2026-01-31T22:59:00Z,79\n"
    assert daily(read("sleep_score.csv", text, study)) == {("2026-01-31", "sleep_score_overall_score"): 79}


def test_what_takeout_says_twice_stands_once(study: Study) -> None:
    rows = [{"dateTime": "01/31/26 04:00:05", "value": {"bpm": 63, "confidence": 2}}]
    files = {
        "Takeout/Fitbit/Global Export Data/heart_rate-2026-01-31.json": json.dumps(rows).encode(),
        "Takeout/Fitbit/Physical Activity_GoogleData/heart_rate_2026-01-31.csv": (
            b"timestamp,beats per minute,data source\n2026-01-31T04:00:05Z,63.0,Charge 6\n"
            b"2026-01-31T04:00:10Z,64.0,Charge 6\n"
        ),
    }
    recording = read("takeout.zip", zipped(files), study)
    once = events_once([("a", 2, e) for e in recording.events])
    assert [v for _, e in once for v in e.value.tolist()] == [63, 64]


def test_hrv_of_api_and_takeout_agree(study: Study) -> None:
    minute = {"minute": "2026-01-31T03:10:00.000", "value": {"rmssd": 26.6, "coverage": 0.9, "hf": 126.5, "lf": 275.3}}
    api = read("h.json", json.dumps({"hrv": [{"minutes": [minute], "dateTime": "2026-01-31"}]}), study)
    text = "timestamp,rmssd,coverage,low_frequency,high_frequency\n2026-01-31T03:10:00,26.6,0.9,275.3,126.5\n"
    takeout = read("Heart Rate Variability Details - 2026-01-31.csv", text, study)
    for kind, value in (("rmssd", 26.6), ("lf_ms2", 275.3), ("hf_ms2", 126.5)):
        assert events(api, kind) == events(takeout, kind) == [("2026-01-31T02:10:00", value)]
    nightly = {"hrv": [{"value": {"dailyRmssd": 34.9, "deepRmssd": 31.5}, "dateTime": "2026-01-31"}]}
    assert daily(read("d.json", json.dumps(nightly), study)) == {
        ("2026-01-31", "hrv_daily_rmssd"): 34.9,
        ("2026-01-31", "hrv_deep_rmssd"): 31.5,
    }


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "Daily Heart Rate Variability Summary - 2026-01.csv",
            "timestamp,rmssd,nremhr,entropy\n2026-01-31T00:00:00,32.1,55.2,2.5\n",
            {"hrv_rmssd": 32.1, "hrv_nremhr": 55.2, "hrv_entropy": 2.5},
        ),
        (
            "export.csv",
            'Activities\nDate,Calories Burned,Steps,Distance\n"31-01-2026","2,345","8,000","5.5"\n\n',
            {"calories_burned": 2345, "steps": 8000, "distance": 5.5},
        ),
        ("daily.csv", "date,steps,resting_heart_rate\n2026-01-31,8000,61\n", {"steps": 8000, "resting_heart_rate": 61}),
        (
            "dailyActivity_merged.csv",
            "Id,ActivityDate,TotalSteps,Calories\n1503960366,1/31/2026,13162,1985\n",
            {"total_steps": 13162, "calories": 1985},
        ),
    ],
)
def test_daily_tables_become_daily_values(study: Study, name: str, text: str, expected: dict[str, float]) -> None:
    assert daily(read(name, text, study)) == {("2026-01-31", k): v for k, v in expected.items()}


def test_fitabase_seconds_are_american_and_local(study: Study) -> None:
    text = "Id,Time,Value\n2022484408,1/31/2026 7:21:00 AM,97\n2022484408,1/31/2026 7:21:05 PM,102\n"
    assert events(read("heartrate_seconds_merged.csv", text, study), "hr") == [
        ("2026-01-31T06:21:00", 97),
        ("2026-01-31T18:21:05", 102),
    ]
    with pytest.raises(DumpError, match="several wearers"):
        read("x.csv", text.replace("2022484408,1/31/2026 7:21:05", "1,1/31/2026 7:21:05"), study)


def test_a_takeout_of_hundreds_of_files_is_read_and_the_rest_named(study: Study) -> None:
    files = {}
    for n in range(300):
        stamp = datetime.fromtimestamp(1_769_817_600 + 86_400 * n, UTC).strftime("%m/%d/%y %H:%M:%S")
        rows = [{"dateTime": stamp, "value": {"bpm": 60, "confidence": 3}}]
        files[f"Takeout/Fitbit/Global Export Data/heart_rate-{n}.json"] = json.dumps(rows).encode()
    files["Takeout/Fitbit/Your Profile/Profile.csv"] = b"id,full_name,birthday\nX,Anna M,1990-01-01\n"
    files["Takeout/archive_browser.html"] = b"<html></html>"
    files["Takeout/Fitbit/badge.json"] = b'[{"encodedId": "228TQ4", "badgeType": "DAILY_STEPS"}]'
    recording = read("takeout.zip", zipped(files), study)
    assert sum(len(e.time_us) for e in recording.events) == 300
    assert any(r.startswith("3 of 303 files in the archive left out") for r in recording.remarks)
    assert "Anna" not in str(recording.remarks)


def test_a_huge_json_beside_the_exports_costs_no_memory_and_no_neighbour(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_tables, "MOST_BYTES", 2000)
    places = b'{"locations": [' + b'{"latitudeE7": 1},' * 200 + b"{}]}"
    recording = read(
        "t.zip", zipped({"h.json": intraday("2026-01-31", ("08:00:00", 61)).encode(), "r.json": places}), study
    )
    assert events(recording, "hr") == [("2026-01-31T07:00:00", 61)]
    assert any("r.json: a JSON of" in r for r in recording.remarks)
