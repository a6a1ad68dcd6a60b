from datetime import UTC, datetime

import pytest

from assets.days import Calendar
from assets.errors import DumpError
from assets.ingest.readers.base import Context
from assets.ingest.readers.numbers import micros
from assets.ingest.reading import coverage, read_dump
from assets.ingest.source import bytes_member, source_of
from assets.ingest.times import days_first, parse, to_us
from assets.study import Study

BERLIN = Calendar((), ("Europe/Berlin",))


def utc(text: str, calendar: Calendar = BERLIN, **more: object) -> str | None:
    moment = parse(text)
    if moment is None:
        return None
    us = to_us(moment, calendar, **more)  # type: ignore[arg-type]
    return datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S.%f").rstrip("0").rstrip(".")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T09:15:00+01:00", "2026-01-31 08:15:00"),
        ("2026-01-31T09:15:00Z", "2026-01-31 09:15:00"),
        ("2026-01-31 09:15", "2026-01-31 08:15:00"),
        ("2026/01/31 9:15:30.25", "2026-01-31 08:15:30.25"),
        ("2026-07-31 09:15:00 CEST", "2026-07-31 07:15:00"),
        ("2026-07-31 09:15:00 MSK", "2026-07-31 06:15:00"),
        ("2026-07-31 09:15:00 America/New_York", "2026-07-31 13:15:00"),
        ("2026-07-31T09:15:00+02:00[Europe/Berlin]", "2026-07-31 07:15:00"),
        ("2026-07-31T09:15:00 GMT+2", "2026-07-31 07:15:00"),
        ("31.01.2026 09:15", "2026-01-31 08:15:00"),
        ("31/01/2026, 09:15:10", "2026-01-31 08:15:10"),
        ("01/31/2026 9:15 PM", "2026-01-31 20:15:00"),
        ("2026-01-31 9:15:00\u202fAM", "2026-01-31 08:15:00"),
        ("20260131T091500Z", "2026-01-31 09:15:00"),
        ("20260131091500", "2026-01-31 08:15:00"),
        ("1769850900", "2026-01-31 09:15:00"),
        ("1769850900.5", "2026-01-31 09:15:00.5"),
        ("1769850900000", "2026-01-31 09:15:00"),
        ("1769850900000000", "2026-01-31 09:15:00"),
        ("1769850900000000000", "2026-01-31 09:15:00"),
        ("2026-01-31", "2026-01-30 23:00:00"),
        ("2026-01-31 09:15:00 IST", None),
        ("03/04/2026 09:15", None),
        ("2026-13-31 09:15", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times_as_people_and_phones_write_them(text: str, expected: str | None) -> None:
    assert utc(text) == expected


def test_the_rows_that_can_only_be_read_one_way_say_how_the_others_are_meant() -> None:
    assert days_first(["03/04/2026", "31/01/2026"]) is True
    assert days_first(["03/04/2026", "01/31/2026"]) is False
    assert days_first(["03/04/2026"]) is None


def test_in_the_repeated_hour_the_order_of_rows_decides() -> None:
    assert utc("2026-10-25 02:30") == "2026-10-25 00:30:00"
    later = to_us(datetime(2026, 10, 25, 0, 45, tzinfo=UTC), BERLIN)
    assert utc("2026-10-25 02:30", after_us=later) == "2026-10-25 01:30:00"
    assert utc("2026-10-25 02:45", after_us=later) == "2026-10-25 00:45:00"
    assert utc("2026-10-25 02:30 CET") == "2026-10-25 01:30:00"


def test_a_time_that_the_clock_change_skips_is_moved_on_by_it() -> None:
    assert utc("2026-03-29 02:30") == "2026-03-29 01:30:00"


def test_a_local_time_is_read_where_the_participant_is() -> None:
    study = Study.model_validate(
        {
            "study": {"timezone": "Europe/Berlin"},
            "items": {"happy": {}},
            "participants": {"P01": {"zones": [{"start": "2026-02-01", "timezone": "America/New_York"}]}},
        }
    )
    calendar = Calendar.of(study, "P01")
    assert utc("2026-01-31 09:00", calendar) == "2026-01-31 08:00:00"
    assert utc("2026-02-02 09:00", calendar) == "2026-02-02 14:00:00"


def test_a_daily_value_of_the_year_9999_is_refused_by_its_date(study: Study) -> None:
    table = "participant,date,steps\nP1,2026-03-01,5\nP1,9999-12-31,7\n"
    dump = source_of("daily_values/a.csv", [bytes_member("a.csv", table.encode())])
    reader, recording = read_dump(dump, Context(study, None))
    with pytest.raises(DumpError, match="9999-12-31"):
        coverage(reader, recording, Context(study, None), 1_800_000_000_000_000)


def test_seconds_beyond_any_calendar_are_no_time() -> None:
    with pytest.raises(DumpError, match="no time in seconds"):
        micros("999999999999999")
