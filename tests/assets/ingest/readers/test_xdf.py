import struct
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from assets.errors import DumpError
from assets.study import Study
from tests.assets.ingest.makers import read, zipped

START = int(datetime(2026, 1, 31, 8, 15, tzinfo=UTC).timestamp()) * 1_000_000
SINCE_BOOT = 5000.0


def chunk(tag: int, content: bytes) -> bytes:
    length = len(content) + 2
    sized = bytes([1, length]) if length < 256 else b"\x04" + struct.pack("<I", length)
    return sized + struct.pack("<H", tag) + content


def opening(when: str = "<datetime>2026-01-31T09:15:00+0100</datetime>") -> bytes:
    return b"XDF:" + chunk(1, f"<?xml version='1.0'?><info><version>1.0</version>{when}</info>".encode())


def header(number: int, kind: str, rate: float, fmt: str, labels: Sequence[tuple[str, str]], count: int = 0) -> bytes:
    channels = "".join(f"<channel><label>{label}</label><unit>{unit}</unit></channel>" for label, unit in labels)
    text = (
        f"<?xml version='1.0'?><info><name>{kind} device</name><type>{kind}</type><channel_count>"
        f"{count or len(labels)}</channel_count><nominal_srate>{rate}</nominal_srate><channel_format>{fmt}"
        f"</channel_format><desc><channels>{channels}</channels></desc></info>"
    )
    return chunk(2, struct.pack("<I", number) + text.encode())


def samples(number: int, rows: Sequence[tuple[float | None, bytes]]) -> bytes:
    body = b"".join(b"\x00" + v if t is None else b"\x08" + struct.pack("<d", t) + v for t, v in rows)
    return chunk(3, struct.pack("<I", number) + b"\x04" + struct.pack("<I", len(rows)) + body)


def offset(number: int, at: float, value: float) -> bytes:
    return chunk(4, struct.pack("<Idd", number, at, value))


def word(text: str) -> bytes:
    return bytes([1, len(text)]) + text.encode()


def floats(*values: float) -> bytes:
    return np.array(values, "<f4").tobytes()


def ecg_stream(number: int = 1, count: int = 500, *, skip: range = range(0)) -> bytes:
    rows = [(SINCE_BOOT + n / 100, floats(1000.0 * (n % 2))) for n in range(count) if n not in skip]
    return header(number, "ECG", 100.0, "float32", [("ECG", "microvolts")]) + samples(number, rows)


def test_a_sampled_stream_is_a_segment_in_the_field_s_unit_at_the_header_s_time(study: Study) -> None:
    (ecg,) = read("a.xdf", opening() + ecg_stream() + offset(1, SINCE_BOOT, 0.0), study).segments
    assert (ecg.signal, ecg.unit, ecg.start_us, len(ecg.samples)) == ("ecg", "mV", START, 500)
    assert ecg.rate_hz == pytest.approx(100.0)
    assert ecg.samples[:4].tolist() == [0, 1, 0, 1]


def test_a_hole_splits(study: Study) -> None:
    parts = read("a.xdf", opening() + ecg_stream(skip=range(200, 300)), study).segments
    assert [(s.start_us - START, len(s.samples)) for s in parts] == [(0, 200), (3_000_000, 200)]


def test_clocks_of_several_machines_are_brought_together(study: Study) -> None:
    away = -3000.0
    rows = [(SINCE_BOOT - away + n / 50, floats(0.5)) for n in range(100)]
    other = header(2, "GSR", 50.0, "float32", [("GSR", "microsiemens")]) + samples(2, rows)
    data = opening() + ecg_stream() + other + offset(1, SINCE_BOOT, 0.0)
    data += offset(2, SINCE_BOOT - away, away) + offset(2, SINCE_BOOT - away + 5, away + 0.001)
    found = {s.signal: s for s in read("a.xdf", data, study).segments}
    assert abs(found["eda"].start_us - found["ecg"].start_us) < 1000
    assert found["eda"].unit == "µS"


def test_a_machine_that_was_started_again_keeps_its_place_in_time(study: Study) -> None:
    """Its clock begins anew, and the offset that leads to the recorder's clock jumps with it."""
    first = [(SINCE_BOOT + n / 50, floats(0.5)) for n in range(500)]
    again = [(20.0 + n / 50, floats(0.7)) for n in range(500)]
    data = opening() + header(1, "GSR", 50.0, "float32", [("GSR", "microsiemens")])
    data += offset(1, SINCE_BOOT, 0.0) + samples(1, first) + offset(1, SINCE_BOOT + 9, 0.0002)
    jump = SINCE_BOOT + 60 - 20.0  # a minute after its first sample it is back
    data += offset(1, 20.0, jump) + samples(1, again) + offset(1, 29.0, jump - 0.0002)
    parts = read("a.xdf", data, study).segments
    assert [(round((s.start_us - START) / 1e6, 2), len(s.samples)) for s in parts] == [(0, 500), (60, 500)]
    assert [float(s.samples[0]) for s in parts] == pytest.approx([0.5, 0.7])


def test_one_offset_measured_wrongly_moves_nothing(study: Study) -> None:
    data = opening() + ecg_stream()
    for n in range(5):
        data += offset(1, SINCE_BOOT + n, 40.0 if n == 2 else 0.0)
    (ecg,) = read("a.xdf", data, study).segments
    assert (ecg.start_us, len(ecg.samples)) == (START, 500)


def test_samples_without_a_stamp_follow_the_one_before(study: Study) -> None:
    rows = [(SINCE_BOOT if n == 0 else None, floats(float(n))) for n in range(50)]
    data = opening() + header(1, "PPG", 25.0, "float32", [("", "")]) + samples(1, rows)
    (ppg,) = read("a.xdf", data, study).segments
    assert (ppg.signal, ppg.rate_hz) == ("bvp", pytest.approx(25.0))
    assert ppg.samples.tolist() == list(range(50))


def test_three_unnamed_channels_of_acceleration_are_axes(study: Study) -> None:
    rows = [(SINCE_BOOT + n / 10, np.array([n, 0, 1000], "<i2").tobytes()) for n in range(20)]
    data = opening() + header(1, "ACC", 10.0, "int16", [("", "mg")] * 3) + samples(1, rows)
    found = {s.signal: (s.unit, float(s.samples[-1])) for s in read("a.xdf", data, study).segments}
    assert found == {"acc_x": ("g", pytest.approx(0.019)), "acc_y": ("g", 0.0), "acc_z": ("g", 1.0)}


def test_markers_become_tags_without_their_texts_and_intervals_beats(study: Study) -> None:
    marks = [(SINCE_BOOT + 1.5, word("Anna pressed")), (SINCE_BOOT + 4, word("end"))]
    data = opening() + ecg_stream() + header(2, "Markers", 0, "string", [("", "")]) + samples(2, marks)
    rr = [(SINCE_BOOT + 0.8 * n, floats(0.8)) for n in range(1, 6)]
    data += header(3, "RR", 0, "float32", [("", "s")]) + samples(3, rr)
    recording = read("a.xdf", data, study)
    events = {e.kind: e for e in recording.events}
    assert (events["tag"].time_us - START).tolist() == [1_500_000, 4_000_000]
    assert events["beat"].value.tolist() == pytest.approx([800] * 5, abs=0.01)
    assert events["beat"].valid.sum() == 4
    assert "Anna" not in str(recording)


def test_a_header_without_a_date_needs_a_name_or_a_sidecar(study: Study) -> None:
    data = opening("") + ecg_stream()
    with pytest.raises(DumpError, match=r"nothing says when this LSL recording .* put the start into its name"):
        read("a.xdf", data, study)
    assert read("2026-01-31T08-15-00Z.xdf", data, study).segments[0].start_us == START
    beside = {"a.xdf": data, "a.json": b'{"time": "2026-01-31T09:15:00+01:00"}'}
    assert read("a.zip", zipped(beside), study).segments[0].start_us == START


def test_a_cut_file_keeps_its_whole_chunks(study: Study) -> None:
    data = opening() + ecg_stream() + header(2, "ACC", 10.0, "int16", [("x", "g")])
    recording = read("a.xdf", data[:-20], study)
    assert len(recording.segments[0].samples) == 500
    assert recording.remarks == ["its end is missing or damaged; what came before is kept"]
    with pytest.raises(DumpError, match="before its first stream"):
        read("a.xdf", data[:100], study)
    with pytest.raises(DumpError, match="not one sample"):
        read("a.xdf", opening() + header(1, "ECG", 100.0, "float32", [("", "")]), study)


def test_entities_in_a_header_are_refused(study: Study) -> None:
    bomb = b"<!DOCTYPE x [<!ENTITY a 'ha'>]><info><name>&a;</name></info>"
    with pytest.raises(DumpError, match="nothing was expanded"):
        read("a.xdf", opening() + chunk(2, struct.pack("<I", 1) + bomb), study)
