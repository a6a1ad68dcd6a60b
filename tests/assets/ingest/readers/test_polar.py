from pathlib import Path

import numpy as np
import pytest

from assets.errors import DumpError
from assets.features.pulse import find_pulses
from assets.features.segments import Segment
from assets.ingest.readers.base import Context
from assets.ingest.readers.polar import READER
from assets.ingest.recording import Events, Recording
from assets.study import Study
from tests.assets.ingest.makers import source

US = 1_000_000
NOON = 1_615_460_400 * US  # 2021-03-11 12:00:00 in Berlin


def _read(data: str | bytes, study: Study) -> Recording:
    dump = source("polar.txt", data)
    assert READER.claims(dump)
    return READER.read(dump, Context(study, "P01"))


def _beats(recording: Recording) -> Events:
    return next(e for e in recording.events if e.kind == "beat")


def _phone(seconds: float) -> str:
    return f"2021-03-11T12:{int(seconds // 60):02d}:{seconds % 60:06.3f}"


def test_ecg_lies_on_the_sensors_clock_at_its_real_rate_and_is_in_millivolts(study: Study) -> None:
    own = 668_775_843_000_000_000 + np.round(np.arange(1300) * 1e9 / 130.16).astype(int)
    lines = ["Phone timestamp;sensor timestamp [ns];timestamp [ms];ecg [uV]"]
    for n, stamp in enumerate(own.tolist()):
        packet = (n // 73 + 1) * 73 / 130.16 + 0.25 + 0.1 * (n // 73 % 3)
        lines.append(f"{_phone(packet)};{stamp};{n * 7.68:.1f};{-120 + n % 50}")
    (ecg,) = _read("\r\n".join([*lines, ""]), study).segments
    assert (ecg.signal, ecg.unit, len(ecg.samples)) == ("ecg", "mV", 1300)
    assert ecg.rate_hz == pytest.approx(130.16, rel=1e-4)
    assert ecg.samples[:2].tolist() == pytest.approx([-0.120, -0.119])
    assert ecg.start_us - NOON == pytest.approx(250_000, abs=10_000)


@pytest.mark.parametrize("head", ["Phone timestamp;RR-interval [ms]", "Phone timestamp;RR-interval"])
def test_intervals_that_come_in_packets_become_beats_by_their_sum(study: Study, head: str) -> None:
    rows = [(1.0, 800), (1.0, 810), (2.4, 790), (3.2, 805)]
    unit = 1 if "ms" in head else 1000
    text = "\r\n".join([head, *(f"{_phone(t)};{rr / unit}" for t, rr in rows), ""])
    beats = _beats(_read(text, study))
    assert beats.value.tolist() == [800.0, 810.0, 790.0, 805.0]
    assert np.diff(beats.time_us).tolist() == [810_000, 790_000, 805_000]
    assert beats.valid.tolist() == [False, True, True, True]


def test_pulse_intervals_count_only_with_contact_a_small_error_and_a_still_arm(study: Study) -> None:
    head = "Phone timestamp;PP-interval [ms];error estimate [ms];blocker;contact;contact;hr [bpm]"
    rows = [
        "900;5;0;1;1;66",
        "910;10;0;1;1;66",
        "905;60;0;1;1;66",
        "900;5;1;1;1;66",
        "895;5;0;0;1;66",
        "900;9;0;1;1;67",
    ]
    text = "\n".join([head, *(f"{_phone(n * 0.9)};{row}" for n, row in enumerate(rows)), ""])
    beats = _beats(_read(text, study))
    assert beats.value.tolist() == [900, 910, 905, 900, 895, 900]
    assert beats.valid.tolist() == [False, True, False, False, False, True]


def test_acceleration_is_in_g(study: Study) -> None:
    head = "Phone timestamp;sensor timestamp [ns];X [mg];Y [mg];Z [mg]"
    rows = [f"{_phone(n * 0.02)};{10**18 + n * 20_000_000};-15;20;{1000 + n}" for n in range(50)]
    segments = _read("\n".join([head, *rows, ""]), study).segments
    assert [(s.signal, s.unit, s.rate_hz, len(s.samples)) for s in segments] == [
        ("acc_x", "g", 50.0, 50), ("acc_y", "g", 50.0, 50), ("acc_z", "g", 50.0, 50)
    ]  # fmt: skip
    assert segments[2].samples[-1] == np.float32(1.049)


def _ecg_lines(jumps: dict[int, int] | None = None) -> list[str]:
    """A minute of ECG in packets, the sensor's clock set forward by some seconds at some samples."""
    own = 10**18 + np.round(np.arange(7_800) * 1e9 / 130).astype(np.int64)
    for at, seconds in (jumps or {}).items():
        own[at:] += seconds * 10**9
    arrivals = [(n // 65 + 1) * 0.5 + 0.05 * (n // 65 % 3) for n in range(len(own))]
    rows = [f"{_phone(a)};{stamp};{n}" for n, (a, stamp) in enumerate(zip(arrivals, own.tolist(), strict=True))]
    return ["Phone timestamp;sensor timestamp [ns];ecg [uV]", *rows, ""]


def test_a_line_without_a_stamp_of_the_sensor_is_left_out_alone(study: Study) -> None:
    lines = _ecg_lines()
    lines[1001] = lines[1001].replace(lines[1001].split(";")[1], "")
    recording = _read("\n".join(lines), study)
    assert [len(s.samples) for s in recording.segments] == [1_000, 6_799]
    assert [s.rate_hz for s in recording.segments] == pytest.approx([130, 130])
    assert recording.remarks == ["1 of 7800 lines without a usable time of the sensor, left out"]


@pytest.mark.parametrize("hours", [2, -2])
def test_a_jump_of_the_sensors_clock_moves_no_sample(study: Study, hours: int) -> None:
    recording = _read("\n".join(_ecg_lines({3_900: hours * 3600})), study)
    (ecg,) = recording.segments
    assert len(ecg.samples) == 7_800
    assert ecg.rate_hz == pytest.approx(130)
    assert ecg.start_us - NOON == pytest.approx(500_000 - 64 / 130 * 1e6, abs=1_000)
    said = f"the sensor's clock jumped 1 times against the phone's, by up to {hours * 3600:+d} s: put anew"
    assert recording.remarks == [said]


@pytest.mark.parametrize("seconds", [7200, -7200])
def test_stamps_that_leave_the_sensors_clock_for_a_moment_are_left_out(study: Study, seconds: int) -> None:
    recording = _read("\n".join(_ecg_lines({3_900: seconds, 3_910: -seconds})), study)
    assert [len(s.samples) for s in recording.segments] == [3_900, 3_890]
    assert recording.remarks == ["10 of 7800 lines without a usable time of the sensor, left out"]


def test_packets_that_come_late_are_no_jump_of_the_clock(study: Study) -> None:
    lines = _ecg_lines()
    for n in range(3_001, 4_301):  # ten seconds wait in the sensor and come at once
        lines[n] = f"{_phone(33.5)};{lines[n].split(';', 1)[1]}"
    recording = _read("\n".join(lines), study)
    (ecg,) = recording.segments
    assert (len(ecg.samples), list(recording.remarks)) == (7_800, [])


def test_a_phone_s_clock_that_is_set_back_is_said(study: Study) -> None:
    seconds = [*np.arange(1, 121), *np.arange(91, 151)]
    text = "\n".join(["Phone timestamp;RR-interval [ms]", *(f"{_phone(t)};1000" for t in seconds), ""])
    recording = _read(text, study)
    assert len(_beats(recording).value) == 150
    assert recording.remarks == [
        "30 of 180 lines lie before lines above them (the clock was set back, or they come twice): the first ones count"
    ]


def test_a_header_alone_or_rows_without_values_are_refused(study: Study) -> None:
    with pytest.raises(DumpError, match="only the header arrived"):
        READER.read(source("rr.txt", "Phone timestamp;RR-interval [ms]\n"), Context(study, "P01"))
    with pytest.raises(DumpError, match="without a single value"):
        _read(f"Phone timestamp;RR-interval [ms]\n{_phone(0)};\n", study)


def test_tables_of_other_kinds_are_left_to_their_readers() -> None:
    assert not READER.claims(source("a.csv", "time,ecg\n2021-03-11T12:00:00,0.1\n"))
    assert not READER.claims(source("a.csv", "time,stress,rr\nyesterday,1,2\n"))
    assert not READER.claims(source("a.csv", "participant,time,hr\nP01,1615460400000,60\n"))


@pytest.mark.real
def test_a_real_h10_with_premature_beats(real_data: Path, study: Study) -> None:
    recording = _read((real_data / "other/polar_h10/polar_h10_converted.csv").read_bytes(), study)
    beats = _beats(recording)
    assert float(beats.value.sum()) / 1000 == pytest.approx(599.4, abs=0.05)
    assert len(beats.value) == 798
    (ecg,) = recording.segments
    assert (ecg.unit, len(ecg.samples)) == ("mV", 78_096)
    assert ecg.rate_hz == pytest.approx(130.16, abs=0.01)
    assert abs(beats.time_us[-1] - ecg.last_us) < 2 * US


@pytest.mark.real
def test_beats_rebuilt_from_packets_keep_step_with_the_ecg_for_ten_minutes(real_data: Path, study: Study) -> None:
    recording = _read((real_data / "other/polar_h10/polar_h10_converted.csv").read_bytes(), study)
    (ecg,) = recording.segments
    seen = find_pulses(Segment(ecg.start_us, ecg.rate_hz, ecg.samples.astype(np.float64)), "ecg").times_us
    shifts = np.arange(-1_500_000, 1_500_001, 20_000)
    lags = []
    for part in np.array_split(_beats(recording).time_us, 6):
        nearest = [np.median(np.abs(seen[:, None] - (part + s)).min(axis=0)) for s in shifts]
        lags.append(int(shifts[np.argmin(nearest)]))
        assert min(nearest) < 15_000
    assert max(lags) - min(lags) <= 40_000  # the radio's least delay is unknown, but it is one
