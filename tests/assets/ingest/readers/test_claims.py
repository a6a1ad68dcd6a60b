import json

import pytest

from assets.ingest.readers.registry import OWN
from tests.assets.ingest.makers import source
from tests.assets.ingest.readers import test_apple_health as apple
from tests.assets.ingest.readers import test_edf as edf
from tests.assets.ingest.readers import test_embraceplus_minutes as minutes
from tests.assets.ingest.readers import test_everion as everion
from tests.assets.ingest.readers import test_fitbit as fitbit
from tests.assets.ingest.readers import test_oura as oura
from tests.assets.ingest.readers import test_xdf as xdf

HRV = "timestamp,rmssd,coverage,low_frequency,high_frequency\n2026-01-31T03:10:00,26.6,0.9,275.3,126.5\n"
FITABASE = "Id,Time,Value\n2022484408,1/31/2026 7:21:00 AM,97\n"
TAKEOUT = [{"dateTime": "01/31/26 04:00:05", "value": {"bpm": 63, "confidence": 2}}]
SAMPLES = {
    "apple_health": [apple.export(), apple.export(dtd="")],
    "edf": [edf.edf(edf.Channel("ECG", "mV", [[1]]))],
    "embraceplus_minutes": [minutes.table("pulse_rate_bpm", "60")],
    "everion": [everion.rows((1, 2, 6, everion.START, "60.0"))],
    "fitbit": [fitbit.intraday("2026-01-31", ("08:00:00", 61)), json.dumps(TAKEOUT), HRV, FITABASE],
    "oura": [json.dumps({"data": [oura.NIGHT]}), json.dumps({"sleep": [oura.NIGHT], "activity": []})],
    "xdf": [xdf.opening() + xdf.ecg_stream()],
}
SELF_REPORTS = [
    "participant,time,happy,steps\nP01,2026-01-31T09:15:00Z,5,8000\n",
    "participant,date,clock,happy,steps\nP01,2026-01-31,09:15,5,8000\n",
    "time,item,value\n2026-01-31T09:15:00Z,happy,5\n",
    json.dumps([{"time": "2026-01-31T09:15:00Z", "happy": 5}]),
    json.dumps([{"dateTime": "2026-01-31T09:15:00", "value": 5, "item": "happy"}]),
    json.dumps({"answers": [{"questionId": "happy", "value": 5}], "timeCompleted": 1_769_850_900}),
]


@pytest.mark.parametrize(("name", "data"), [(n, d) for n, given in SAMPLES.items() for d in given])
def test_a_file_is_claimed_by_one_device_whatever_it_is_called(name: str, data: bytes | str) -> None:
    dump = source("some.thing", data)
    # Any table or JSON might hold self-reports; their reader is asked after those of devices.
    assert [r.name for r in OWN if r.claims(dump) and r.name != "self_reports"] == [name]


@pytest.mark.parametrize("text", SELF_REPORTS)
def test_self_reports_are_no_device_s(text: str) -> None:
    assert [r.name for r in OWN if r.claims(source("some.thing", text))] == ["self_reports"]
