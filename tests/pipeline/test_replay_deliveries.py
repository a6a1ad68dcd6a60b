"""The files of a replay are those of the simulated study, with what the script changes about them and nothing else."""

import io
import tomllib
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from assets.study import Home, Study
from pipeline.replay.deliveries import FIRMWARE_SCALE, Lived, content, deliver, live, render
from pipeline.replay.driver import study_text
from pipeline.replay.plot import SHORT
from pipeline.replay.script import ANSWERS, BAND, VOICE, Arrival, Dump, write_script


@pytest.fixture(scope="module")
def lived() -> Lived:
    """Two people's four days."""
    plot = replace(SHORT, people=3, nights=2, backlog=2, joins={}, leaves={}, late=(), quiet=range(0))
    return live(plot, Study.model_validate(tomllib.loads(study_text(plot, epochs=3))), seed=1)


def first(lived: Lived, kind: str) -> Dump:
    nights = write_script(lived.plot, lived.recorded, lived.codes)
    return next(d for n in nights for a in n.arrivals for d in a.put if d.kind == kind)


def member(data: bytes, name: str) -> np.ndarray:
    """A file of a session without its header, which a real device writes the same way."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return np.loadtxt(io.BytesIO(archive.read(name)), delimiter=",", skiprows=2)


def test_the_new_firmware_scales_skin_conductance_and_touches_nothing_else(lived: Lived) -> None:
    dump = first(lived, BAND)
    old, new = content(lived, dump), content(lived, replace(dump, firmware=True))
    eda = member(old, "EDA.csv"), member(new, "EDA.csv")
    assert eda[1][1:] == pytest.approx(FIRMWARE_SCALE * eda[0][1:], abs=0.003)  # the device's own steps
    for same in ("TEMP.csv", "BVP.csv", "ACC.csv", "IBI.csv"):
        assert np.array_equal(member(old, same), member(new, same))


def test_the_same_dump_has_the_same_bytes_again_and_a_cut_one_is_half_of_it(lived: Lived) -> None:
    dump = first(lived, BAND)
    whole = content(lived, dump)
    assert content(lived, dump) == whole
    assert content(lived, replace(dump, cut=True)) == whole[: len(whole) // 2]


def test_a_table_of_answers_holds_what_its_person_said_on_its_day(lived: Lived) -> None:
    dump = first(lived, ANSWERS)
    ((code, date),) = dump.touches
    table = pl.read_csv(io.BytesIO(content(lived, dump)))
    person = next(n for n, c in lived.codes.items() if c == code)
    given = lived.recorded[person][(date - lived.plot.first_day).days].answers_s
    assert table["participant"].unique().to_list() == [code]
    assert [datetime.fromisoformat(t).timestamp() for t in table["time"]] == list(given)
    assert table.select("happy", "gloomy", "anxious").null_count().sum_horizontal().item() == 0


def test_a_clip_is_a_few_seconds_of_sound(lived: Lived) -> None:
    data = content(lived, first(lived, VOICE))
    assert data[:4] == b"RIFF"
    assert 60_000 < len(data) < 130_000


def test_files_get_the_time_of_their_arrival_and_what_is_taken_back_is_gone(lived: Lived, home: Home) -> None:
    home.inbox.mkdir(parents=True)
    at, dump = datetime(2025, 10, 25, 0, 59, 15, tzinfo=UTC), first(lived, ANSWERS)
    deliver(home, Arrival(at, (dump,)), render(lived, Arrival(at, (dump,))))
    assert (home.inbox / dump.path).stat().st_mtime == at.timestamp()
    deliver(home, Arrival(at, (), (dump.path,)), [])
    assert [p for p in home.inbox.rglob("*") if p.is_file()] == []
