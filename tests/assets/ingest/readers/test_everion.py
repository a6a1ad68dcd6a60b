from pathlib import Path

import numpy as np
import pytest

from assets.errors import DumpError
from assets.study import Study
from tests.assets.ingest.makers import read, signal

START = 1_551_454_778
HEADER = "count,streamType,tag,time,values\n"


def rows(*found: tuple[int, int, int, int, str]) -> str:
    return HEADER + "".join(",".join(map(str, row)) + "\n" for row in found)


def test_signals_come_in_order_and_split_where_quality_is_0(study: Study) -> None:
    found = [(10 - n, 2, 6, START + 9 - n, f"{60.0 + n};{0.0 if n == 4 else 85.0}") for n in range(10)]
    recording = read("s.csv", rows(*found, (3, 2, 118, START + 2, "32.88"), (4, 2, 118, START + 3, "x")), study)
    parts = [(s.start_us // 1_000_000 - START, s.samples.tolist()) for s in recording.segments if s.signal == "hr"]
    assert parts == [(0, [69, 68, 67, 66, 65]), (6, [63, 62, 61, 60])]
    assert signal(recording, "temp").tolist() == pytest.approx([32.88])
    assert recording.remarks == ["1 lines are no rows, left out", "1 values of quality 0 left out"]


def test_means_of_minutes_do_not_mix_with_the_signals(study: Study) -> None:
    recording = read("a.csv", rows(*((n, 5, 6, START + 180 * n, "70.0;90.0") for n in range(4))), study)
    assert [(s.signal, s.rate_hz) for s in recording.segments] == [("hr_mean", pytest.approx(1 / 180))]


def test_a_missing_count_is_a_missing_beat(study: Study) -> None:
    beats = [(1, 800, 0), (2, 900, 1), (3, 850, 2), (5, 810, 4), (6, 790, 4)]
    recording = read("f.csv", rows(*((c, 4, 14, START + t, f"{rr}.0;11.0") for c, rr, t in beats)), study)
    found = recording.events[0]
    assert found.value.tolist() == [800, 900, 850, 810, 790]
    assert found.valid.tolist() == [False, True, True, False, True]
    assert (np.diff(found.time_us)[[0, 1, 3]] / 1000).tolist() == [900, 850, 790]


def test_raw_samples_of_one_second_keep_their_order_by_count(study: Study) -> None:
    found = [(100 + n, 16, 84, START + n // 51, f"{4096.0 * (n % 2)}") for n in reversed(range(102))]
    (acc,) = read("r.csv", rows(*found), study).segments
    assert (acc.signal, acc.unit, acc.rate_hz, acc.start_us) == ("acc_x", "g", 51.2, START * 1_000_000)
    assert acc.samples.tolist() == [0.0, 1.0] * 51


def test_a_log_of_events_is_refused_for_what_it_is(study: Study) -> None:
    with pytest.raises(DumpError, match="whose codes the vendor does not publish"):
        read("e.csv", rows((5622, 7, 1, START, "22.0")), study)
    with pytest.raises(DumpError, match="no row with a value"):
        read("e.csv", HEADER, study)


@pytest.mark.real
def test_every_real_file_is_read_or_refused_for_its_reason(real_data: Path, study: Study) -> None:
    seen = {}
    for path in sorted((real_data / "other/everion").glob("*.csv")):
        kind = path.name.split("CsvData_")[1].split("_EV")[0]
        try:
            recording = read(path.name, path.read_bytes(), study)
        except DumpError as error:
            seen[kind] = str(error)[:34]
        else:
            seen[kind] = {s.signal for s in recording.segments} | {e.kind for e in recording.events}
            if kind == "features":
                assert len(recording.events[0].time_us) == 347
                assert recording.events[0].valid.mean() > 0.95
            if kind == "sensor_data":
                norm = np.sqrt(sum(signal(recording, f"acc_{a}") ** 2 for a in "xyz"))
                assert np.median(norm) == pytest.approx(1.0, abs=0.1)
            if kind == "signals":
                assert 60 < np.median(signal(recording, "hr")) < 70
    assert seen["features"] == {"beat"}
    assert {"hr", "temp", "respiration_rate"} <= set(seen["signals"])
    assert {"hr_mean", "temp_mean"} <= set(seen["aggregates"])
    assert {"acc_x", "ppg_led1"} <= set(seen["sensor_data"])
    assert seen["everion_events"] == seen["analytics_events"] == seen["attributes_dailys"]
    assert seen["everion_events"] == "an Everion log of events or daily "
