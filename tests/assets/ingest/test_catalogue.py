import multiprocessing
import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from assets.errors import DumpError, InboxError
from assets.ingest import catalogue as under_test
from assets.ingest.catalogue import catalogue, forget, remember, uncatalogued
from assets.ingest.entries import Entry, load
from assets.ingest.recordings import RECORDINGS, wanted_recordings
from assets.lake import Lake
from assets.study import Home, Study
from assets.tables import DUMPS
from assets.units import run_unit
from tests.assets.ingest.makers import START, e4_files, put, sound, unguarded, zipped


@pytest.fixture(autouse=True)
def in_this_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of these tests are about the book-keeping: they read here instead of in guarded workers."""
    if "guarded" not in request.node.name:
        monkeypatch.setattr(under_test, "isolated", unguarded)


HOLDS = "acc, bvp, eda, temp 20 s · hr 10 s · 3 beats · 1 tag"


def states(home: Home) -> dict[str, str]:
    return {e.path: e.state for e in load(home)}


def only(home: Home, path: str) -> Entry:
    return next(e for e in load(home) if e.path == path)


def catalogue_bytes(home: Home) -> bytes:
    return (home.lake / "dumps/part.parquet").read_bytes()


def test_the_catalogue_says_what_each_dump_covers(home: Home, study: Study) -> None:
    put(home.inbox / "P01/1644226061_A00123.zip", zipped(e4_files()))
    report = catalogue(home, study, quiet=True)
    entry = only(home, "P01/1644226061_A00123.zip")
    assert (entry.state, entry.reader, entry.reason, entry.participant) == ("read", "e4", None, "P01")
    assert entry.first_us == START * 1_000_000
    assert entry.last_us == START * 1_000_000 + 20_000_000 - 15_625
    assert [(t.participant, str(t.date), t.hours) for t in entry.touches] == [("P01", "2022-02-07", 0.006)]
    assert entry.facts == {"device": "Empatica E4", "serial": "A00123", "holds": HOLDS}
    assert {(str(k.participant), str(k.date)) for k in report.touched} == {("P01", "2022-02-07")}


def test_a_second_look_adds_nothing_and_writes_nothing(home: Home, study: Study) -> None:
    put(home.inbox / "P01/e4", e4_files())
    put(home.inbox / "P01/bad.zip", b"PK\3\4 broken")
    assert uncatalogued(home, study=study) == ["P01/bad.zip", "P01/e4"]
    catalogue(home, study, quiet=True)
    before = (home.lake / "dumps/part.parquet").stat().st_mtime_ns
    assert uncatalogued(home, study=study) == []
    assert catalogue(home, study, quiet=True).idle
    assert (home.lake / "dumps/part.parquet").stat().st_mtime_ns == before


def test_a_broken_dump_is_quarantined_and_the_others_go_on_guarded(home: Home, study: Study) -> None:
    good = zipped(e4_files())
    put(home.inbox / "P01/good.zip", good)
    put(home.inbox / "P01/half.zip", good[: len(good) // 2])
    put(home.inbox / "P02/empty.wav", b"")
    put(home.inbox / "stray.csv", "time,happy\n")
    catalogue(home, study, quiet=True)
    assert states(home) == {
        "P01/good.zip": "read", "P01/half.zip": "quarantined", "P02/empty.wav": "quarantined",
        "stray.csv": "quarantined",
    }  # fmt: skip
    assert "damaged or unfinished zip" in str(only(home, "P01/half.zip").reason)
    assert "empty (0 bytes)" in str(only(home, "P02/empty.wav").reason)


def test_a_dump_seen_twice_adds_nothing(home: Home, study: Study) -> None:
    put(home.inbox / "P01/a.zip", zipped(e4_files()), age_s=7200)
    put(home.inbox / "P01/copy/e4", e4_files())
    put(home.inbox / "P02/wrong.zip", zipped(e4_files(), "inner/"))
    catalogue(home, study, quiet=True)
    assert states(home) == {"P01/a.zip": "read", "P01/copy/e4": "duplicate", "P02/wrong.zip": "duplicate"}
    assert only(home, "P01/copy/e4").reason == "same content as P01/a.zip"
    assert "of another participant" in str(only(home, "P02/wrong.zip").reason)
    assert len(wanted_recordings(home, study)) == 1


def test_equal_answers_of_two_times_are_two_dumps_and_forgetting_their_content_withdraws_both(
    home: Home, study: Study
) -> None:
    """Beiwe writes the time of a survey into the file's name alone."""
    same = (
        "question id,question type,question text,question answer options,answer\nq1,slider,happy,min = 0; max = 9,5\n"
    )
    first, second, copy = "P01/2026-01-30 09_00_00.csv", "P01/2026-01-31 09_00_00.csv", "P02/2026-01-31 09_00_00.csv"
    put(home.inbox / first, same)
    put(home.inbox / second, same)
    put(home.inbox / copy, same, age_s=60)
    catalogue(home, study, quiet=True)
    assert states(home) == {first: "read", second: "read", copy: "duplicate"}
    assert str(only(home, copy).reason).startswith(f"same content as {second}, of another participant")
    assert {str(key.date) for key in wanted_recordings(home, study)} == {"2026-01-30", "2026-01-31"}
    assert {e.path for e in forget(home, only(home, first).dump)} == {first, second, copy}
    remember(home, only(home, first).dump)
    catalogue(home, study, quiet=True)
    assert states(home) == {first: "read", second: "read", copy: "duplicate"}


def test_when_the_first_copy_goes_the_second_counts(home: Home, study: Study) -> None:
    put(home.inbox / "P01/a.zip", zipped(e4_files()), age_s=7200)
    put(home.inbox / "P01/b.zip", zipped(e4_files()))
    catalogue(home, study, quiet=True)
    wanted = wanted_recordings(home, study)
    (home.inbox / "P01/a.zip").unlink()
    catalogue(home, study, quiet=True)
    assert states(home) == {"P01/a.zip": "withdrawn", "P01/b.zip": "read"}
    assert only(home, "P01/a.zip").reason == "no longer in the inbox"
    assert wanted_recordings(home, study) == wanted


def test_an_unfinished_upload_replaced_by_the_whole_is_withdrawn(home: Home, study: Study) -> None:
    part = e4_files(seconds=10)
    put(home.inbox / "P01/a.zip", zipped(part))
    catalogue(home, study, quiet=True)
    put(home.inbox / "P01/a.zip", zipped(e4_files(seconds=30)), age_s=0)
    report = catalogue(home, study, quiet=True)
    assert sorted((e.state, e.reason) for e in load(home)) == [
        ("read", None),
        ("withdrawn", "replaced by other content at the same place"),
    ]
    assert len(report.touched) == 1


def test_a_dump_that_comes_back_is_read_again(home: Home, study: Study) -> None:
    path = put(home.inbox / "P01/a.zip", zipped(e4_files()))
    catalogue(home, study, quiet=True)
    first = load(home)
    kept = shutil.copy2(path, home.root / "aside.zip")
    path.unlink()
    catalogue(home, study, quiet=True)
    assert states(home) == {"P01/a.zip": "withdrawn"}
    shutil.copy2(kept, path)
    catalogue(home, study, quiet=True)
    assert load(home) == first


def test_a_touched_file_with_the_same_content_stays_what_it_was(home: Home, study: Study) -> None:
    path = put(home.inbox / "P01/a.zip", zipped(e4_files()))
    catalogue(home, study, quiet=True)
    wanted = wanted_recordings(home, study)
    os.utime(path)
    assert uncatalogued(home) == ["P01/a.zip"]
    catalogue(home, study, quiet=True)
    assert states(home) == {"P01/a.zip": "read"}
    assert wanted_recordings(home, study) == wanted


def test_settings_that_a_reader_depends_on_read_its_dumps_again(home: Home, study: Study) -> None:
    put(home.inbox / "P01/e4", e4_files())
    put(home.inbox / "self_reports/a.csv", "participant,time,joy\nP01,2022-02-07T10:00:00Z,5\n")
    catalogue(home, study, quiet=True)
    assert only(home, "self_reports/a.csv").state == "quarantined"
    wider = study.model_copy(update={"items": {**study.items, "joy": next(iter(study.items.values()))}})
    assert uncatalogued(home, study=wider) == ["self_reports/a.csv"]
    report = catalogue(home, wider, quiet=True)
    assert [e.path for e in report.changed] == ["self_reports/a.csv"]
    assert only(home, "self_reports/a.csv").state == "read"


def test_a_new_mapping_reads_again_what_another_reader_took_and_what_was_unknown_and_nothing_else(
    home: Home, study: Study
) -> None:
    table = "time,happy,skin\n" + "".join(f"2022-02-07T10:00:{n:02}Z,5,0.5\n" for n in range(40))
    put(home.inbox / "P01/e4", e4_files())
    put(home.inbox / "P01/taken.csv", table)
    put(home.inbox / "P01/packed.zip", zipped({"a/taken.csv": table.replace("T10", "T11"), "b/taken.csv": table}))
    put(home.inbox / "P01/other.csv", "time,happy\n2022-02-07T12:00:00Z,5\n")
    put(home.inbox / "P01/unknown.csv", table.replace("time", "moment").replace("happy", "word"))
    catalogue(home, study, quiet=True)
    readers = {e.path: e.reader for e in load(home)}
    assert readers == {
        "P01/e4": "e4", "P01/other.csv": "self_reports", "P01/packed.zip": "self_reports",
        "P01/taken.csv": "self_reports", "P01/unknown.csv": None,
    }  # fmt: skip
    days = wanted_recordings(home, study)
    forms = {"a": {"time": "time", "signals": {"skin": "eda"}}, "b": {"time": "moment", "signals": {"skin": "eda"}}}
    told = Study.model_validate({**study.model_dump(mode="json", exclude_unset=True), "formats": forms})
    report = catalogue(home, told, quiet=True)
    assert [(e.path, e.reader) for e in report.changed] == [
        ("P01/packed.zip", "generic"), ("P01/taken.csv", "generic"), ("P01/unknown.csv", "generic"),
    ]  # fmt: skip
    assert uncatalogued(home, study=told) == []
    assert catalogue(home, told, quiet=True).idle
    forget(home, only(home, "P01/unknown.csv").dump)
    with_mapping = wanted_recordings(home, told)
    assert with_mapping != days
    catalogue(home, study, quiet=True)
    assert {p: r for p, r in readers.items() if r} == {e.path: e.reader for e in load(home) if e.reader and e.present}
    assert wanted_recordings(home, study) == days


def test_a_mapping_that_fits_nothing_makes_no_day_again(home: Home, study: Study) -> None:
    put(home.inbox / "P01/e4", e4_files())
    put(home.inbox / "self_reports/a.csv", "participant,time,happy\nP01,2022-02-07T10:00:00Z,5\n")
    catalogue(home, study, quiet=True)
    days = wanted_recordings(home, study)
    forms = {"ring": {"time": "t", "signals": {"skin": "eda"}}}
    told = Study.model_validate({**study.model_dump(mode="json", exclude_unset=True), "formats": forms})
    report = catalogue(home, told, quiet=True)
    assert report.idle
    assert uncatalogued(home, study=told) == []
    assert wanted_recordings(home, told) == days


def test_a_forgotten_dump_stays_out_until_it_is_remembered(home: Home, study: Study) -> None:
    put(home.inbox / "P01/e4", e4_files())
    put(home.inbox / "P01/day2", e4_files(START + 86_400))
    catalogue(home, study, quiet=True)
    both = wanted_recordings(home, study)
    forget(home, only(home, "P01/e4").dump[:10])
    assert uncatalogued(home, study=study) == []
    catalogue(home, study, quiet=True)
    assert states(home) == {"P01/day2": "read", "P01/e4": "withdrawn"}
    assert [str(k.date) for k in wanted_recordings(home, study)] == ["2022-02-08"]
    remember(home, only(home, "P01/e4").dump)
    assert uncatalogued(home, study=study) == ["P01/e4"]
    catalogue(home, study, quiet=True)
    assert wanted_recordings(home, study) == both
    with pytest.raises(DumpError, match="no dumps in the catalogue begin with 'ffff'"):
        forget(home, "ffff")


def test_a_file_that_is_still_growing_is_left_for_the_next_round(
    home: Home, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(home.inbox / "P01/e4", e4_files(), age_s=0)
    assert uncatalogued(home, settle_seconds=30) == []
    assert uncatalogued(home) == ["P01/e4"]
    listing = under_test.scan

    def then_grow(inbox: Path) -> list[under_test.Found]:
        found = listing(inbox)
        with (home.inbox / "P01/e4/EDA.csv").open("a") as file:
            file.write("0.5\n")
        return found

    monkeypatch.setattr(under_test, "scan", then_grow)
    report = catalogue(home, study, quiet=True)
    assert report.growing == ("P01/e4",)
    assert load(home) == []
    monkeypatch.setattr(under_test, "scan", listing)
    catalogue(home, study, quiet=True)
    assert states(home) == {"P01/e4": "read"}


def test_a_clock_that_is_plainly_wrong_is_flagged(home: Home, study: Study) -> None:
    put(home.inbox / "P01/old", e4_files(1_000_000_000))
    put(home.inbox / "P01/future", e4_files(3_628_800_000))
    catalogue(home, study, quiet=True)
    assert "its clock is wrong: it has data of 2001-09-09" in str(only(home, "P01/old").reason)
    assert "later than the file itself" in str(only(home, "P01/future").reason)


def test_sensors_in_a_folder_of_tables_are_refused(home: Home, study: Study) -> None:
    put(home.inbox / "self_reports/2026-01-31T09-15-00Z.wav", sound())
    catalogue(home, study, quiet=True)
    assert "lies in a folder of tables" in str(only(home, "self_reports/2026-01-31T09-15-00Z.wav").reason)


def test_the_same_inbox_gives_the_same_bytes_however_it_came_about(home: Home, study: Study) -> None:
    put(home.inbox / "P01/b.zip", zipped(e4_files()))
    catalogue(home, study, quiet=True)
    put(home.inbox / "P01/a.zip", zipped(e4_files()), age_s=7200)
    put(home.inbox / "P02/x.bin", b"\0\1\2")
    catalogue(home, study, quiet=True)
    stepwise = catalogue_bytes(home)
    shutil.rmtree(home.lake)
    catalogue(home, study, quiet=True)
    assert catalogue_bytes(home) == stepwise


def test_two_looks_at_once_lose_no_rows(home: Home, study: Study) -> None:
    for n in range(4):
        put(home.inbox / f"P{n}/e4", e4_files(START + n))
    context = multiprocessing.get_context("spawn")
    running = [context.Process(target=catalogue, args=(home, study), kwargs={"quiet": True}) for _ in range(2)]
    for process in running:
        process.start()
    for process in running:
        process.join(120)
    assert list(states(home).values()) == ["read"] * 4


def test_nothing_in_the_inbox_is_ever_changed(home: Home, study: Study) -> None:
    put(home.inbox / "P01/e4", e4_files())
    put(home.inbox / "P01/a.zip", zipped(e4_files(START + 60)))
    put(home.inbox / "P01/bad.bin", b"\0\1")

    def listing() -> dict[str, tuple[int, bytes]]:
        return {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in home.inbox.rglob("*") if p.is_file()}

    before = listing()
    catalogue(home, study, quiet=True)
    run_unit(RECORDINGS, home, study, wanted_recordings(home, study), quiet=True)
    assert listing() == before


def test_the_table_is_as_declared(home: Home, study: Study) -> None:
    put(home.inbox / "P01/e4", e4_files())
    catalogue(home, study, quiet=True)
    frame = Lake(home.lake).read(DUMPS)
    assert frame.schema == DUMPS.empty().schema
    assert frame.select(pl.col("touches").list.len()).item() == 1


def test_an_inbox_whose_disk_is_gone_withdraws_nothing(home: Home, study: Study) -> None:
    for n in range(12):
        put(home.inbox / f"P{n:02d}/{START}_A{n:05d}.zip", zipped(e4_files(START + n)))
    catalogue(home, study, quiet=True)
    before = catalogue_bytes(home)
    home.inbox.rename(home.root / "unmounted")
    home.inbox.mkdir()
    with pytest.raises(InboxError, match="12 of 12 dumps are gone"):
        catalogue(home, study, quiet=True)
    assert catalogue_bytes(home) == before
    allowed = Study.model_validate({**study.model_dump(), "reading": {"most_vanished": 1.0}})
    assert catalogue(home, allowed, quiet=True).states == {"withdrawn": 12}
