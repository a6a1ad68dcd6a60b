import numpy as np
import pytest

from assets.errors import DumpError
from assets.study import Study
from tests.assets.ingest.makers import read

START = 1_764_153_720_000  # ms, as the vendor writes it


def table(column: str, *values: str) -> str:
    rows = [f"timestamp_unix,timestamp_iso,participant_full_id,{column},missing_value_reason"]
    for n, value in enumerate(values):
        given, _, reason = value.partition("|")
        rows.append(f"{START + 60_000 * n},2025-11-26T10:{42 + n}:00Z,1-1-P77,{given},{reason}")
    return "\n".join(rows) + "\n"


def test_minutes_without_a_value_split_and_are_counted_by_reason(study: Study) -> None:
    text = table("eda_scl_usiemens", "0.5", "0.6", "|device_not_worn", "|device_not_worn", "0.7", "|low_signal_quality")
    recording = read("x_eda.csv", text, study)
    parts = [(s.signal, s.unit, (s.start_us - START * 1000) / 60e6, s.samples.tolist()) for s in recording.segments]
    assert parts == [
        ("eda_minute", "µS", 0, pytest.approx([0.5, 0.6])),
        ("eda_minute", "µS", 4, pytest.approx([0.7])),
    ]
    assert {s.rate_hz for s in recording.segments} == {1 / 60}
    assert recording.remarks == [
        "2 minutes without a value: device_not_worn",
        "1 minutes without a value: low_signal_quality",
    ]
    assert "P77" not in str(recording)


def test_words_of_activity_become_their_class(study: Study) -> None:
    recording = read("x.csv", table("activity_intensity", "sedentary", "LPA", "nonsense", "VPA"), study)
    assert np.concatenate([s.samples for s in recording.segments]).tolist() == [0, 1, 3]
    assert recording.remarks == ["activity_intensity: 1 values are no numbers"]


def test_a_day_never_worn_is_refused_with_its_reasons(study: Study) -> None:
    with pytest.raises(DumpError, match=r"no minute .* has a value \(3 minutes without a value: device_not_worn\)"):
        read("x.csv", table("pulse_rate_bpm", *["|device_not_worn"] * 3), study)
