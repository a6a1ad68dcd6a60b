import gzip
import io
import struct
import tarfile
import zipfile

import pytest

from assets.errors import DumpError
from assets.study import Study
from tests.assets.ingest.makers import e4_files, read, sound, zipped

ANSWERS = b"time,happy\n2026-01-31T09:15:00Z,5\n"


def limited(study: Study, **limits: int) -> Study:
    return study.model_copy(update={"reading": study.reading.model_copy(update=limits)})


def test_an_archive_of_several_dumps_gives_them_all(study: Study) -> None:
    files = {f"E4/{n}": d for n, d in e4_files().items()}
    data = zipped(files | {"voice/2026-01-31T09-15-00Z.wav": sound(), "answers.csv": ANSWERS, "note.txt": b"hello"})
    recording = read("all.zip", data, study)
    assert (len(recording.clips), recording.answers.height, len(recording.segments)) == (1, 1, 7)
    assert any(
        r.startswith("1 of 4 files in the archive left out: note.txt: no reader knows") for r in recording.remarks
    )


def test_archives_in_archives_are_read_to_a_limit(study: Study) -> None:
    data = zipped({"a.csv": ANSWERS})
    assert read("a.zip", zipped({"inner.zip": data}), study).answers.height == 1
    for _ in range(5):
        data = zipped({"inner.zip": data})
    with pytest.raises(DumpError, match="more than 3 deep"):
        read("a.zip", data, study)


def test_gzip_and_tar_are_opened_too(study: Study) -> None:
    assert read("a.csv.gz", gzip.compress(ANSWERS), study).answers.height == 1
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        info = tarfile.TarInfo("x/a.csv")
        info.size = len(ANSWERS)
        archive.addfile(info, io.BytesIO(ANSWERS))
    assert read("a.tgz", sink.getvalue(), study).answers.height == 1


def test_a_damaged_archive_in_another_is_left_out_by_its_name_and_what_lies_beside_it_is_read(study: Study) -> None:
    whole = zipped({"a.csv": ANSWERS})
    cut = read(
        "a.zip", zipped({"a.zip": whole, "b.zip": whole[:-30], "log.txt.gz": gzip.compress(b"x" * 99)[:-9]}), study
    )
    assert cut.answers.height == 1
    (remark,) = cut.remarks
    assert remark.startswith("2 of 3 files in the archive left out: b.zip: a damaged or unfinished zip")
    assert "; log.txt.gz: log.txt.gz in the archive is damaged" in remark
    with pytest.raises(DumpError, match="names a file outside itself"):
        read("a.zip", zipped({"a.zip": whole, "b.zip": zipped({"../b.csv": ANSWERS})}), study)
    with pytest.raises(DumpError, match="more than 2 files"):
        read("a.zip", zipped({"a.zip": whole, "b.zip": whole[:-30]}), limited(study, max_members=2))
    with pytest.raises(DumpError, match="damaged or unfinished zip"):
        read("a.zip", zipped({"b.zip": whole[:-30]}), study)


@pytest.mark.parametrize("name", ["../../etc/evil.csv", "/etc/evil.csv", "a/../../b.csv", "C:\\evil.csv"])
def test_a_path_that_leaves_the_archive_is_refused(study: Study, name: str) -> None:
    with pytest.raises(DumpError, match="names a file outside itself"):
        read("a.zip", zipped({name: ANSWERS}), study)


def test_a_bomb_is_refused_before_it_is_unpacked(study: Study) -> None:
    bomb = zipped({"a.csv": b"0" * 3_000_000})
    assert len(bomb) < 10_000
    with pytest.raises(DumpError, match=r"more than 2 MB \(\[reading\] max_unpacked_mb\)"):
        read("a.zip", bomb, limited(study, max_unpacked_mb=2))
    with pytest.raises(DumpError, match="max_unpacked_mb"):
        read("a.csv.gz", gzip.compress(b"0" * 3_000_000), limited(study, max_unpacked_mb=2))
    with pytest.raises(DumpError, match="more than 3 files"):
        read("a.zip", zipped({f"{n}.csv": b"x" for n in range(4)}), limited(study, max_members=3))


def test_a_bomb_that_lies_about_its_size_gains_nothing(study: Study) -> None:
    bomb = bytearray(zipped({"a.csv": b"0" * 3_000_000}))
    at = bomb.rfind(b"PK\x01\x02")
    bomb[at + 24 : at + 28] = struct.pack("<I", 100)
    with pytest.raises(DumpError, match="damaged"):
        read("a.zip", bytes(bomb), limited(study, max_unpacked_mb=2))


def test_a_cut_damaged_or_encrypted_zip_says_so(study: Study) -> None:
    data = zipped(e4_files())
    with pytest.raises(DumpError, match="damaged or unfinished zip"):
        read("a.zip", data[: len(data) // 2], study)
    flipped = bytearray(zipped({"a.csv": ANSWERS * 50}))
    flipped[60] ^= 0xFF
    with pytest.raises(DumpError, match="damaged"):
        read("a.zip", bytes(flipped), study)
    locked = bytearray(zipped({"a.csv": ANSWERS}))
    locked[6] |= 1
    locked[locked.rfind(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DumpError, match="encrypted"):
        read("a.zip", bytes(locked), study)


def test_one_damaged_member_leaves_the_others_of_its_session(study: Study) -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, data in e4_files().items():
            archive.writestr(name, data)
    broken = bytearray(sink.getvalue())
    at = broken.find(b"33.41")
    broken[at : at + 5] = b"33.99"
    recording = read("a.zip", bytes(broken), study)
    assert {s.signal for s in recording.segments} == {"acc_x", "acc_y", "acc_z", "bvp", "eda", "hr"}
    assert any(r.startswith("TEMP left out: TEMP.csv in the archive is damaged") for r in recording.remarks)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty (0 bytes)"),
        (b"\0" * 1000, "nothing but zero bytes"),
        (b"%PDF-1.7 x", "a PDF"),
        (b"\x80\x04\x95abc", "a Python pickle"),
        (b"just some words", "plain text without a recording"),
        (b"a\0b\1\2", "a binary file of an unknown kind"),
        (zipped({}), "the archive is empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git-lfs pointer"),
    ],
)
def test_what_no_reader_knows_is_refused_for_what_it_is(study: Study, data: bytes, what: str) -> None:
    with pytest.raises(DumpError) as error:
        read("thing", data, study)
    assert what in str(error.value)
