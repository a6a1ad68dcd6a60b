from pathlib import Path

import numpy as np
import pytest

from assets.errors import DumpError
from assets.ingest.readers.base import Context
from assets.ingest.readers.shimmer import READER
from assets.ingest.recording import Recording
from assets.ingest.source import Source
from assets.study import Study
from tests.assets.ingest.makers import source

START_MS = 1_595_933_810_034


def _file(columns: dict[str, tuple[str, list[float]]], times: list[str], separator: str = ";") -> bytes:
    names = [f"Shimmer_40AC_{n}" for n in columns]
    rows = [[t, *map(repr, v)] for t, *v in zip(times, *(v for _, v in columns.values()), strict=True)]
    lines = [f'"sep={separator}"', *(separator.join([*row, ""]) for row in (
        ["Shimmer_40AC_Timestamp_Unix_CAL", *names], ["ms", *(u for u, _ in columns.values())], *rows))]  # fmt: skip
    return "\r\n".join([*lines, ""]).encode()


def _read(dump: Source, study: Study) -> Recording:
    assert READER.claims(dump)
    return READER.read(dump, Context(study, "P01"))


def test_units_become_those_of_the_lake(study: Study) -> None:
    times = [f"{(START_MS + 20 * n) / 1e12!r}E12" for n in range(50)]
    data = _file(
        {
            "Accel_LN_X_CAL": ("m/(s^2)", [9.80665] * 50),
            "GSR_Skin_Resistance_CAL": ("kOhms", [400.0] * 49 + [0.0]),
            "PPG_A13_CAL": ("mV", [1500.0] * 50),
            "ECG_LL-RA_24BIT_CAL": ("uV", [250.0] * 50),
            "Battery_CAL": ("mV", [4100.0] * 50),
        },
        times,
    )
    recording = _read(source("s.csv", data), study)
    found = {s.signal: (s.unit, float(s.samples[0]), len(s.samples)) for s in recording.segments}
    assert found == {
        "acc_x": ("g", 1.0, 50), "eda": ("µS", 2.5, 49), "bvp": ("mV", 1500.0, 50), "ecg": ("mV", 0.25, 50)
    }  # fmt: skip
    assert {(s.start_us, s.rate_hz) for s in recording.segments} == {(START_MS * 1000, 50.0)}
    assert recording.remarks == ["not read: Battery"]
    assert recording.facts["serial"] == "40AC"


def test_conductance_counts_before_resistance(study: Study) -> None:
    columns = {"GSR_Skin_Resistance_CAL": ("kOhms", [1.0] * 9), "GSR_Skin_Conductance_CAL": ("uS", [2.0] * 9)}
    (eda,) = _read(source("s.csv", _file(columns, [str(START_MS + 100 * n) for n in range(9)], "\t")), study).segments
    assert set(eda.samples.tolist()) == {2.0}


def test_times_since_an_unknown_start_need_a_name_or_a_sidecar(study: Study) -> None:
    data = _file({"GSR_Skin_Conductance_CAL": ("uS", [2.0] * 9)}, [str(5000.0 + 100 * n) for n in range(9)])
    with pytest.raises(DumpError, match="nothing says when this Shimmer file .* was recorded: put the start into"):
        _read(source("s.csv", data), study)
    (named,) = _read(source("2020-07-28T10-56-50Z.csv", data), study).segments
    (told,) = _read(source("s.csv", data, b'{"time": "2020-07-28T12:56:50+02:00"}'), study).segments
    assert named.start_us == told.start_us == 1_595_933_810_000_000


def test_broken_lines_are_counted_and_a_cut_one_is_not_believed(study: Study) -> None:
    data = _file({"GSR_Skin_Conductance_CAL": ("uS", [2.0] * 20)}, [str(START_MS + 100 * n) for n in range(20)])
    recording = _read(source("s.csv", data + b"xx;yy;\r\n" + b"1.5959338"), study)
    assert "1 lines unreadable, left out" in recording.remarks
    assert sum(len(s.samples) for s in recording.segments) == 20
    with pytest.raises(DumpError, match="only the header arrived|without samples"):
        _read(source("s.csv", b"\r\n".join(data.split(b"\r\n")[:3]) + b"\r\n"), study)


@pytest.mark.real
def test_a_real_shimmer(real_data: Path, study: Study) -> None:
    recording = _read(source("s.csv", (real_data / "other/shimmer/read_test_data.csv").read_bytes()), study)
    eda = next(s for s in recording.segments if s.signal == "eda")
    assert (eda.unit, len(eda.samples)) == ("µS", 90)
    assert eda.rate_hz == pytest.approx(51.2, rel=0.005)
    acc = {s.signal: float(s.samples.mean()) for s in recording.segments if s.signal.startswith("acc_")}
    assert np.hypot(np.hypot(acc["acc_x"], acc["acc_y"]), acc["acc_z"]) == pytest.approx(1.03, abs=0.01)
