import os
from pathlib import Path

from assets.ingest.identity import identity
from assets.ingest.inbox import scan
from assets.study import Study
from tests.assets.ingest.makers import e4_files, put, sound, zipped


def paths(inbox: Path) -> list[str]:
    return [f.path for f in scan(inbox)]


def test_a_folder_with_e4_members_is_one_dump_and_other_files_are_their_own(tmp_path: Path) -> None:
    put(tmp_path / "P01/e4", e4_files() | {"LICENSE.txt": b"x"})
    put(tmp_path / "P01/voice/2026-01-31T09-15-00Z.wav", sound())
    put(tmp_path / "P02/a/b/1644226061_A0.zip", zipped(e4_files()))
    put(tmp_path / "self_reports/answers.csv", "participant,time,happy\n")
    found = {f.path: f for f in scan(tmp_path)}
    assert list(found) == [
        "P01/e4",
        "P01/e4/LICENSE.txt",
        "P01/voice/2026-01-31T09-15-00Z.wav",
        "P02/a/b/1644226061_A0.zip",
        "self_reports/answers.csv",
    ]
    assert len(found["P01/e4"].files) == 8
    assert [f.participant for f in found.values()] == ["P01", "P01", "P01", "P02", None]


def test_litter_is_ignored(tmp_path: Path) -> None:
    put(tmp_path / "P01", {"__MACOSX/._ACC.csv": b"x", ".DS_Store": b"x", "a/.hidden/x.csv": b"x", "Thumbs.db": b"x"})
    assert paths(tmp_path) == []


def test_renamed_members_stay_one_session_and_two_sessions_in_a_folder_stay_two(tmp_path: Path) -> None:
    files = e4_files()
    put(tmp_path / "P01", {n.replace("tags", "tags_S01"): d for n, d in files.items()})
    put(tmp_path / "P02", {n.replace(".csv", f"_{s}.csv"): d for n, d in files.items() for s in ("am", "pm")})
    found = {f.path: len(f.files) for f in scan(tmp_path)}
    assert found == {"P01": 8, "P02/*_am": 7, "P02/*_pm": 7, "P02/info.txt": 1}


def test_files_of_another_device_with_e4_names_are_not_taken_for_a_session(tmp_path: Path) -> None:
    put(tmp_path / "P01", {"acc.csv": b"2019-10-16T12:09:01.702+02:00;-36;620;-824\n", "hr.csv": b"time,hr\n1,2\n"})
    assert paths(tmp_path) == ["P01/acc.csv", "P01/hr.csv"]


def test_a_sidecar_belongs_to_its_clip(tmp_path: Path) -> None:
    put(tmp_path / "P01", {"a.wav": sound(), "a.json": b"{}", "b.m4a": b"x", "b.m4a.json": b"{}", "c.json": b"{}"})
    assert {f.path: [s.path for s in f.sidecars] for f in scan(tmp_path)} == {
        "P01/a.wav": ["P01/a.json"],
        "P01/b.m4a": ["P01/b.m4a.json"],
        "P01/c.json": [],
    }


def test_a_dump_outside_a_folder_or_in_one_with_a_name_says_what_to_do(tmp_path: Path) -> None:
    put(tmp_path / "stray.zip", b"x")
    put(tmp_path / "Anna Müller/x.csv", b"x")
    problems = {f.path: f.problem for f in scan(tmp_path)}
    assert "lies outside a participant's folder" in str(problems["stray.zip"])
    assert "no study code" in str(problems["Anna Müller/x.csv"])
    assert "Anna" not in str(problems["Anna Müller/x.csv"])


def test_a_zip_and_its_unpacked_folder_have_one_identity(tmp_path: Path, study: Study) -> None:
    files = e4_files()
    put(tmp_path / "P01/folder", {n: d for n, d in files.items() if n != "info.txt"})
    put(tmp_path / "P01/flat.zip", zipped(files))
    put(tmp_path / "P01/inner.zip", zipped(files, "S01/"))
    put(tmp_path / "P01/renamed", {n.replace("tags", "tags_S01"): d for n, d in files.items()})
    put(tmp_path / "P01/other.zip", zipped(e4_files(eda=0.6)))
    found = {f.path: identity(f.source(), study.reading) for f in scan(tmp_path)}
    assert len({found[f"P01/{n}"] for n in ("folder", "flat.zip", "inner.zip", "renamed")}) == 1
    assert found["P01/other.zip"] != found["P01/folder"]


def test_the_signature_changes_with_size_time_and_members(tmp_path: Path) -> None:
    folder = put(tmp_path / "P01", e4_files())
    first = scan(tmp_path)[0].signature
    assert scan(tmp_path)[0].signature == first
    os.utime(folder / "EDA.csv", (1, 1))
    second = scan(tmp_path)[0].signature
    (folder / "tags.csv").unlink()
    assert len({first, second, scan(tmp_path)[0].signature}) == 3


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    put(tmp_path / "P01/a.csv", b"x")
    (tmp_path / "P01/again").symlink_to(tmp_path / "P01")
    (tmp_path / "P01/nowhere").symlink_to(tmp_path / "absent")
    found = {f.path: f.problem for f in scan(tmp_path)}
    assert found["P01/a.csv"] is None
    assert "cannot be opened" in str(found["P01/nowhere"])
    assert len(found) == 2


def test_an_empty_or_absent_inbox_holds_nothing(tmp_path: Path) -> None:
    assert scan(tmp_path / "absent") == []
    assert scan(tmp_path) == []


def test_a_large_inbox_is_listed_whole(tmp_path: Path) -> None:
    for n in range(50):
        folder = tmp_path / f"P{n:03d}/voice"
        folder.mkdir(parents=True)
        for m in range(100):
            (folder / f"{m}.wav").touch()
    assert len(scan(tmp_path)) == 50 * 100
