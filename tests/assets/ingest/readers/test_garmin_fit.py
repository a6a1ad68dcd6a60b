from pathlib import Path

import numpy as np
import pytest

from assets.errors import DumpError
from assets.ingest.readers.base import Context
from assets.ingest.readers.garmin_fit import READER
from assets.ingest.recording import Events, Recording
from assets.study import Study
from tests.assets.ingest.makers import START, source
from tests.assets.ingest.readers.fit_files import clock, fit, message, packed

US = 1_000_000
FILE = message("file_id", (3, "u32z", 4711), (0, "enum", 4))


def _read(data: bytes, study: Study) -> Recording:
    dump = source("a.fit", data)
    assert READER.claims(dump)
    return READER.read(dump, Context(study, "P01"))


def _events(recording: Recording, kind: str) -> Events:
    return next(e for e in recording.events if e.kind == kind)


def _at(seconds: int) -> tuple[int, str, int]:
    return 253, "u32", clock(START + seconds)


def test_packed_beats_are_counted_on_from_their_anchor_through_the_roll_over_of_12_bits(study: Study) -> None:
    first = 1_000_000
    counts = first + np.cumsum([800, 900, 1000, 700, 850, 900, 1000, 950])
    anchor = message("hr", _at(0), (0, "u16", 16_384), (6, "u8", 70), (9, "u32", first))
    beats = message("hr", (6, "u8", [70] * 7 + [255]), (10, "byte", packed((counts & 0xFFF).tolist())))
    found = _events(_read(fit(FILE, anchor, beats), study), "beat")
    expected = START * US + US // 2 + np.r_[0, np.round((counts[:7] - first) * 1e6 / 1024)]
    assert found.time_us.tolist() == expected.astype(int).tolist()
    assert found.value[1:].tolist() == pytest.approx((np.diff(np.r_[first, counts[:7]]) / 1.024).tolist(), abs=0.001)
    assert found.valid.tolist() == [False] + [True] * 7


def test_each_chained_file_has_its_own_anchor(study: Study) -> None:
    def part(at: int, count: int) -> bytes:
        anchor = message("hr", _at(at), (6, "u8", 70), (9, "u32", count))
        return fit(
            FILE,
            anchor,
            message("hr", (6, "u8", [70, 70]), (10, "byte", packed([count + 1024 & 0xFFF, count + 2048 & 0xFFF]))),
        )

    found = _events(_read(part(0, 5000) + part(600, 9000), study), "beat")
    assert ((found.time_us - START * US) / US).tolist() == [0, 1, 2, 600, 601, 602]
    assert found.valid.tolist() == [False, True, True, False, True, True]


def test_intervals_without_times_end_before_the_next_message_that_has_one(study: Study) -> None:
    parts = [FILE, message("record", _at(0))]
    for second in range(1, 61):
        parts += [
            message("hrv", (0, "u16", [1000, 65535])),
            message("record", _at(second), (3, "u8", 60), (0, "u32", 7)),
        ]
    recording = _read(fit(*parts), study)
    beats = _events(recording, "beat")
    assert beats.time_us.tolist() == [(START + n) * US for n in range(1, 61)]
    assert beats.value.tolist() == [1000.0] * 60
    assert beats.valid.tolist() == [False] + [True] * 59
    rate = recording.segments[0]
    assert (rate.signal, rate.unit, rate.rate_hz, rate.start_us, len(rate.samples)) == (
        "hr",
        "bpm",
        1.0,
        (START + 1) * US,
        60,
    )
    assert {s.signal for s in recording.segments} == {"hr"}


def test_sixteen_bit_times_roll_over_and_steps_are_what_was_added(study: Study) -> None:
    before = clock(START)
    low = [(before + s) & 0xFFFF for s in (60, 40_000, 80_000)]
    parts = [FILE, message("monitoring_info", _at(0), (0, "u32", 86_400 * 9_000))]
    for stamp, total, rate in zip(low, (100, 250, 260), (61, 62, 63), strict=True):
        parts.append(message("monitoring", (26, "u16", stamp), (3, "u32", total), (5, "enum", 6), (27, "u8", rate)))
    recording = _read(fit(*parts), study)
    steps, rate = _events(recording, "steps"), _events(recording, "hr")
    assert ((steps.time_us - START * US) / US).tolist() == [60, 40_000, 80_000]
    assert steps.value.tolist() == [100.0, 150.0, 10.0]
    assert rate.value.tolist() == [61.0, 62.0, 63.0]


def test_stress_respiration_and_oxygen_keep_only_values_that_are_some(study: Study) -> None:
    data = fit(
        FILE,
        message("stress_level", (0, "s16", 30), (1, "u32", clock(START))),
        message("stress_level", (0, "s16", -2), (1, "u32", clock(START + 60))),
        message("respiration_rate", _at(5), (0, "s16", 1450)),
        message("spo2_data", _at(9), (0, "u8", 97)),
        message("spo2_data", _at(19), (0, "u8", 0)),
        message("hsa_stress_data", _at(300), (0, "u16", 60), (1, "s8", [20, -1, 22])),
    )
    recording = _read(data, study)
    stress = _events(recording, "stress")
    assert ((stress.time_us - START * US) / US).tolist() == [0, 300, 420]
    assert stress.value.tolist() == [30.0, 20.0, 22.0]
    assert _events(recording, "respiration").value.tolist() == [14.5]
    assert _events(recording, "spo2").value.tolist() == [97.0]


def test_beats_that_the_watch_is_unsure_of_and_gaps_are_not_valid(study: Study) -> None:
    sure, gap = 0x4000, 0x8000
    bits = [900 | sure, 910 | sure, 700, 905 | sure, 4000 | gap, 900 | sure, 915 | sure]
    beats = _events(_read(fit(FILE, message("raw_bbi", _at(0), (0, "u16", 250), (1, "u16", bits))), study), "beat")
    assert beats.value.tolist() == [900, 910, 700, 905, 900, 915]
    assert beats.valid.tolist() == [False, True, False, True, False, True]
    ends = np.cumsum([900, 910, 700, 905, 4900, 915]) + 250
    assert beats.time_us.tolist() == (START * US + ends * 1000).tolist()


def test_a_file_without_anything_of_the_person_is_refused_and_positions_are_not_read(study: Study) -> None:
    data = fit(FILE, message("record", _at(0), (0, "u32", 123_456), (5, "u32", 100)))
    with pytest.raises(DumpError, match="it holds only file_id, record .positions and distances are not read"):
        _read(data, study)


def test_what_stands_before_the_damage_is_kept_and_the_damage_said(study: Study) -> None:
    records = [message("record", _at(n), (3, "u8", 60 + n)) for n in range(20)]
    whole = fit(FILE, *records)
    cut = _read(whole[:-30], study)
    assert 15 <= sum(len(s.samples) for s in cut.segments) < 20
    assert any("ends early" in r for r in cut.remarks)
    assert _read(whole[:-1] + bytes([whole[-1] ^ 1]), study).remarks == [
        "a checksum does not fit: some of it may be damaged"
    ]
    assert any("damaged header" in r for r in _read(whole + b"\x0e\x10" + b"x" * 30, study).remarks)
    with pytest.raises(DumpError, match="damaged at its beginning"):
        _read(whole[:10] + b".FIT"[2:] + b"\0" * 4, study)


def test_a_chained_file_after_a_damaged_one_is_still_read_and_none_twice(study: Study) -> None:
    first, second, third = (
        fit(FILE, *(message("record", _at(start + n), (3, "u8", 60)) for n in range(20))) for start in (0, 100, 200)
    )
    recording = _read(first + b"\x0e\x10" + second[2:8] + b".FAT" + second[12:] + third, study)
    assert [(s.start_us // US - START, len(s.samples)) for s in recording.segments] == [(0, 20), (200, 20)]
    assert any("damaged header" in r for r in recording.remarks)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "beats", "first"),
    [("event_timestamp", 11_286, 1_497_360_715_510_986), ("sample_mulitple_header", 9_267, 1_527_405_714_399_902)],
)
def test_packed_beats_of_real_straps(real_data: Path, study: Study, name: str, beats: int, first: int) -> None:
    # Counts and times are those that Garmin's own SDK gives for these files.
    found = _events(_read((real_data / "other/fit" / f"{name}.fit").read_bytes(), study), "beat")
    assert len(found.time_us) == beats
    assert abs(int(found.time_us[0]) - first) <= 1
    assert found.valid.mean() > 0.999


@pytest.mark.real
def test_real_runs_walks_and_days(real_data: Path, study: Study) -> None:
    folder = real_data / "other/fit"
    walk = _events(_read((folder / "garmin-fenix-5-walk.fit").read_bytes(), study), "beat")
    assert (len(walk.value), round(float(walk.value.sum()))) == (55, 44_040)
    run = _events(_read((folder / "garmin-fenix-5-run.fit").read_bytes(), study), "beat")
    assert len(run.value) == 102
    steps = _events(_read((folder / "MonitoringFile.fit").read_bytes(), study), "steps")
    assert len(steps.value) == 79


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("activity-filecrc", "checksum does not fit"),
        ("activity-settings-corruptheader", "damaged header"),
        ("activity-settings-nodata", "ends early"),
        ("activity-unexpected-eof", "ends early"),
    ],
)
def test_real_broken_files_are_refused_for_what_they_lack(
    real_data: Path, study: Study, name: str, reason: str
) -> None:
    with pytest.raises(DumpError, match=f"positions and distances are not read.*{reason}"):
        _read((real_data / "other/fit" / f"{name}.fit").read_bytes(), study)
