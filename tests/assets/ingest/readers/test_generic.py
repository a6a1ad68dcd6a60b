import io
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from assets.errors import DumpError
from assets.ingest.fingerprints import read_with
from assets.ingest.readers.base import Context
from assets.ingest.reading import read_dump
from assets.ingest.recording import Recording
from assets.study import Study
from tests.assets.ingest.makers import read, source

START = 1_769_850_900_000  # 2026-01-31 09:15 UTC, ms


def mapped(**formats: Any) -> Study:
    return Study.model_validate({"study": {"timezone": "Europe/Berlin"}, "items": {"happy": {}}, "formats": formats})


MINE = {
    "time": "t", "unit": "ms",
    "signals": {"skin": {"name": "eda", "factor": 0.001}, "X": {"name": "acc_x", "factor": 1 / 9.80665}},
}  # fmt: skip


def rows(count: int = 40, *, skip: range = range(0)) -> str:
    lines = [f"{START + 250 * n},{500 + n},9.80665,word\n" for n in range(count) if n not in skip]
    return "t,skin,X,other\n" + "".join(lines)


def signal(recording: Recording, name: str) -> list[tuple[int, float, list[float]]]:
    return [(s.start_us // 1000 - START, s.rate_hz, s.samples.tolist()) for s in recording.segments if s.signal == name]


def test_a_few_lines_map_a_table(study: Study) -> None:
    with pytest.raises(DumpError):
        read("m.csv", rows(), study)
    recording = read("m.csv", rows(), mapped(mydevice=MINE))
    ((start, rate, eda),) = signal(recording, "eda")
    assert (start, rate) == (0, 4.0)
    assert eda[:2] == pytest.approx([0.5, 0.501])
    assert signal(recording, "acc_x")[0][2] == pytest.approx([1.0] * 40)
    assert {s.signal: s.unit for s in recording.segments} == {"eda": "µS", "acc_x": "g"}
    assert recording.facts == {"device": "mydevice"}


def test_gaps_and_cells_that_are_no_number_split_and_are_counted() -> None:
    text = rows(skip=range(10, 20)).replace(f"{START + 250 * 30},530,", f"{START + 250 * 30},bad,")
    recording = read("m.csv", text + "yesterday,1,1,x\n", mapped(mydevice=MINE))
    assert [(start, len(v)) for start, _, v in signal(recording, "eda")] == [(0, 10), (5000, 10), (7750, 9)]
    assert [(start, len(v)) for start, _, v in signal(recording, "acc_x")] == [(0, 10), (5000, 20)]
    assert recording.remarks == ["1 rows have no readable t, left out", "skin: 1 cells are no numbers, left out"]


def test_parquet_and_csv_are_the_same() -> None:
    frame = pl.read_csv(io.StringIO(rows()))
    sink = io.BytesIO()
    frame.with_columns(pl.from_epoch("t", time_unit="ms").dt.replace_time_zone("UTC")).write_parquet(sink)
    theirs = read("m.parquet", sink.getvalue(), mapped(mydevice={**MINE, "unit": "iso"}))
    ours = read("m.csv", rows(), mapped(mydevice=MINE))
    for a, b in zip(theirs.segments, ours.segments, strict=True):
        assert (a.signal, a.unit, a.start_us, a.rate_hz) == (b.signal, b.unit, b.start_us, b.rate_hz)
        assert np.array_equal(a.samples, b.samples)
    damaged = bytearray(sink.getvalue())
    damaged[10:60] = bytes(50)
    with pytest.raises(DumpError, match="Parquet file is cut"):
        read("m.parquet", bytes(damaged), mapped(mydevice={**MINE, "unit": "iso"}))


def test_written_times_have_the_format_s_zone_a_decimal_comma_and_lines_above_the_header() -> None:
    form = {
        "time": "when", "zone": "America/New_York", "decimal": ",", "skip_lines": 2, "signals": {"°C": "temp"},
    }  # fmt: skip
    text = "My device\nfirmware 3\nwhen;°C\n2026-01-31 04:15:00;33,5\n2026-01-31 04:15:01;33,6\n"
    (temp,) = read("m.csv", text, mapped(thermo=form)).segments
    assert (temp.signal, temp.unit, temp.start_us, temp.rate_hz) == ("temp", "°C", START * 1000, 1.0)
    assert temp.samples.tolist() == pytest.approx([33.5, 33.6])


def test_events_are_beats_tags_and_values_now_and_then() -> None:
    form = {"time": "t", "unit": "s", "events": {"rr": "beat", "button": "tag", "pulse": "hr"}}
    t = START // 1000
    text = f"t,rr,button,pulse\n{t},800,0,60\n{t + 0.8:.1f},800,1,\n{t + 1.6:.1f},800,,61\n"
    events = {e.kind: e for e in read("m.csv", text, mapped(mine=form)).events}
    assert events["beat"].value.tolist() == [800] * 3
    assert events["beat"].valid.tolist() == [False, True, True]
    assert (events["tag"].time_us // 1000 - START).tolist() == [800]
    assert events["hr"].value.tolist() == [60, 61]


def test_times_that_count_from_the_start_need_one() -> None:
    form = {**MINE, "relative": True}
    text = "t,skin,X\n0,500,0\n250,501,0\n500,502,0\n"
    assert signal(read("2026-01-31T09-15-00Z.csv", text, mapped(mine=form)), "eda")[0][0] == 0
    with pytest.raises(DumpError, match="nothing says when this table was recorded"):
        read("m.csv", text, mapped(mine=form))


def test_the_format_that_names_most_columns_reads_the_table() -> None:
    less = {"time": "t", "unit": "ms", "signals": {"skin": "eda"}}
    assert read("m.csv", rows(), mapped(a=less, b=MINE)).facts["device"] == "b"


def test_a_mapping_comes_before_a_guess_and_a_changed_one_reads_again() -> None:
    form = {"time": "time", "signals": {"happy": "mood"}}
    text = "time,happy\n2026-01-31T09:15:00Z,5\n2026-01-31T09:15:01Z,6\n"
    guessed, told = mapped(), mapped(mine=form)
    assert read_dump(source("m.csv", text), Context(guessed, "P01"))[0] == "self_reports"
    assert read_dump(source("m.csv", text), Context(told, "P01"))[0] == "generic"
    assert read_with(told, "P01", "generic") != read_with(mapped(mine={**form, "rate_hz": 1}), "P01", "generic")
    assert read_with(guessed, "P01", None) != read_with(told, "P01", None)


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"time": "t"}, "maps no column"),
        ({"time": "t", "signals": {"a": {"name": "eda", "unit": "nS"}}}, "eda is kept in µS"),
        ({"time": "t", "relative": True, "signals": {"a": "eda"}}, "set unit to"),
        ({"time": "t", "zone": "Mars/Base", "signals": {"a": "eda"}}, "no time zone"),
        ({"time": "t", "sginals": {"a": "eda"}}, "Extra inputs"),
    ],
)
def test_a_wrong_mapping_is_refused_when_the_study_is_read(form: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        mapped(mine=form)


def test_text_in_a_parquet_file_that_is_none_is_a_reason() -> None:
    sink = io.BytesIO()
    pl.DataFrame({"t": ["2026-01-31T09:15:00Z"] * 40, "EDA": [0.5] * 40, "Btn": [""] * 40}).write_parquet(
        sink, compression="uncompressed", use_pyarrow=True
    )
    broken = sink.getvalue().replace(b"2026-01", b"20\xff\xfe-01")
    study = mapped(mine={"time": "t", "signals": {"EDA": "eda"}})
    with pytest.raises(DumpError, match="cut or damaged"):
        read("m.parquet", broken, study)
