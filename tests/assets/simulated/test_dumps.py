"""What lies in the inbox: the vendor's layout, the same bytes for the same seed, nothing of anyone else's touched."""

import csv
import hashlib
import io
import re
import wave
import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from assets.errors import StudyError
from assets.simulated.e4 import INFO
from assets.simulated.study import Summary, simulate
from assets.study import PAPER_ITEMS, Home, Study
from tests.assets.simulated.conftest import paper_study

STREAMS = ("ACC.csv", "BVP.csv", "EDA.csv", "HR.csv", "TEMP.csv")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Summary]:
    """One person for two days, rendered by two workers."""
    home = Home(tmp_path_factory.mktemp("simulated"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MACROMICRO_WORKERS", "2")
        return home, simulate(home, paper_study(), participants=1, days=2, seed=7)


def content(root: Path) -> dict[str, str]:
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in root.rglob("*") if p.is_file()
    }


def first_zip(home: Home) -> Path:
    return min(home.inbox.glob("P001/e4/*.zip"))


def members(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def samples(text: str) -> NDArray[np.float64]:
    return np.loadtxt(io.StringIO(text), delimiter=",", skiprows=2, ndmin=2)


def test_the_bytes_depend_on_the_seed_alone_not_on_the_workers(
    small: tuple[Home, Summary], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")
    simulate(Home(tmp_path), paper_study(), participants=1, days=2, seed=7, progress=lambda _done, _all: None)
    assert content(tmp_path) == content(small[0].root)


def test_the_inbox_is_laid_out_by_participant_and_the_truth_lies_beside_it(small: tuple[Home, Summary]) -> None:
    home, summary = small
    files = {str(p.relative_to(home.root)) for p in home.root.rglob("*") if p.is_file()}
    forms = (
        r"inbox/P001/e4/\d{10}_A0[0-9A-F]{4}\.zip",
        r"inbox/P001/voice/2026-03-0[23]T\d\d-\d\d-\d\dZ\.wav",
        r"inbox/self_reports/answers\.csv",
        r"truth\.parquet",
    )
    assert all(any(re.fullmatch(form, f) for form in forms) for f in files)
    assert sum(f.endswith(".zip") for f in files) == summary.sessions
    assert sum(f.endswith(".wav") for f in files) == summary.answers


@pytest.mark.real
def test_every_header_is_written_as_a_real_wristband_writes_it(small: tuple[Home, Summary], real_data: Path) -> None:
    made, real = members(first_zip(small[0])), real_data / "e4/stress_predict/S05"
    for name in (*STREAMS, "IBI.csv"):
        theirs = (real / name).read_text().splitlines()
        ours = made[name].splitlines()
        assert re.sub(r"\d", "9", ours[0]) == re.sub(r"\d", "9", theirs[0]), name
        if name != "IBI.csv":
            assert ours[1] == theirs[1], name
        decimals = {len(v.partition(".")[2]) for line in theirs[2:5000] for v in line.split(",")}
        assert {len(v.partition(".")[2]) for line in ours[2:5000] for v in line.split(",")} == decimals, name
        assert made[name].endswith("\n")
    vendor = real_data / "e4/edge_cases/1644840744_A00000.zip"
    assert made.keys() == members(vendor).keys()
    assert members(vendor)["info.txt"].split() == INFO.split()


def test_streams_start_and_end_as_the_vendor_s_do(small: tuple[Home, Summary]) -> None:
    made, start = members(first_zip(small[0])), int(first_zip(small[0]).name[:10])
    assert {float(made[n].split(",")[0].split()[0]) for n in STREAMS if n != "HR.csv"} == {start}
    assert float(made["HR.csv"].split()[0]) == start + 10
    assert samples(made["EDA.csv"])[0] == 0
    assert made["BVP.csv"].splitlines()[2] == "-0.00"
    rates = {"ACC.csv": 32, "BVP.csv": 64, "EDA.csv": 4, "TEMP.csv": 4}
    ends = sorted(len(samples(made[n])) / rate for n, rate in rates.items())
    assert 0 < ends[-1] - ends[0] < 7


def test_samples_are_such_as_a_wrist_gives(small: tuple[Home, Summary]) -> None:
    made = {name: samples(text) for name, text in members(first_zip(small[0])).items() if name in STREAMS}
    norm = np.linalg.norm(made["ACC.csv"] / 64, axis=1)
    assert 0.97 < np.median(norm) < 1.03
    assert np.abs(made["ACC.csv"]).max() <= 128
    assert 0.05 < made["EDA.csv"][1:].min() < made["EDA.csv"].max() < 30
    assert 28 < made["TEMP.csv"].min() < made["TEMP.csv"].max() < 37
    assert 40 < made["HR.csv"].min() < made["HR.csv"].max() < 150


def test_rejected_beats_are_missing_rows_and_the_contiguity_rule_finds_them(small: tuple[Home, Summary]) -> None:
    rows = np.array(
        [[float(v) for v in r.split(",")] for r in members(first_zip(small[0]))["IBI.csv"].splitlines()[1:]]
    )
    offset, ibi = rows.T
    assert np.array_equal(rows * 64, np.round(rows * 64))
    follows = np.abs(np.diff(offset) - ibi[1:]) < 0.01
    assert 0.5 < follows.mean() < 1
    assert (np.diff(offset)[~follows] > ibi[1:][~follows]).all()
    assert 0.06 < ibi.sum() / (offset[-1] - offset[0]) < 0.8


def test_every_answer_has_a_clip_that_ended_just_before_it_and_mostly_an_hour_of_body(
    small: tuple[Home, Summary],
) -> None:
    home = small[0]
    rows = list(csv.DictReader(io.StringIO((home.inbox / "self_reports/answers.csv").read_text())))
    assert list(rows[0]) == ["participant", "time", *PAPER_ITEMS]
    assert len(rows) == 10
    answered = [r for r in rows if r["happy"]]
    assert all(bool(r[item]) == bool(r["happy"]) for r in rows for item in PAPER_ITEMS)
    clips = {p: datetime.strptime(f"{p.stem[:-1]}+0000", "%Y-%m-%dT%H-%M-%S%z") for p in home.inbox.rglob("*.wav")}
    for row in answered:
        time = datetime.fromisoformat(row["time"])
        assert time.utcoffset() is not None
        lags = [(time - start).total_seconds() for p, start in clips.items() if p.parts[-3] == row["participant"]]
        assert 3 < min(lag for lag in lags if lag > 0) < 20
    with wave.open(str(next(iter(clips)))) as clip:
        assert (clip.getframerate(), clip.getnchannels(), clip.getsampwidth()) == (16_000, 1, 2)
        assert 2 < clip.getnframes() / 16_000 < 6


def test_the_truth_has_every_prompt_with_its_level_and_predictions(small: tuple[Home, Summary]) -> None:
    home, summary = small
    truth = pl.read_parquet(home.root / "truth.parquet")
    assert truth.height == summary.prompts * 9
    assert truth["answer"].is_not_null().sum() == summary.answers * 9
    assert (
        truth.select(pl.col("level", "oracle", "oracle_without_senses").is_between(0, 100).all()).row(0) == (True,) * 3
    )
    assert {"participant", "time_us", "item", "valence", "energy", "tension"} <= set(truth.columns)


def test_a_simulation_cut_short_goes_on_and_ends_the_same(
    small: tuple[Home, Summary], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")
    home, before = small[0], content(small[0].root)
    first_zip(home).unlink()
    kept = min(home.inbox.rglob("*.wav"))
    stamp = kept.stat().st_mtime_ns
    simulate(home, paper_study(), participants=1, days=2, seed=7, progress=lambda _done, _all: None)
    assert content(home.root) == before
    assert kept.stat().st_mtime_ns == stamp


def test_an_inbox_with_other_data_is_refused_and_left_alone(home: Home, study: Study) -> None:
    theirs = home.inbox / "A17/e4/1644840744_A00000.zip"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"real")
    with pytest.raises(StudyError, match="holds other data"):
        simulate(home, study, participants=1, days=1, seed=0)
    assert content(home.root) == {"inbox/A17/e4/1644840744_A00000.zip": hashlib.sha256(b"real").hexdigest()}


def test_another_seed_is_not_mixed_into_a_simulated_inbox(small: tuple[Home, Summary]) -> None:
    with pytest.raises(StudyError, match="fresh home"):
        simulate(small[0], paper_study(), participants=1, days=2, seed=8)
