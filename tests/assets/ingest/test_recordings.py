import multiprocessing
import os
from collections import Counter
from datetime import date as Date
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assets.days import Calendar
from assets.ingest import catalogue as catalogue_module
from assets.ingest.catalogue import catalogue, forget
from assets.ingest.day import faults, frames
from assets.ingest.entries import load
from assets.ingest.recording import Clip, Recording, Segment
from assets.ingest.recordings import RECORDINGS, tidy_recordings, wanted_recordings
from assets.lake import Key, Lake
from assets.study import Home, Study
from assets.tables import EVENTS, SELF_REPORTS, SIGNALS, VOICE_CLIPS
from assets.units import Report, run_unit
from tests.assets.ingest.makers import e4_files, put, sound, unguarded, zipped


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_module, "isolated", unguarded)
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")


def ingest(home: Home, study: Study) -> Report:
    catalogue(home, study, quiet=True)
    tidy_recordings(home, study)
    report = run_unit(RECORDINGS, home, study, wanted_recordings(home, study), quiet=True)
    assert not report.failed
    return report


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def total(home: Home, name: str) -> int:
    frame = Lake(home.lake).read_all(SIGNALS).filter(signal=name)
    return int(frame["samples"].list.len().sum())


def test_a_session_across_midnight_is_cut_exactly_there(home: Home, study: Study) -> None:
    start = epoch("2026-01-31T23:59:50+01:00")
    put(home.inbox / "P01/e4", e4_files(start))
    ingest(home, study)
    lake = Lake(home.lake)
    first = lake.read(SIGNALS, Key("P01", Date(2026, 1, 31))).filter(signal="bvp")
    second = lake.read(SIGNALS, Key("P01", Date(2026, 2, 1))).filter(signal="bvp")
    assert first["samples"].list.len().to_list() == [640]
    assert second["samples"].list.len().to_list() == [640]
    assert second["start_us"].to_list() == [(start + 10) * 1_000_000]
    whole = np.concatenate([first["samples"][0].to_numpy(), second["samples"][0].to_numpy()])
    expected = np.round(10 * np.sin(np.arange(1280) / 10), 2)
    np.testing.assert_allclose(whole, expected, atol=0.006)


@pytest.mark.parametrize(("day", "hours"), [(Date(2026, 3, 29), 23), (Date(2026, 10, 25), 25), (Date(2026, 6, 1), 24)])
def test_days_of_clock_changes_hold_their_23_or_25_hours(study: Study, day: Date, hours: int) -> None:
    calendar = Calendar.of(study, "P01")
    span = calendar.span_us(day)
    segment = Segment("eda", "µS", span[0] - 3_600_000_000, 4.0, np.zeros(30 * 3600 * 4, np.float32))
    made = frames([("x", Recording([segment]))], span)
    assert made[SIGNALS]["samples"].list.len().to_list() == [hours * 3600 * 4]
    before = frames([("x", Recording([segment]))], calendar.span_us(day - timedelta(days=1)))
    after = frames([("x", Recording([segment]))], calendar.span_us(day + timedelta(days=1)))
    lengths = [m[SIGNALS]["samples"].list.len().sum() for m in (before, made, after)]
    assert sum(lengths) == len(segment.samples)


def test_the_repeated_hour_holds_two_answers_and_a_session_without_a_seam(home: Home) -> None:
    london = Study.model_validate({"study": {"timezone": "Europe/London"}, "items": {"happy": {}}})
    put(home.inbox / "P01/e4", e4_files(epoch("2025-10-26T00:59:50+00:00")))  # 01:59:50 to 01:00:10 on the clock
    local = ("2025-10-26 01:30,10", "2025-10-26 01:45,15", "2025-10-26 01:30,20")
    put(home.inbox / "P01/local.csv", "time,happy\n" + "\n".join(local))
    put(home.inbox / "P01/offset.csv", "time,happy\n2025-10-26T01:30:00+01:00,30\n2025-10-27 00:10,40\n")
    ingest(home, london)
    lake, day = Lake(home.lake), Key("P01", Date(2025, 10, 26))
    half_past = epoch("2025-10-26T00:30:00+00:00") * 1_000_000
    answers = lake.read(SELF_REPORTS, day).sort("time_us", "value")
    assert set(answers["time_us"]) == {half_past, half_past + 900_000_000, half_past + 3_600_000_000}
    assert answers.filter(pl.col("time_us") > half_past)["value"].to_list() == [15.0, 20.0]
    assert lake.read(SELF_REPORTS, Key("P01", Date(2025, 10, 27)))["value"].to_list() == [40.0]
    signals = lake.read(SIGNALS, day).filter(signal="bvp")
    assert signals["samples"].list.len().to_list() == [20 * 64]


def test_days_follow_a_participant_who_travels(home: Home, study: Study) -> None:
    moved = {"P01": {"zones": [{"start": "2026-02-01", "timezone": "America/New_York"}]}}
    travelled = Study.model_validate(study.model_dump() | {"participants": moved})
    put(home.inbox / "P01/e4", e4_files(epoch("2026-02-02T23:59:55-05:00")))
    put(home.inbox / "P02/e4", e4_files(epoch("2026-02-02T23:59:56-05:00")))
    ingest(home, travelled)
    keys = [(k.participant, str(k.date)) for k in Lake(home.lake).keys(SIGNALS)]
    assert keys == [("P01", "2026-02-02"), ("P01", "2026-02-03"), ("P02", "2026-02-03")]


def test_a_dump_seen_twice_leaves_the_lake_as_it_was(home: Home, study: Study) -> None:
    put(home.inbox / "P01/a.zip", zipped(e4_files()), age_s=7200)
    ingest(home, study)
    before = tree(home.lake / "signals")
    put(home.inbox / "P01/again/e4", e4_files())
    assert ingest(home, study).computed == []
    assert tree(home.lake / "signals") == before


def test_overlapping_exports_stand_once_and_either_may_come_first(home: Home, study: Study, tmp_path: Path) -> None:
    start = epoch("2026-01-31T10:00:00+01:00")
    put(home.inbox / "P01/long", e4_files(start, seconds=60))
    put(home.inbox / "P01/short", e4_files(start, seconds=20))
    ingest(home, study)
    assert total(home, "bvp") == 64 * 60
    assert total(home, "eda") == 4 * 60
    assert Lake(home.lake).read_all(EVENTS).filter(kind="tag").height == 1
    other = Home(tmp_path / "other")
    put(other.inbox / "P01/a", e4_files(start, seconds=20))
    ingest(other, study)
    put(other.inbox / "P01/b", e4_files(start, seconds=60))
    ingest(other, study)
    assert tree(other.lake / "signals") == tree(home.lake / "signals")


def test_only_the_days_that_a_new_dump_touches_are_computed(home: Home, study: Study) -> None:
    for n in range(4):
        put(home.inbox / f"P01/day{n}", e4_files(epoch("2026-01-20T10:00:00Z") + n * 86_400))
    assert len(ingest(home, study).computed) == 4
    assert len(ingest(home, study).computed) == 0
    put(home.inbox / "P01/new", e4_files(epoch("2026-01-21T12:00:00Z")))
    report = ingest(home, study)
    assert [(k.participant, str(k.date)) for k in report.computed] == [("P01", "2026-01-21")]
    assert report.skipped == 3


def test_removing_a_dump_restores_exactly_the_days_it_touched(home: Home, study: Study) -> None:
    put(home.inbox / "P01/a", e4_files(epoch("2026-01-20T10:00:00Z")))
    ingest(home, study)
    before = {t: tree(home.lake / t) for t in ("signals", "events", "ledger")}
    put(home.inbox / "P01/b", e4_files(epoch("2026-01-20T23:00:00+01:00") - 10))
    put(home.inbox / "P01/c", e4_files(epoch("2026-01-22T10:00:00Z")))
    ingest(home, study)
    assert len(list(Lake(home.lake).keys(SIGNALS))) == 2
    for path in ("P01/b", "P01/c"):
        forget(home, next(e.dump for e in load(home) if e.path == path))
    ingest(home, study)
    assert {t: tree(home.lake / t) for t in before} == before


def test_clips_and_answers_arrive_on_their_days(home: Home, study: Study) -> None:
    put(home.inbox / "P01/voice/2026-01-31T23-30-00Z.wav", sound())
    put(
        home.inbox / "self_reports/a.csv",
        "participant,time,happy,anxious\nP01,2026-02-01T00:31:00+01:00,7,8\nP02,2026-01-30 12:00,1,\n",
    )
    ingest(home, study)
    lake = Lake(home.lake)
    assert lake.read(VOICE_CLIPS, Key("P01", Date(2026, 2, 1)))["duration_s"].to_list() == [1.0]
    answers = lake.read_all(SELF_REPORTS).select("participant", "date", "item", "value")
    assert sorted(answers.rows()) == [
        ("P01", Date(2026, 2, 1), "anxious", 8.0),
        ("P01", Date(2026, 2, 1), "happy", 7.0),
        ("P02", Date(2026, 1, 30), "happy", 1.0),
    ]
    assert lake.read_all(SELF_REPORTS)["dump"].unique().len() == 1


def test_the_same_answers_in_two_exports_stand_once(home: Home, study: Study) -> None:
    row = "P01,2026-01-30 12:00,{}\n"
    put(home.inbox / "self_reports/a.csv", "participant,time,happy\n" + row.format(1))
    put(home.inbox / "self_reports/b.csv", "participant,time,happy\n" + row.format(2) + "P01,2026-01-31 12:00,3\n")
    ingest(home, study)
    assert Lake(home.lake).read_all(SELF_REPORTS).sort("time_us")["value"].to_list() == [2.0, 3.0]


def test_two_clips_of_one_moment_leave_the_longer(study: Study) -> None:
    clips = [Recording(clips=[Clip(5, d, 0.5, 0.0, b"x")]) for d in (1.0, 2.0)]
    made = frames([("a", clips[1]), ("b", clips[0])], (0, 10))
    assert made[VOICE_CLIPS].select("duration_s", "dump").rows() == [(2.0, "a")]


def test_two_clips_of_one_minute_both_stand_and_a_copy_or_the_beginning_of_one_does_not() -> None:
    def clip(seconds: float, flac: bytes, reason: str | None = None) -> Recording:
        return Recording(clips=[Clip(60_000_000, seconds, 0.5, 0.0, flac, reason)])

    read = [
        ("a", clip(2.0, b"x")),
        ("b", clip(3.0, b"y")),
        ("c", clip(2.0, b"x")),
        ("d", clip(1.0, b"z", "truncated: …")),
    ]
    made = frames(read, (0, 100_000_000))[VOICE_CLIPS]
    assert made.select("duration_s", "flac").rows() == [(2.0, b"x"), (3.0, b"y")]


def test_equal_clips_of_two_times_each_stand_at_their_own(home: Home, study: Study) -> None:
    """Their bytes say nothing of when they were recorded; only their names do."""
    silence = sound(peak=0)
    for clock in ("101500", "151530"):
        put(home.inbox / f"P01/20260131_{clock}.wav", silence)
    put(home.inbox / "P01/copy/20260131_101500.wav", silence, age_s=60)
    ingest(home, study)
    assert Counter(e.state for e in load(home)) == {"read": 2, "duplicate": 1}
    clips = Lake(home.lake).read_all(VOICE_CLIPS)
    assert clips["time_us"].to_list() == [epoch(f"2026-01-31T{t}+01:00") * 1_000_000 for t in ("10:15:00", "15:15:30")]


def test_a_dump_that_changed_after_the_catalogue_fails_its_days_only(home: Home, study: Study) -> None:
    put(home.inbox / "P01/a", e4_files(epoch("2026-01-20T10:00:00Z")))
    put(home.inbox / "P02/a", e4_files(epoch("2026-01-20T11:00:00Z")))
    catalogue(home, study, quiet=True)
    put(home.inbox / "P01/a/EDA.csv", b"other")
    report = run_unit(RECORDINGS, home, study, wanted_recordings(home, study), quiet=True)
    assert [k.participant for k in report.failed] == ["P01"]
    assert [k.participant for k in report.computed] == ["P02"]
    assert "changed or vanished after it was catalogued" in next(iter(report.failed.values()))


def test_killed_between_parts_and_stamp_the_next_run_makes_the_same_lake(
    home: Home, study: Study, tmp_path: Path
) -> None:
    put(home.inbox / "P01/a", e4_files(epoch("2026-01-20T10:00:00Z")))
    ingest(home, study)
    whole = tree(home.lake)
    ledger = next((home.lake / "ledger").rglob("*.json"))
    ledger.unlink()
    next((home.lake / "signals").rglob("*.parquet")).write_bytes(b"half")
    assert len(ingest(home, study).computed) == 1
    assert tree(home.lake) == whole


def _ingest_slowly(home: Home, study: Study) -> None:
    ingest(home, study)


def test_killed_at_any_moment_the_next_run_makes_the_same_lake(home: Home, study: Study, tmp_path: Path) -> None:
    for n in range(3):
        put(home.inbox / f"P0{n}/a.zip", zipped(e4_files(epoch("2026-01-20T10:00:00Z") + n, seconds=60)))
    other = Home(tmp_path / "killed")
    put(other.inbox, {str(p.relative_to(home.inbox)): p.read_bytes() for p in home.inbox.rglob("*.zip")})
    for path in home.inbox.rglob("*.zip"):
        stat = path.stat()
        os.utime(other.inbox / path.relative_to(home.inbox), ns=(stat.st_atime_ns, stat.st_mtime_ns))
    ingest(home, study)
    context = multiprocessing.get_context("spawn")
    for seconds in (0.9, 1.6):
        process = context.Process(target=_ingest_slowly, args=(other, study))
        process.start()
        process.join(seconds)
        process.kill()
        process.join()
    ingest(other, study)
    Lake(other.lake).sweep()
    assert tree(other.lake) == tree(home.lake)


def test_faults_are_found(study: Study) -> None:
    frame = pl.DataFrame(
        {
            "signal": ["eda", "eda", "temp"],
            "unit": ["µS", "µS", "°C"],
            "start_us": [0, 5_000_000, -10_000_000],
            "rate_hz": [4.0, 4.0, 4.0],
            "samples": [[0.0] * 40, [0.0] * 4, [float("nan")]],
            "dump": ["a", "b", "a"],
        },
        schema=SIGNALS.empty().schema,
    )
    assert faults(frame, (0, 86_400_000_000)) == [
        "1 segments outside the day",
        "1 segments with samples that are no number",
        "1 segments overlapping the one before",
    ]
    assert faults(frame[:1], (0, 86_400_000_000)) == []
