import io
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pytest

from assets.errors import DumpError
from assets.study import Study
from tests.assets.ingest.makers import read, signal

START = 1_764_153_714_256_034


def stream(kind: str, values: str) -> dict[str, Any]:
    fields = [{"name": n, "type": t} for n, t in (("timestampStart", "long"), ("samplingFrequency", "float"))]
    return {
        "type": "record",
        "name": kind,
        "fields": [*fields, {"name": "values", "type": {"type": "array", "items": values}}],
    }


def record(minor: int = 5, **streams: Any) -> bytes:
    """A file in the vendor's layout, with the streams that matter here."""
    number = {
        "type": "record",
        "name": "version",
        "fields": [{"name": n, "type": "int"} for n in ("major", "minor", "patch")],
    }
    params = ["physicalMin", "physicalMax", "digitalMin", "digitalMax"]
    imu = {
        "type": "record",
        "name": "imu",
        "fields": [*({"name": n, "type": "int"} for n in params), {"name": "conversionFactor", "type": "float"}],
    }
    acc = {
        "type": "record",
        "name": "acc",
        "fields": [
            {"name": "timestampStart", "type": "long"},
            {"name": "samplingFrequency", "type": "float"},
            {"name": "imuParams", "type": imu},
            *({"name": a, "type": {"type": "array", "items": "int"}} for a in "xyz"),
        ],
    }
    raw = {
        "type": "record",
        "name": "raw",
        "fields": [
            {"name": "accelerometer", "type": acc},
            {"name": "eda", "type": stream("eda", "float")},
            {"name": "steps", "type": stream("steps", "int")},
            {
                "name": "tags",
                "type": {
                    "type": "record",
                    "name": "tags",
                    "fields": [{"name": "tagsTimeMicros", "type": {"type": "array", "items": "long"}}],
                },
            },
            {
                "name": "systolicPeaks",
                "type": {
                    "type": "record",
                    "name": "peaks",
                    "fields": [{"name": "peaksTimeNanos", "type": {"type": "array", "items": "long"}}],
                },
            },
        ],
    }
    schema = {
        "type": "record",
        "name": "root",
        "fields": [
            {"name": "schemaVersion", "type": number},
            {"name": "deviceSn", "type": "string"},
            {"name": "rawData", "type": raw},
        ],
    }
    ranges = {
        "physicalMin": -16,
        "physicalMax": 16,
        "digitalMin": -32768,
        "digitalMax": 32768,
        "conversionFactor": 0.000488,
    }
    nothing = {"timestampStart": 0, "samplingFrequency": 0.0, "values": []}
    data = {
        "accelerometer": {
            "timestampStart": START,
            "samplingFrequency": 63.999897,
            "imuParams": ranges,
            "x": [2048, 0],
            "y": [0, 0],
            "z": [0, 0],
        },
        "eda": nothing,
        "steps": nothing,
        "tags": {"tagsTimeMicros": []},
        "systolicPeaks": {"peaksTimeNanos": []},
    } | streams
    sink = io.BytesIO()
    version = {"major": 6, "minor": minor, "patch": 0}
    fastavro.writer(sink, schema, [{"schemaVersion": version, "deviceSn": "3YK1", "rawData": data}], codec="deflate")
    return sink.getvalue()


def test_counts_become_g_by_the_rule_of_the_schema(study: Study) -> None:
    assert signal(read("a.avro", record(minor=5), study), "acc_x").tolist() == pytest.approx([2048 * 0.000488, 0])
    assert signal(read("a.avro", record(minor=4), study), "acc_x").tolist() == pytest.approx([2048 * 32 / 65536, 0])


def test_streams_keep_their_own_start_and_fractional_rate(study: Study) -> None:
    eda = {"timestampStart": START + 7, "samplingFrequency": 4.0000029, "values": [0.5, 0.6]}
    recording = read("a.avro", record(eda=eda), study)
    found = {s.signal: s for s in recording.segments}
    assert set(found) == {"acc_x", "acc_y", "acc_z", "eda"}
    assert found["eda"].start_us == START + 7
    assert found["eda"].rate_hz == pytest.approx(4.0000029, abs=1e-6)
    assert found["eda"].rate_hz != 4.0
    assert recording.facts == {"device": "Empatica EmbracePlus", "serial": "3YK1", "schema": "6.5.0"}


def test_peaks_in_ns_tags_in_us_and_steps_become_events(study: Study) -> None:
    peaks = {"peaksTimeNanos": [(START + t) * 1000 + 9 for t in (-4_000_000, -3_200_000, 1_000_000, 1_800_000)]}
    steps = {"timestampStart": START, "samplingFrequency": 0.5, "values": [0, 3, 0]}
    recording = read("a.avro", record(systolicPeaks=peaks, tags={"tagsTimeMicros": [START]}, steps=steps), study)
    events = {e.kind: e for e in recording.events}
    assert (events["beat"].time_us - START).tolist() == [-4_000_000, -3_200_000, 1_000_000, 1_800_000]
    assert events["beat"].value[1:].tolist() == [800.0, 4200.0, 800.0]
    assert events["beat"].valid.tolist() == [False, True, False, True]
    assert events["tag"].time_us.tolist() == [START]
    assert (events["steps"].time_us.tolist(), events["steps"].value.tolist()) == ([START + 2_000_000], [3.0])


def test_a_cut_file_is_refused_with_what_to_do(study: Study) -> None:
    data = record()
    with pytest.raises(DumpError, match=r"Avro file is cut or damaged .* copy it again"):
        read("a.avro", data[:-40], study)


@pytest.mark.real
def test_the_real_half_hour_is_read_whole(real_data: Path, study: Study) -> None:
    recording = read("t.avro", (real_data / "embraceplus/test_data.avro").read_bytes(), study)
    found = {s.signal: s for s in recording.segments}
    assert {n: len(s.samples) for n, s in found.items()} == {
        "eda": 7244,
        "temp": 1811,
        "bvp": 115_904,
        "acc_x": 115_904,
        "acc_y": 115_904,
        "acc_z": 115_904,
    }
    norm = np.sqrt(sum(found[f"acc_{a}"].samples ** 2 for a in "xyz"))
    assert np.median(norm) == pytest.approx(1.0, abs=0.05)
    assert 0.017 < found["eda"].samples.min() < found["eda"].samples.max() < 0.034
    beats = next(e for e in recording.events if e.kind == "beat")
    assert len(beats.time_us) == 1796
    assert beats.time_us[0] < found["bvp"].start_us
    assert recording.facts["firmware"] == "4.41.4"
