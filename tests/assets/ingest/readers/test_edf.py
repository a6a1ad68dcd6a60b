from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from assets.errors import DumpError
from assets.study import Study
from tests.assets.ingest.makers import read, signal

FAROS = "Startdate 12-OCT-2018 X X SW=3.5.1_HW=0G_SER=1621280_DEVTYPE=Faros180_TZ=+0200"
START = int(datetime(2018, 10, 12, 14, 54, 12, tzinfo=UTC).timestamp()) * 1_000_000


@dataclass
class Channel:
    """One signal of a file made here: digital records, and the header fields that matter."""

    label: str
    unit: str
    records: Sequence[Sequence[int]]
    digital: tuple[int, int] = (-32768, 32767)
    physical: tuple[float, float] | None = None
    count: int = field(init=False)

    def __post_init__(self) -> None:
        self.count = len(self.records[0]) if self.records else 1


def notes(*records: str, size: int = 40) -> Channel:
    """An annotation channel; `|` stands for the byte 20 and ends with a zero."""
    blocks = [r.replace("|", "\x14").encode().ljust(size, b"\0") for r in records]
    return Channel("EDF Annotations", "", [np.frombuffer(b, "<i2").tolist() for b in blocks])


def edf(
    *channels: Channel, recording: str = FAROS, kind: str = "", duration: str = "1", announced: int | None = None
) -> bytes:
    count = len(channels[0].records) if channels else 0
    columns = (
        [(c.label, 16) for c in channels],
        [("", 80) for _ in channels],
        [(c.unit, 8) for c in channels],
        [(str((c.physical or c.digital)[0]), 8) for c in channels],
        [(str((c.physical or c.digital)[1]), 8) for c in channels],
        [(str(c.digital[0]), 8) for c in channels],
        [(str(c.digital[1]), 8) for c in channels],
        [("", 80) for _ in channels],
        [(str(c.count), 8) for c in channels],
        [("", 32) for _ in channels],
    )
    fixed = f"{'0':8}{'Anna Muster':80}{recording:80}12.10.1816.54.12{256 * (1 + len(channels)):<8}{kind:44}"
    fixed += f"{count if announced is None else announced:<8}{duration:8}{len(channels):<4}"
    head = fixed + "".join(f"{text:{width}}" for column in columns for text, width in column)
    body = b"".join(np.array(c.records[n], "<i2").tobytes() for n in range(count) for c in channels)
    return head.encode("latin-1") + body


def test_channels_get_the_field_s_units_and_the_header_s_zone(study: Study) -> None:
    ecg, acc = Channel("ECG", "uV", [[1500, -500]] * 3), Channel("Accelerometer_X", "mg", [[2000], [0], [-2000]])
    acc.digital, acc.physical = (-8000, 8000), (-4000.0, 4000.0)
    other = Channel("EEG Fpz-Cz", "uV", [[7]] * 3)
    recording = read("a.edf", edf(ecg, acc, other), study)
    found = {s.signal: (s.unit, s.rate_hz, s.start_us, s.samples.tolist()) for s in recording.segments}
    assert found == {
        "ecg": ("mV", 2.0, START, [1.5, -0.5] * 3),
        "acc_x": ("g", 1.0, START, [1.0, 0.0, -1.0]),
        "eeg": ("uV", 1.0, START, [7.0] * 3),
    }
    assert recording.facts == {"device": "Bittium Faros180", "serial": "1621280", "firmware": "3.5.1"}
    assert "Anna" not in str(recording)


def test_a_start_without_a_zone_is_on_the_participant_s_clock(study: Study) -> None:
    recording = read("a.edf", edf(Channel("ECG", "mV", [[1]]), recording="Startdate X X X X"), study)
    assert recording.segments[0].start_us == START


def test_saturated_ecg_is_left_out_and_splits(study: Study) -> None:
    records = [[0, 1, 32767, 32767], [2, 3, 4, 5], [-32768, 6, 7, 8]]
    recording = read("a.edf", edf(Channel("ECG", "mV", records)), study)
    parts = [(s.start_us - START, s.samples.tolist()) for s in recording.segments]
    assert parts == [(0, [0, 1]), (1_000_000, [2, 3, 4, 5]), (2_250_000, [6, 7, 8])]
    assert recording.remarks == ["ECG: 3 samples (0.75 s) saturated, left out"]


def test_faros_intervals_become_beats_whose_times_are_their_sums(study: Study) -> None:
    stamps = {1.0: 900, 1.8: 830, 2.6: 790, 3.4: 810, 9.0: 700, 9.8: 760}
    records = [[stamps.get(second + n / 5, 0) for n in range(5)] for second in range(10)]
    beats = read("a.edf", edf(Channel("HRV", "ms", records)), study).events[0]
    assert beats.value.tolist() == [900, 830, 790, 810, 700, 760]
    assert beats.valid.tolist() == [False, True, True, True, False, True]
    assert (np.diff(beats.time_us) / 1000).tolist()[:3] == [830, 790, 810]
    assert np.abs((beats.time_us - START) / 1e6 - list(stamps)).max() < 0.2


def test_annotations_and_marker_presses_become_tags_without_their_texts(study: Study) -> None:
    marker = Channel("Marker", "", [[0], [1], [1], [0], [0]])
    told = notes("+0||\0+4.25|Anna feels ill|\0", "+1||\0", "+2||\0", "+3||\0", "+4||\0")
    recording = read("a.edf", edf(marker, told, kind="EDF+C"), study)
    assert (recording.events[0].time_us - START).tolist() == [1_000_000, 4_250_000]
    assert "ill" not in str(recording)


def test_annotations_alone_are_a_recording(study: Study) -> None:
    recording = read("a.edf", edf(notes("+0||\0+60|x|\0"), kind="EDF+C", duration="0"), study)
    assert not recording.segments
    assert (recording.events[0].time_us - START).tolist() == [60_000_000]
    with pytest.raises(DumpError, match="nothing was recorded"):
        read("a.edf", edf(notes("+0||\0"), kind="EDF+C", duration="0"), study)
    with pytest.raises(DumpError, match="without signals and annotations"):
        read("a.edf", edf(), study)


def test_a_pause_between_records_is_a_gap(study: Study) -> None:
    ecg, told = Channel("ECG", "mV", [[1, 2], [3, 4], [5, 6]]), notes("+0.5||\0", "+1.5||\0", "+60||\0")
    parts = read("a.edf", edf(ecg, told, kind="EDF+D"), study).segments
    assert [(s.start_us - START, s.samples.tolist()) for s in parts] == [
        (500_000, [1, 2, 3, 4]),
        (60_000_000, [5, 6]),
    ]


def test_a_cut_file_keeps_its_whole_records_and_says_so(study: Study) -> None:
    data = edf(Channel("ECG", "mV", [[n] * 10 for n in range(5)]))
    recording = read("a.edf", data[:-30], study)
    assert signal(recording, "ecg").tolist() == [0.0] * 10 + [1.0] * 10 + [2.0] * 10
    assert recording.remarks == ["cut: 2 of 5 records are missing at its end"]
    with pytest.raises(DumpError, match="cut within its header"):
        read("a.edf", data[:400], study)


def test_a_file_still_being_written_says_minus_one_and_is_read(study: Study) -> None:
    recording = read("a.edf", edf(Channel("ECG", "mV", [[1]] * 4), announced=-1), study)
    assert len(signal(recording, "ecg")) == 4


@pytest.mark.parametrize(("at", "text"), [(244, b"0       "), (252, b"99x "), (236, b"many    "), (256 + 216, b"x")])
def test_a_damaged_header_is_refused_by_name(study: Study, at: int, text: bytes) -> None:
    data = bytearray(edf(Channel("ECG", "mV", [[1]])))
    data[at : at + len(text)] = text
    with pytest.raises(DumpError, match="EDF header is damaged"):
        read("a.edf", bytes(data), study)


@pytest.mark.real
def test_the_real_faros_recording_is_read(real_data: Path, study: Study) -> None:
    recording = read("t.EDF", (real_data / "other/faros/testfile_read.EDF").read_bytes(), study)
    assert len(signal(recording, "ecg")) == 39_000 - 26
    assert {len(signal(recording, f"acc_{a}")) for a in "xyz"} == {1950}
    norm = np.sqrt(sum(signal(recording, f"acc_{a}") ** 2 for a in "xyz"))
    assert np.median(norm) == pytest.approx(1.0, abs=0.1)
    events = {e.kind: e for e in recording.events}
    assert len(events["beat"].time_us) == 20
    assert (events["tag"].time_us - START).tolist() == [72_000_000]
