"""What holds of any dump, any split of it, any clock and any way to write a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.days import Calendar
from assets.ingest.day import frames
from assets.ingest.readers.base import Context
from assets.ingest.readers.written_times import written_us
from assets.ingest.reading import read_dump
from assets.ingest.recording import Recording
from assets.ingest.source import bytes_member, source_of
from assets.ingest.times import parse, to_us
from assets.study import Study
from assets.tables import EVENTS, SIGNALS
from tests.assets.ingest.makers import START, e4_files, zipped

ZONES = (
    "Europe/Berlin", "Europe/London", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu",
    "Pacific/Apia", "Africa/Casablanca",
)  # fmt: skip
AUTUMNS = {
    "Europe/Berlin": ("2024-10-26", "2025-10-25"),
    "America/New_York": ("2024-11-02", "2025-11-01"),
    "Australia/Lord_Howe": ("2025-04-05", "2026-04-04"),
}
STUDY = Study.model_validate(
    {"study": {"timezone": "Europe/Berlin"}, "items": {name: {} for name in ("happy", "anxious", "tense")}}
)
SECONDS = 40
DAY = (START - 3600) * 1_000_000, (START + 3600) * 1_000_000


def read(name: str, data: bytes, owner: str | None = "P01") -> Recording:
    dump = source_of(f"{owner or 'self_reports'}/{name}", [bytes_member(name, data)])
    return read_dump(dump, Context(STUDY, owner))[1]


def cut(first: int, last: int) -> bytes:
    """Seconds `first` to `last` of a session, as the device would have written them."""
    files = {}
    for name, data in e4_files(seconds=SECONDS).items():
        lines = data.decode().splitlines()
        if name in {"info.txt", "IBI.csv", "tags.csv", "HR.csv"}:
            continue
        rate, columns = round(float(lines[1].split(",")[0])), len(lines[0].split(","))
        head = [", ".join([f"{START + first}.000000"] * columns), lines[1]]
        files[name] = "\n".join([*head, *lines[2 + first * rate : 2 + last * rate], ""]).encode()
    files["tags.csv"] = "".join(f"{START + s}.50\n" for s in range(first, last, 7) if s >= first).encode()
    return zipped(files)


def lake(*dumps: bytes) -> tuple[dict[str, list[tuple[int, float]]], list[int]]:
    """Every sample with its time, and the times of the tags, as the day's tables hold them."""
    made = frames([(str(n), read("s.zip", d)) for n, d in enumerate(dumps)], DAY)
    found: dict[str, list[tuple[int, float]]] = {}
    for signal, start, rate, samples in made[SIGNALS].select("signal", "start_us", "rate_hz", "samples").iter_rows():
        found.setdefault(signal, []).extend((start + round(n * 1e6 / rate), v) for n, v in enumerate(samples))
    return {s: sorted(v) for s, v in found.items()}, sorted(made[EVENTS].filter(kind="tag")["time_us"].to_list())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, SECONDS - 2), st.integers(2, SECONDS)), max_size=4), st.integers(0, 10))
def test_however_a_session_is_split_over_dumps_that_overlap_each_sample_stands_once(
    parts: list[tuple[int, int]], overlap: int
) -> None:
    borders = sorted({0, SECONDS, *(a for a, _ in parts)})
    dumps = [cut(max(a - overlap, 0), b) for a, b in pairwise(borders) if b - a]
    dumps += [cut(a, min(a + n, SECONDS)) for a, n in parts]
    assert lake(*dumps)[0] == lake(cut(0, SECONDS))[0]


@given(
    st.sampled_from(ZONES),
    st.lists(st.datetimes(datetime(2011, 1, 1), datetime(2037, 1, 1)), min_size=1, max_size=20),  # noqa: DTZ001
)
def test_a_time_with_its_offset_comes_back_to_the_microsecond(zone: str, moments: list[datetime]) -> None:
    told = [m.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)) for m in moments]
    texts = [t.isoformat(timespec="microseconds") for t in told]
    exact = [(t - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) for t in told]
    elsewhere = Calendar((), ("Asia/Tokyo",))
    assert [to_us(parse(t) or 0, elsewhere) for t in texts] == exact


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=40, deadline=None)
@given(start=st.datetimes(datetime(2019, 1, 1), datetime(2030, 1, 1)), step=st.integers(60, 900))  # noqa: DTZ001
def test_local_times_written_minutes_apart_come_back_through_any_clock_change(
    zone: str, start: datetime, step: int
) -> None:
    _comes_back(zone, start.replace(tzinfo=UTC), step, 200)


@pytest.mark.parametrize(("zone", "days"), AUTUMNS.items())
@pytest.mark.parametrize("minutes", [1, 5, 20])
@pytest.mark.parametrize("newest_first", [False, True])
def test_two_autumns_in_one_table_are_each_read_in_their_order(
    zone: str, days: tuple[str, str], minutes: int, *, newest_first: bool
) -> None:
    moments = []
    for day in days:
        noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        moments += [noon + timedelta(minutes=minutes * n) for n in range(24 * 60 // minutes)]
        assert moments[-1].astimezone(ZoneInfo(zone)).utcoffset() != noon.astimezone(ZoneInfo(zone)).utcoffset()
    moments = moments[::-1] if newest_first else moments
    texts = [m.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S") for m in moments]
    expected = [round(m.timestamp() * 1e6) for m in moments]
    assert written_us(pl.Series(texts), Calendar((), (zone,))).tolist() == expected


def _comes_back(zone: str, start: datetime, step: int, count: int) -> None:
    moments = [start.replace(microsecond=0) + timedelta(seconds=step * n) for n in range(count)]
    texts = [m.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M:%S") for m in moments]
    expected = [round(m.timestamp() * 1e6) for m in moments]
    calendar = Calendar((), (zone,))
    own = [m.astimezone(ZoneInfo(zone)) for m in moments]
    if own[0].utcoffset() == own[0].replace(fold=1 - own[0].fold).utcoffset():  # the first row is not in such an hour
        assert written_us(pl.Series(texts), calendar).tolist() == expected


CODES = ("", "NA", "9999", "-99", "missing")
ROWS = st.lists(
    st.tuples(st.sampled_from(["P01", "P02", "P03"]), st.integers(0, 500), *[st.integers(0, 100) | st.none()] * 3),
    unique_by=lambda r: (r[0], r[1]), min_size=2, max_size=12,
).filter(lambda rows: any(v is not None for r in rows for v in r[2:]))  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(ROWS, st.permutations(range(5)), st.data())
def test_a_table_of_answers_reads_the_same_in_any_order_of_columns_and_rows_and_with_any_missing_code(
    rows: list[tuple[str, int, int | None, int | None, int | None]], order: list[int], data: st.DataObject
) -> None:
    names = ["participant", "time", "happy", "anxious", "tense"]
    separator, end = data.draw(st.sampled_from([",", ";", "\t"])), data.draw(st.sampled_from(["\n", "\r\n"]))
    first = datetime(2026, 3, 28, tzinfo=UTC)
    lines = [names]
    for who, minutes, *values in data.draw(st.permutations(rows)):
        when = (first + timedelta(minutes=17 * minutes)).isoformat()
        lines.append([who, when, *(str(v) if v is not None else data.draw(st.sampled_from(CODES)) for v in values)])
    text = end.join(separator.join(line[n] for n in order) for line in lines) + end
    expected = sorted(
        (who, round((first + timedelta(minutes=17 * minutes)).timestamp() * 1e6), item, float(value))
        for who, minutes, *values in rows
        for item, value in zip(names[2:], values, strict=True)
        if value is not None
    )
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    assert sorted(read("a.csv", text.encode(encoding), None).answers.iter_rows()) == expected
