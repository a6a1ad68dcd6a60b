import io
import zipfile

import numpy as np
import pytest

from assets.errors import DumpError
from assets.study import Study
from tests.assets.ingest.makers import START, e4_files, read, signal, zipped


def test_units_and_times_are_those_of_the_device(study: Study) -> None:
    recording = read("e4", e4_files(), study)
    units = {s.signal: (s.unit, s.rate_hz, s.start_us, len(s.samples)) for s in recording.segments}
    assert units["bvp"] == ("a.u.", 64.0, START * 1_000_000, 64 * 20)
    assert units["acc_z"] == ("g", 32.0, START * 1_000_000, 32 * 20)
    assert units["eda"] == ("µS", 4.0, START * 1_000_000, 80)
    assert units["temp"] == ("°C", 4.0, START * 1_000_000, 80)
    assert units["hr"] == ("bpm", 1.0, (START + 10) * 1_000_000, 10)
    assert signal(recording, "acc_z")[0] == 1.0
    assert signal(recording, "acc_x")[:3].tolist() == [-1 / 64, 0.0, 1 / 64]


def test_a_beat_is_valid_only_where_its_interval_reaches_back_to_the_beat_before(study: Study) -> None:
    beats = next(e for e in read("e4", e4_files(), study).events if e.kind == "beat")
    assert ((beats.time_us - START * 1_000_000) / 1e6).tolist() == [2.0, 2.890625, 6.0]
    assert beats.value.tolist() == [875.0, 890.625, 900.0]
    assert beats.valid.tolist() == [False, True, False]


@pytest.mark.parametrize("start", ["1644226061", "1644226061.00", "1644226061.000000", " 1644226061.0 "])
@pytest.mark.parametrize("rate", ["64", "64.000000"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_form_of_header_and_line_end_is_read(study: Study, start: str, rate: str, end: str) -> None:
    bvp = end.join([start, rate, "0", "-1.50", "2.25", ""]).encode()
    recording = read("e4", {**e4_files(), "BVP.csv": bvp}, study)
    assert signal(recording, "bvp").tolist() == [0.0, -1.5, 2.25]
    assert next(s for s in recording.segments if s.signal == "bvp").start_us == START * 1_000_000


def test_missing_and_empty_members_leave_the_others_alone(study: Study) -> None:
    files = e4_files() | {"IBI.csv": b"", "HR.csv": b""}
    del files["TEMP.csv"], files["tags.csv"]
    recording = read("e4", files, study)
    assert {s.signal for s in recording.segments} == {"acc_x", "acc_y", "acc_z", "bvp", "eda"}
    assert not recording.events
    assert list(recording.remarks) == ["TEMP missing", "HR, IBI 0 bytes"]


def test_renamed_members_an_inner_folder_and_mac_twins_are_one_session(study: Study) -> None:
    files = {n.replace(".csv", "_S01.csv"): d for n, d in e4_files().items()}
    twins = {f"__MACOSX/._{n}": b"\0\5\x16\7" for n in files}
    recording = read("s.zip", zipped({f"S01/{n}": d for n, d in files.items()} | twins), study)
    assert len(signal(recording, "bvp")) == 64 * 20
    assert {e.kind for e in recording.events} == {"beat", "tag"}


def test_a_broken_line_splits_the_signal_and_is_counted(study: Study) -> None:
    eda = b"1644226061.0\n4.0\n" + b"0.5\n" * 20 + b"0.\x00x5\n" + b"0.6\n" * 20
    recording = read("e4", {**e4_files(), "EDA.csv": eda}, study)
    parts = [s for s in recording.segments if s.signal == "eda"]
    assert [(len(s.samples), s.start_us - START * 1_000_000) for s in parts] == [(20, 0), (20, 21 * 250_000)]
    assert "EDA: 1 of 41 samples unreadable or impossible, left out" in recording.remarks


def test_the_last_line_of_a_cut_file_is_not_believed(study: Study) -> None:
    recording = read("e4", {**e4_files(), "TEMP.csv": b"1644226061\n4\n33.41\n33.41\n3"}, study)
    assert signal(recording, "temp").tolist() == pytest.approx([33.41, 33.41])


def test_streams_that_end_early_are_remarked_on(study: Study) -> None:
    files = e4_files(seconds=200)
    files["BVP.csv"] = files["BVP.csv"][:2000]
    assert any(r.startswith("ends early, perhaps cut: bvp 3 min") for r in read("e4", files, study).remarks)


def test_tags_of_another_clock_are_left_out_and_said(study: Study) -> None:
    tags = f"{START + 5}\n{START + 12 * 3600}\n{START + 3}\nnonsense\n".encode()
    recording = read("e4", {**e4_files(), "tags.csv": tags}, study)
    tag = next(e for e in recording.events if e.kind == "tag")
    assert tag.time_us.tolist() == [(START + 3) * 1_000_000, (START + 5) * 1_000_000]
    assert any("1 tags lie up to +12.0 h outside the session" in r for r in recording.remarks)
    assert "tags: 1 lines are no times, left out" in recording.remarks


def test_damaged_beats_or_tags_leave_the_rest_of_the_session_alone(study: Study) -> None:
    for stream, lost in (("IBI.csv", "beat"), ("tags.csv", "tag")):
        dump = zipped(e4_files())
        with zipfile.ZipFile(io.BytesIO(dump)) as archive:
            info = archive.getinfo(stream)
        at = dump.index(stream.encode()) + len(stream) + info.compress_size // 2
        recording = read("s.zip", dump[:at] + bytes([dump[at] ^ 0xFF]) + dump[at + 1 :], study)
        assert len(signal(recording, "bvp")) == 64 * 20
        assert {e.kind for e in recording.events} == {"beat", "tag"} - {lost}
        assert [r.split(":")[0] for r in recording.remarks] == [f"{stream.removesuffix('.csv')} left out"]


def test_ibi_without_rows_or_header_gives_no_beats(study: Study) -> None:
    for ibi in (b"", b"1644226061.000000, IBI", b"1644226061.000000, IBI\n", b"IBI\n1,2\n"):
        recording = read("e4", {**e4_files(), "IBI.csv": ibi}, study)
        assert [e.kind for e in recording.events] == ["tag"]


def test_a_session_without_a_sample_is_refused_with_its_reason(study: Study) -> None:
    files = dict.fromkeys(e4_files(), b"") | {"EDA.csv": b"1644226061.0\n", "BVP.csv": b"1644226061.0\n64\n"}
    with pytest.raises(DumpError, match=r"without a single sample .*EDA left out: its header ''"):
        read("e4", files, study)


def test_impossible_values_never_arrive(study: Study) -> None:
    eda = b"1644226061.0\n4.0\n0.5\n1e30\nnan\ninf\n0.7\n0.7\n" + b"0.7\n" * 40
    values = signal(read("e4", {**e4_files(), "EDA.csv": eda}, study), "eda")
    assert np.isfinite(values).all()
    assert values.max() == pytest.approx(0.7)
