from collections import Counter
from pathlib import Path

import pytest

from assets.ingest import catalogue as catalogue_module
from assets.ingest.catalogue import catalogue
from assets.ingest.entries import load
from assets.ingest.grouping import e4_stream
from assets.study import Home, Study
from tests.assets.ingest.makers import unguarded

UNDATED, TEXT = "nothing says when", "plain text without a recording"
NUMBERS, TABLE = "a column of numbers without times", "a table without a column of times"
NOTHING = "a FIT file without beats, heart rate, steps"
# The last pattern that fits a file says its reader, or a part of the reason for which it is refused.
EXPECTED = {
    "**/LICENSE.txt": TEXT,
    "README.md": TEXT,
    "e4/**/*.csv": "e4",
    "e4/**/*.zip": "e4",
    "e4/stress_predict/Questionnaires_scores.xlsx": "none of its columns holds times",
    "e4/stress_predict/Time_logs.xlsx": "none of its columns is an item",
    "e4/edge_cases/header_only_ibi/IBI.csv": "without a single sample",
    "embraceplus/*.avro": "embraceplus",
    "lifesnaps/*.csv": "a table of several wearers",
    "other/everion/*.csv": "everion",
    "other/everion/*events*.csv": "whose codes the vendor does not publish",
    "other/everion/*dailys*.csv": "whose codes the vendor does not publish",
    "other/faros/*.EDF": "edf",
    "other/fit/*.fit": "garmin_fit",
    "other/fit/activity-filecrc.fit": NOTHING,
    "other/fit/activity-settings-corruptheader.fit": NOTHING,
    "other/fit/activity-settings-nodata.fit": NOTHING,
    "other/fit/activity-unexpected-eof.fit": NOTHING,
    "other/garmin/*.csv": "garmin_logger",
    "other/holter/holter.txt": UNDATED,
    "other/polar_h10/*.csv": "polar",
    "other/shimmer/*.csv": "shimmer",
    "reference/heartpy/*.csv": NUMBERS,
    "reference/heartpy/data2.csv": TABLE,
    "reference/heartpy/data3.csv": "none of its columns is an item",
    "reference/mitdb_100/100.*": "a binary file of an unknown kind",
    "reference/mitdb_100/100.hea": "a PhysioNet (WFDB) record",
    "reference/neurokit/*.csv": TABLE,
    "self_reports/*.csv": TABLE,
    "speech/**/*.wav": UNDATED,
}


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_module, "isolated", unguarded)


def expected(real_data: Path) -> dict[str, str]:
    said = {p: what for pattern, what in EXPECTED.items() for p in real_data.glob(pattern)}
    return {
        p.relative_to(real_data).as_posix(): what if p.stat().st_size else "empty (0 bytes)" for p, what in said.items()
    }


@pytest.mark.real
def test_every_real_file_alone_is_read_by_its_reader_or_refused_for_its_true_reason(
    home: Home, study: Study, real_data: Path
) -> None:
    files = sorted(p.relative_to(real_data).as_posix() for p in real_data.rglob("*") if p.is_file())
    wanted = expected(real_data)
    assert sorted(wanted) == files
    for n, file in enumerate(files):
        link = home.inbox / "P01" / f"{n:03d}" / file.rsplit("/", 1)[-1]
        link.parent.mkdir(parents=True)
        link.symlink_to(real_data / file)
    catalogue(home, study, quiet=True)
    found = {files[int(e.path.split("/")[1])]: e for e in load(home)}
    assert sorted(found) == files
    for file, entry in found.items():
        said = entry.reader if entry.state in {"read", "duplicate"} else entry.reason
        assert wanted[file] in str(said), file
        assert (entry.state == "quarantined") == (" " in wanted[file]), file


@pytest.mark.real
def test_whole_folders_are_sessions_and_nothing_is_nobody_s(home: Home, study: Study, real_data: Path) -> None:
    home.inbox.mkdir(parents=True)
    for n, folder in enumerate(("e4", "embraceplus", "other", "reference", "self_reports", "lifesnaps")):
        (home.inbox / f"P{n}").symlink_to(real_data / folder)
    (home.inbox / "self_reports").mkdir()
    (home.inbox / "self_reports/fisher.csv").symlink_to(real_data / "self_reports/fisher2017.csv")
    (home.inbox / "daily_values").mkdir()
    (home.inbox / "daily_values/fitbit.csv").symlink_to(real_data / "lifesnaps/daily_fitbit_sema.csv")
    catalogue(home, study, quiet=True)
    entries = load(home)
    readers = Counter(e.reader for e in entries if e.state == "read" and e.path.startswith("P0/"))
    # Twelve people, the cut and the unworn session, four edge cases; the zip holds one of those again.
    assert readers == {"e4": 12 + 2 + 4}
    (copy,) = [e.path.rsplit("/", 1)[-1] for e in entries if e.state == "duplicate"]
    assert copy in {"1644840744_A00000.zip", "very_short_12s"}
    assert not [e.path for e in entries if e.path.startswith("P0/") and e4_stream(e.path.rsplit("/", 1)[-1])]
    assert all(e.reason for e in entries if e.state == "quarantined")
    assert not [e.path for e in entries if "please report" in str(e.reason)]
    (daily,) = [e for e in entries if e.path.startswith("daily_values/")]
    assert (daily.state, daily.reader, len(daily.touches)) == ("read", "daily_values", 3_844)
