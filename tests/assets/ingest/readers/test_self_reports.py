from datetime import UTC, datetime

import polars as pl
import pytest

from assets.errors import DumpError
from assets.study import Study
from tests.assets.ingest.makers import read


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp()) * 1_000_000


def table(
    text: str, study: Study, participant: str | None = None, name: str = "answers.csv"
) -> list[tuple[str, int, str, float]]:
    return list(read(name, text, study, participant).answers.sort("participant", "time_us", "item").iter_rows())


PLAIN = """participant,time,happy,anxious
P01,2026-01-31T09:15:00+01:00,71,12.5
P01,2026-01-31T14:00:00+01:00,,
P02,2026-01-31T09:20:00+01:00,40,9999
"""


def test_a_wide_table_becomes_one_answer_an_item(study: Study) -> None:
    assert table(PLAIN, study) == [
        ("P01", us("2026-01-31T08:15:00Z"), "anxious", 12.5),
        ("P01", us("2026-01-31T08:15:00Z"), "happy", 71.0),
        ("P02", us("2026-01-31T08:20:00Z"), "happy", 40.0),
    ]


def test_missed_prompts_are_counted_not_remarked(study: Study) -> None:
    recording = read("answers.csv", PLAIN, study, None)
    assert recording.facts == {"device": "self-reports", "prompts": 3, "answers": 3}
    assert not recording.remarks


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace("\n", "\r\n"),
        '"participant;time;happy;anxious"\n' + "\n".join(PLAIN.replace(",", ";").splitlines()[1:]),
        "sep=;\n" + PLAIN.replace(",", ";"),
        PLAIN.replace("participant", "Subject ID").replace("time", "Date/Time ").replace("Date/Time ", "timestamp"),
        PLAIN.replace("happy", "Happy ").replace("anxious", '"ANXIOUS"'),
        "participant,time,happy,anxious\n" + "".join(f"{n},{line}\n" for n, line in enumerate(PLAIN.splitlines()[1:])),
        "".join(line + ",\n" for line in PLAIN.splitlines()),
    ],
    ids=["bom", "semicolon", "tab", "crlf", "half-quoted", "sep", "names", "case", "header short", "trailing"],
)
def test_the_forms_that_exports_take_read_the_same(study: Study, text: str) -> None:
    assert table(text, study) == table(PLAIN, study)


def test_old_encodings_are_read(study: Study) -> None:
    text = PLAIN.replace("anxious", "größe")
    for encoding in ("cp1252", "utf-16"):
        found = read("a.csv", text.encode(encoding), study, None)
        assert found.remarks == ["columns that are no item of the study: größe"]


def test_unknown_columns_and_values_outside_the_scale_are_never_dropped_silently(study: Study) -> None:
    text = "time,happy,hapy\n2026-01-31T09:15Z,150,3\n2026-01-31T10:15Z,7,3\n2026-01-31T11:15Z,good,3\n"
    recording = read("a.csv", text, study, "P01")
    assert recording.answers["value"].to_list() == [7.0]
    assert recording.remarks == [
        "columns that are no item of the study: hapy",
        "1 values of happy are no numbers, left out",
        "1 values of happy lie outside 0–100, left out",
    ]


def test_a_table_in_a_participants_folder_needs_no_participant_column(study: Study) -> None:
    text = "time,happy\n2026-01-31 09:15,50\n"
    assert table(text, study, "P07") == [("P07", us("2026-01-31T08:15:00Z"), "happy", 50.0)]
    with pytest.raises(DumpError, match="has no participant column"):
        table(text, study, None)


def test_rows_of_somebody_else_are_left_out_and_said(study: Study) -> None:
    recording = read("a.csv", PLAIN, study, "P02")
    assert recording.answers["participant"].unique().to_list() == ["P02"]
    assert "2 rows name another participant than their folder, left out" in recording.remarks


def test_names_instead_of_codes_are_refused(study: Study) -> None:
    text = "participant,time,happy\nAnna Müller,2026-01-31T09:15:00Z,1\nP01,2026-01-31T09:15:00Z,2\n"
    recording = read("a.csv", text, study, None)
    assert recording.answers["participant"].to_list() == ["P01"]
    assert any("1 rows have no study code" in r for r in recording.remarks)


def test_several_offsets_and_zone_names_in_one_column_are_each_meant_as_written(study: Study) -> None:
    text = (
        "time,happy\n2026-07-01T09:00:00+02:00,1\n2026-07-01T09:30:00+03:00,2\n2026-07-01 09:45:00 CEST,3\n"
        "2026-07-01 10:05:00 MSK,4\n2026-07-01 09:50,5\n"
    )
    found = {value: time for _, time, _, value in table(text, study, "P01")}
    assert [found[v] for v in (1.0, 2.0, 3.0, 4.0, 5.0)] == [
        us("2026-07-01T07:00:00Z"), us("2026-07-01T06:30:00Z"), us("2026-07-01T07:45:00Z"),
        us("2026-07-01T07:05:00Z"), us("2026-07-01T07:50:00Z"),
    ]  # fmt: skip


def test_a_zone_column_and_a_date_and_clock_pair_are_understood(study: Study) -> None:
    text = "date,time,timezone,happy\n2026-07-01,09:00,America/New_York,1\n2026-07-01,10:00,,2\n"
    assert [(t, v) for _, t, _, v in table(text, study, "P01")] == [
        (us("2026-07-01T08:00:00Z"), 2.0),
        (us("2026-07-01T13:00:00Z"), 1.0),
    ]


@pytest.mark.parametrize("zone", ["IST", "CST", "7200", "-18000", "-14400", "-300", "+330", "Foo/Bar"])
def test_a_row_whose_zone_cannot_be_read_is_left_out_and_said(study: Study, zone: str) -> None:
    rows = f"2026-07-01 09:00,{zone},1\n2026-07-01 10:00,-05:00,2\n2026-07-01 11:00,NA,3\n"
    recording = read("a.csv", f"time,timezone,happy\n{rows}", study, "P01")
    found = {value: time for _, time, _, value in recording.answers.iter_rows()}
    assert found == {2.0: us("2026-07-01T15:00:00Z"), 3.0: us("2026-07-01T09:00:00Z")}
    assert recording.remarks == [f"1 answers have no readable time (such as '2026-07-01 09:00 {zone}'), left out"]


def test_answering_counts_rather_than_being_asked(study: Study) -> None:
    text = "participant,timeNotification,timeCompleted,happy\nP01,1769850000,1769850900,5\n"
    assert table(text, study) == [("P01", us("2026-01-31T09:15:00Z"), "happy", 5.0)]


def test_a_prompt_answered_twice_counts_once_as_last_given(study: Study) -> None:
    text = (
        "time,happy\n2026-01-31T09:15:00Z,1\n2026-01-31T09:15:00Z,2\n2026-01-31T10:15:00Z,3\n2026-01-31T10:15:00Z,3\n"
    )
    recording = read("a.csv", text, study, "P01")
    assert recording.answers.sort("time_us")["value"].to_list() == [2.0, 3.0]
    assert recording.remarks == ["2 answers given twice, 1 of them differently: the last one counts"]


def test_answers_in_the_repeated_hour_keep_their_order(study: Study) -> None:
    clocks = ("01:30", "02:30", "02:45", "02:30", "03:30")
    text = "time,happy\n" + "".join(f"2026-10-25 {clock},{n}\n" for n, clock in enumerate(clocks))
    times = {v: t for _, t, _, v in table(text, study, "P01")}
    assert [times[float(n)] for n in range(5)] == [
        us("2026-10-24T23:30:00Z"), us("2026-10-25T00:30:00Z"), us("2026-10-25T00:45:00Z"),
        us("2026-10-25T01:30:00Z"), us("2026-10-25T02:30:00Z"),
    ]  # fmt: skip


def test_two_items_of_one_prompt_in_the_repeated_hour_stay_together(study: Study) -> None:
    rows = "".join(f"P01,2026-10-25 {t},{i},5\n" for t in ("02:30", "02:45", "02:30") for i in ("happy", "anxious"))
    times = [t for _, t, _, _ in table(f"participant,time,item,value\n{rows}", study)]
    assert times == [us(f"2026-10-25T{t}:00Z") for t in ("00:30", "00:30", "00:45", "00:45", "01:30", "01:30")]


def test_a_table_without_an_item_of_the_study_says_what_both_have(study: Study) -> None:
    with pytest.raises(DumpError, match=r"it has participant, time, joy; the study has vigorous, gloomy"):
        table("participant,time,joy\nP01,2026-01-31T09:15:00Z,1\n", study)


def test_a_table_without_times_says_that_it_needs_them(study: Study) -> None:
    with pytest.raises(DumpError, match="a table without a column of times"):
        table("participant,dayno,happy\nP01,1,1\n", study)
    with pytest.raises(DumpError, match=r"answers have no readable time \(such as '03/04/2026 09:00'\)"):
        table("time,happy\n03/04/2026 09:00,1\n", study, "P01")


def test_answers_have_their_declared_types(study: Study) -> None:
    assert read("a.csv", PLAIN, study, None).answers.schema == {
        "participant": pl.String(), "time_us": pl.Int64(), "item": pl.String(), "value": pl.Float64(),
    }  # fmt: skip


UNFIT = "rows do not fit the header (fields too many, a quote that is never closed, or cut off), left out"
DAYS = [f'2026-01-{day:02d}T09:15:00Z,fine,{day},"50"' for day in range(1, 31)]


def _noted(rows: list[str], study: Study) -> tuple[list[float], list[str]]:
    recording = read("a.csv", "\n".join(["time,note,happy,anxious", *rows, ""]), study, "P01")
    happy = recording.answers.filter(pl.col("item") == "happy").sort("time_us")["value"].to_list()
    return happy, [r for r in recording.remarks if not r.startswith("columns")]


@pytest.mark.parametrize("quoted", ['"50"', "50"])
@pytest.mark.parametrize("later", ["fine", 'bad"', 'said "hi"', '"also open'])
def test_a_quote_that_is_never_closed_costs_its_own_line_only(study: Study, later: str, quoted: str) -> None:
    rows = [row.replace('"50"', quoted) for row in DAYS]
    rows[9] = rows[9].replace("fine", '"so lala')
    rows[19] = rows[19].replace("fine", later)
    lost = {10.0, 20.0} if later == '"also open' else {10.0}
    happy, said = _noted(rows, study)
    assert happy == [float(day) for day in range(1, 31) if day not in lost]
    assert said == [f"{len(lost)} {UNFIT}"]


def test_a_quoted_text_may_run_over_lines_and_hold_separators(study: Study) -> None:
    rows = list(DAYS)
    rows[9] = rows[9].replace("fine", '"tired, but\nnot ""sad""\n1, 2, 3, 4"')
    rows[29] = rows[29].replace("fine", '"the\nend"')
    assert _noted(rows, study) == ([float(day) for day in range(1, 31)], [])


def test_a_row_that_the_end_of_the_file_cuts_is_left_out_and_said(study: Study) -> None:
    text = "time,happy,anxious\n2026-01-31T09:15:00Z,55,66\n2026-01-31T12:15:00Z,7"
    recording = read("a.csv", text, study, "P01")
    assert recording.answers["value"].to_list() == [66.0, 55.0]
    assert recording.remarks == [f"1 {UNFIT}"]
    assert not read("a.csv", f"{text},8", study, "P01").remarks
    assert not read("a.csv", f"{text}\n", study, "P01").remarks
