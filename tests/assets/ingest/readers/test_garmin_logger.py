from pathlib import Path

import numpy as np
import pytest

from assets.errors import DumpError
from assets.ingest.readers.base import Context
from assets.ingest.readers.garmin_logger import READER
from assets.ingest.recording import Events, Recording
from assets.study import Study
from tests.assets.ingest.makers import source

NOON = 1_571_220_000_000_000  # 2019-10-16 12:00:00 +02:00


def _read(data: str | bytes, study: Study) -> Recording:
    dump = source("data.csv", data)
    assert READER.claims(dump)
    return READER.read(dump, Context(study, "P01"))


def _events(recording: Recording, kind: str) -> Events:
    return next(e for e in recording.events if e.kind == kind)


def test_each_type_becomes_its_own_series_and_codes_for_no_value_are_none(study: Study) -> None:
    recording = _read(
        "2019-10-16T12:00:00.000+02:00;STEPS;299.0\n"
        "2019-10-16T12:00:01.000+02:00;HEART_RATE_VARIABILITY;900.0\n"
        "2019-10-16T12:00:01.500+02:00;STRESS;-2.0\n"
        "2019-10-16T12:00:01.900+02:00;HEART_RATE_VARIABILITY;880.0\n"
        "2019-10-16T12:00:02.000+02:00;STRESS;7.0\n"
        "2019-10-16T12:00:02.000+02:00;HEART_RATE;68.0\n"
        "2019-10-16T12:00:02.100+02:00;ASCENT;0.0\n"
        "2019-10-16T12:10:00.000+02:00;STEPS;330.0\n"
        "2019-10-17T08:00:00.000+02:00;STEPS;12.0\n",
        study,
    )
    beats = _events(recording, "beat")
    assert beats.value.tolist() == [900.0, 880.0]
    assert (beats.time_us - NOON).tolist() == [1_000_000, 1_880_000]
    assert beats.valid.tolist() == [False, True]
    assert _events(recording, "stress").value.tolist() == [7.0]
    assert _events(recording, "hr").value.tolist() == [68.0]
    steps = _events(recording, "steps")
    assert steps.value.tolist() == [31.0, 12.0]
    assert steps.time_us.tolist() == [NOON + 600_000_000, NOON + 72_000_000_000]
    assert recording.remarks == ["STRESS: 1 of 2 say that there is no value", "not read: ASCENT"]


def test_acceleration_is_in_g_and_splits_where_samples_are_missing(study: Study) -> None:
    lines = [f"2019-10-16T12:00:{n * 40 // 1000:02d}.{n * 40 % 1000:03d}+02:00;-36;620;-824\n" for n in range(100)]
    del lines[50:53]
    parts = [s for s in _read("".join(lines), study).segments if s.signal == "acc_y"]
    assert [(s.start_us - NOON, len(s.samples), s.rate_hz) for s in parts] == [(0, 50, 25.0), (2_120_000, 47, 25.0)]
    assert parts[0].samples[0] == np.float32(0.62)


def test_times_without_an_offset_are_on_the_participants_clock_also_when_an_hour_comes_twice(study: Study) -> None:
    # Berlin leaves summer time on 2019-10-27 at 03:00, which is 02:00 again.
    clock = ["02:30:00", "02:50:00", "02:10:00", "02:40:00", "03:10:00"]
    found = _events(_read("".join(f"2019-10-27T{c}.000;HEART_RATE;60.0\r\n" for c in clock), study), "hr")
    hours = (found.time_us - 1_572_136_200_000_000) / 60e6  # minutes after 02:30 summer time
    assert hours.tolist() == [0.0, 20.0, 40.0, 70.0, 100.0]


def test_broken_lines_are_counted_and_left_out(study: Study) -> None:
    good = "2019-10-16T12:00:00.000+02:00;HEART_RATE;60.0\n" * 4
    recording = _read("garbage\n" + good + "2019-10-16T12:00:09.000+02:00;HEART_RATE;6x\n2019-10-16T12:0", study)
    assert recording.remarks == ["2 of 6 lines unreadable, left out"]
    with pytest.raises(DumpError, match="cut off"):
        READER.read(source("data.csv", "2019-10-16T12:00:00.000+02:00;HEART"), Context(study, "P01"))


@pytest.mark.real
def test_a_real_watch_over_two_days(real_data: Path, study: Study) -> None:
    recording = _read((real_data / "other/garmin/data.csv").read_bytes(), study)
    beats = _events(recording, "beat")
    assert len(beats.value) == 14_316
    assert (beats.time_us[-1] - beats.time_us[0]) / 3.6e9 == pytest.approx(46.5, abs=0.05)
    assert (np.diff(beats.time_us) > 0).all()
    gaps = np.diff(beats.time_us) / 1000 - beats.value[1:]
    assert np.abs(gaps[beats.valid[1:]]).max() < 1
    assert len(_events(recording, "stress").value) == 2_014
    moved = _read((real_data / "other/garmin/acc.csv").read_bytes(), study)
    acc = [s for s in moved.segments if s.signal == "acc_z"]
    assert sum(len(s.samples) for s in acc) == 9_999  # one line stands twice
    assert max(abs(s.rate_hz - 25) for s in acc if len(s.samples) > 50) < 0.5
