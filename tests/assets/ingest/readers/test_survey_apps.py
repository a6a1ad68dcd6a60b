import io
import json
from datetime import UTC, datetime

import openpyxl
import pytest

from assets.errors import DumpError
from assets.study import Item, Study
from tests.assets.ingest.makers import read

WHEN = "2026-01-31T09:15:00+00:00"
EPOCH = int(datetime.fromisoformat(WHEN).timestamp())
ANSWERED = [("P01", EPOCH * 1_000_000, "anxious", 12.0), ("P01", EPOCH * 1_000_000, "happy", 71.0)]

LOCAL = EPOCH + 3600  # m-Path's seconds are those of the participant's wall clock
MPATH = (
    "connectionId;alias;timeStampScheduled;timeStampSent;timeStampStart;timeStampStop;timeZoneOffset;deltaUTC;"
    f"happy_slider;anxious\n7;P01;{LOCAL - 900};{LOCAL - 900};{LOCAL - 60};{LOCAL};3600;0;71;12\n"
    f"7;P01;{LOCAL + 9000};{LOCAL + 9000};;;3600;0;;\n"
)
RADAR = (
    "key.projectId,key.userId,value.time,value.timeCompleted,value.name"
    + "".join(f",value.answers.{n}.questionId,value.answers.{n}.value,value.answers.{n}.startTime" for n in range(2))
    + f"\nx,P01,{EPOCH - 20}.5,{EPOCH}.0,ESM,happy,71,1,anxious,12,2\n"
)
RADAR_RECORD = {
    "key": {"userId": "P01"},
    "value": {
        "time": EPOCH - 20.0,
        "timeCompleted": float(EPOCH),
        "answers": [
            {"questionId": "happy", "value": {"int": 71}, "startTime": 1.0},
            {"questionId": "anxious", "value": {"string": "12"}},
        ],
    },
}
BEIWE_NAME = "2026-01-31 09_15_00+00_00.csv"
BEIWE = (
    "question id,question type,question text,question answer options,answer\na1,slider,happy,,71\na2,slider,anxious,,12"
)
WRITTEN = "2026-01-31 10:15:00"
REDCAP = (
    "record_id,redcap_event_name,mood_timestamp,happy,anxious,mood_complete\n"
    f"P01,day_1,{WRITTEN},71,12,2\nP01,day_2,[not completed],,,0\n"
)
LIMESURVEY = (
    '"id. Response ID","submitdate. Date submitted","token. Code","G01Q01[happy]. How?","anxious. How?"\n'
    f'"1","{WRITTEN}","P01","71","12"\n'
)
QUALTRICS = (
    "StartDate,EndDate,RecordedDate,ResponseId,ExternalReference,happy,anxious\nStart,End,Rec,Id,Ref,How,How\n"
    '"{""ImportId"":""startDate""}",x,x,x,x,x,x\n' + f"{WRITTEN},{WRITTEN},{WRITTEN},R_1,P01,71,12\n"
)


def esm(item: str, status: int, when: int, answer: str) -> str:
    told = json.dumps({"esm_title": item, "esm_type": 6}).replace('"', '""')
    return f'1,{EPOCH}000,P01,"{told}",{status},{when},{answer}\n'


AWARE = (
    "_id,timestamp,device_id,esm_json,esm_status,double_esm_user_answer_timestamp,esm_user_answer\n"
    + esm("Happy", 2, EPOCH * 1000, "71") + esm("anxious", 2, EPOCH * 1000, "12") + esm("gloomy", 1, 0, "")
)  # fmt: skip
AWARE_IOS = (
    "timestamp,device_id,esm_trigger,esm_title,esm_instructions,esm_status,double_esm_user_answer_timestamp,"
    f"esm_user_answer\n{EPOCH}000,P01,morning,Happy,How?,2,{EPOCH}000.0,71\n"
    f"{EPOCH}000,P01,morning,,anxious,2,{EPOCH}000.0,12\n{EPOCH}000,P01,morning,gloomy,,3,0.0,\n"
)
REDCAP_FORMS = (
    "record_id,redcap_event_name,morning_timestamp,happy,morning_complete,evening_timestamp,anxious,"
    f'evening_complete\nP01,day_1,"{WRITTEN}",71,2,"2026-01-31 21:15:00",12,2\n'
    'P01,day_2,,,0,"[not completed]",5,0\n'
)
LIMESURVEY_FULL = (
    '"Response ID","Date submitted","Access code","Date started","How are you? [happy]","anxious"\n'
    f'"1","{WRITTEN}","P01","2026-01-31 10:00:00","71","12"\n"2","","P01","{WRITTEN}","","N/A"\n'
)
RADAR_JAVA = RADAR.replace(f"{EPOCH - 20}.5", "1.7698508805E9").replace(f"{EPOCH}.0", "1.7698509E9")
DIALECTS = {
    "mpath.csv": MPATH, "radar.csv": RADAR, "radar.json": json.dumps([RADAR_RECORD]), "esms.csv": AWARE,
    BEIWE_NAME: BEIWE, "redcap.csv": REDCAP, "lime.csv": LIMESURVEY, "qualtrics.csv": QUALTRICS,
    "esms_ios.csv": AWARE_IOS, "redcap_forms.csv": REDCAP_FORMS, "lime_full.csv": LIMESURVEY_FULL,
    "radar_java.csv": RADAR_JAVA,
}  # fmt: skip


def rows(name: str, data: bytes | str, study: Study, participant: str | None = None) -> list[tuple[object, ...]]:
    return sorted(read(name, data, study, participant).answers.iter_rows())


def workbook(*sheets: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    for n, cells in enumerate(sheets):
        sheet = book.active if n == 0 else book.create_sheet()
        for row in cells:
            sheet.append(row)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def test_a_workbook_reads_as_its_csv_would(study: Study) -> None:
    local = datetime(2026, 1, 31, 10, 15)  # noqa: DTZ001 (Excel knows no zones)
    table = [["participant", "time", "happy", "anxious"], ["P01", local, 71, 12.0], ["P01", local, None, None]]
    assert rows("a.xlsx", workbook([["notes", "x"], ["a", "b"]], table), study) == ANSWERED
    with pytest.raises(DumpError, match="none of its columns holds times"):
        rows("a.xlsx", workbook([["score", "S01"], ["x", 3]]), study)
    with pytest.raises(DumpError, match="damaged"):
        rows("a.xlsx", workbook(table)[:-200], study)


def test_every_sheet_of_a_workbook_is_read_and_those_without_answers_are_named(study: Study) -> None:
    head, later = ["participant", "time", "happy"], "2026-02-07T09:15:00Z"
    first: list[list[object]] = [[*head], ["P01", WHEN, 71], ["P02", WHEN, 5]]
    second: list[list[object]] = [[*head], ["P01", later, 8], ["P01", WHEN, 9]]
    recording = read("a.xlsx", workbook(first, [["key", "text"], ["a", "b"]], second, []), study, None)
    assert recording.answers["value"].to_list() == [71, 8, 5]
    assert recording.facts == {"device": "self-reports", "prompts": 4, "answers": 3}
    assert recording.remarks == [
        "1 answers differ between sheets: the first sheet counts", "sheets without answers: Sheet1"
    ]  # fmt: skip


def test_what_is_left_out_of_one_of_several_sheets_names_it(study: Study) -> None:
    table: list[list[object]] = [["participant", "time", "happy"], ["P01", WHEN, 71], ["P02", WHEN, 500]]
    other: list[list[object]] = [["participant", "time", "happy"], ["P03", WHEN, 8]]
    assert read("a.xlsx", workbook(table, other), study, None).remarks == [
        "Sheet: 1 values of happy lie outside 0–100, left out"
    ]


def test_a_long_table_reads_as_a_wide_one(study: Study) -> None:
    text = f"participant,time,item,value\nP01,{WHEN},happy,71\nP01,{WHEN},anxious,12\nP01,{WHEN},weather,3\n"
    recording = read("a.csv", text, study, None)
    assert sorted(recording.answers.iter_rows()) == ANSWERED
    assert recording.remarks == ["questions that are no item of the study: weather"]


def test_aliases_name_what_exports_call_an_item(study: Study) -> None:
    items = {**study.items, "happy": Item(aliases=("How happy are you?", "q1"))}
    named = study.model_copy(update={"items": items})
    assert rows("a.csv", f"participant,time,How happy are you?\nP01,{WHEN},71\n", named) == ANSWERED[1:]
    assert rows("a.csv", f"participant,time,Q1\nP01,{WHEN},71\n", named) == ANSWERED[1:]


def test_mpath_seconds_are_those_of_the_local_clock(study: Study) -> None:
    assert rows("mpath.csv", MPATH, study) == ANSWERED


def test_radar_answers_are_read_from_csv_and_json(study: Study) -> None:
    told = json.dumps(RADAR_RECORD)
    assert rows("radar.csv", RADAR, study) == ANSWERED
    assert rows("radar.json", f"[{told}]", study) == ANSWERED
    assert rows("radar.json", f"{told}\n{told}\n", study) == ANSWERED


def test_aware_keeps_the_question_in_json(study: Study) -> None:
    assert rows("esms.csv", AWARE, study) == ANSWERED


def test_beiwe_times_stand_in_the_file_name(study: Study) -> None:
    assert rows(BEIWE_NAME, BEIWE, study, "P01") == ANSWERED
    with pytest.raises(DumpError, match=r"none of its columns holds times"):
        rows("answers.csv", BEIWE, study, "P01")


def test_redcap_limesurvey_and_qualtrics_exports_are_read(study: Study) -> None:
    assert rows("redcap.csv", REDCAP, study) == ANSWERED
    assert rows("lime.csv", LIMESURVEY, study) == ANSWERED
    assert rows("qualtrics.csv", QUALTRICS, study) == ANSWERED


def test_broken_json_says_so(study: Study) -> None:
    for text in ('[{"time": 1, "happy": ', '{"a": [[[', '[1, 2, "x"]', '{"a": "b"}'):
        with pytest.raises(DumpError):
            rows("a.json", text, study, "P01")


def test_one_empty_time_falls_back_to_the_next_column(study: Study) -> None:
    text = f"participant,completed,sent,happy\nP01,,{WHEN},71\n"
    assert rows("a.csv", text, study) == ANSWERED[1:]
    assert datetime.fromtimestamp(EPOCH, UTC).isoformat() == WHEN


def test_mpath_answers_lie_where_the_phone_was_and_a_list_of_choices_is_no_number(study: Study) -> None:
    named = study.model_copy(update={"items": {name: Item(low=0, high=10) for name in ("happy", "anxious", "gloomy")}})
    head = "alias;timeStampScheduled;timeStampStart;timeStampStop;timeZoneOffset;deltaUTC;happy_multipleChoice_index;"
    head += "happy_multipleChoice_string;happy_multipleChoice_likert;anxious_sliderNegPos;gloomy_multipleChoice_index\n"
    away = EPOCH + 7200  # the phone was an hour east of Berlin
    text = head + f'P01;{away - 90};{away - 60};{away};7200;-3;2;"""b""";7;3;"2,3"\n'
    recording = read("mpath.csv", text, named)
    assert sorted(recording.answers.iter_rows()) == [
        ("P01", EPOCH * 1_000_000, "anxious", 3.0),
        ("P01", EPOCH * 1_000_000, "happy", 7.0),
    ]
    assert "several columns mean happy: happy_multipleChoice_likert counts" in recording.remarks
    assert "1 values of gloomy are no numbers, left out" in recording.remarks
    unfinished = text.replace(f";{away};", ";0;")
    assert rows("mpath.csv", unfinished, named)[0][1] == (EPOCH - 60) * 1_000_000


def test_radar_times_as_java_writes_them_are_read(study: Study) -> None:
    assert rows("radar.csv", RADAR_JAVA, study) == ANSWERED


def test_aware_on_ios_names_the_question_in_columns(study: Study) -> None:
    assert rows("esms.csv", AWARE_IOS, study) == ANSWERED


def test_beiwe_s_log_of_taps_is_not_taken_for_answers(study: Study) -> None:
    skipped = BEIWE.replace(",,12", ",,NOT_PRESENTED").replace(",,71", ",,NO_ANSWER_SELECTED") + "\na3,slider,gloomy,,3"
    recording = read(BEIWE_NAME, skipped, study)
    assert [row[2:] for row in recording.answers.iter_rows()] == [("gloomy", 3.0)]
    assert not any("no numbers" in remark for remark in recording.remarks)
    taps = "timestamp,UTC time,question id,survey id,question type,question text,question answer options,answer,event\n"
    taps += f"{EPOCH}637,2026-01-31T09:15:00.637,a1,s,slider,happy,,71,changed\n"
    with pytest.raises(DumpError, match="log of every tap .* stand in survey_answers"):
        read("2026-01-31 09_00_00+00_00.csv", taps, study)


def test_redcap_forms_in_one_row_keep_their_own_times(study: Study) -> None:
    recording = read("redcap.csv", REDCAP_FORMS, study)
    assert sorted(recording.answers.iter_rows()) == [
        ("P01", EPOCH * 1_000_000, "happy", 71.0),
        ("P01", (EPOCH + 11 * 3600) * 1_000_000, "anxious", 12.0),
    ]
    assert any(remark.startswith("1 answers have no readable time") for remark in recording.remarks)
    untimed = REDCAP_FORMS.replace("evening_complete", "evening_complete,gloomy").replace("12,2", "12,2,33")
    again = read("redcap.csv", untimed.replace("5,0", "5,0,"), study)
    assert again.answers.equals(recording.answers)
    assert any(remark.startswith("2 answers have no readable time") for remark in again.remarks)


def test_of_two_columns_the_one_called_as_the_item_counts(study: Study) -> None:
    text = f"time,happy,happy_open\n{WHEN},71,a walk\n2026-01-31T10:15:00+00:00,,rain\n"
    recording = read("a.csv", text, study)
    assert recording.answers["value"].to_list() == [71.0]
    assert "several columns mean happy: happy counts" in recording.remarks


def test_limesurvey_s_headings_in_full_are_known(study: Study) -> None:
    assert rows("lime.csv", LIMESURVEY_FULL, study) == ANSWERED
