from pathlib import Path

import numpy as np
import pytest

from assets.errors import DumpError
from assets.ingest.readers.base import Context
from assets.ingest.readers.holter import READER
from assets.study import Study
from tests.assets.ingest.makers import source

START = 1_769_850_900_000_000  # 2026-01-31 09:15:00 UTC
NAME = "2026-01-31T09-15-00Z.txt"
ROWS = (
    "4.000 X", "12.500    X", "13.000    N", "13.800    N", "14.400    S", "15.500    N", "16.300    N", "17.000    X",
    "18.000    N",
)  # fmt: skip
LIST = "00000000\r\n" + "".join(f"{row}\r\n" for row in ROWS)


def test_unreadable_stretches_are_no_beats_and_only_normal_neighbours_are_valid(study: Study) -> None:
    dump = source(NAME, LIST)
    assert READER.claims(dump)
    recording = READER.read(dump, Context(study, "P01"))
    (beats,) = recording.events
    assert ((beats.time_us - START) / 1e6).tolist() == [13.0, 13.8, 14.4, 15.5, 16.3, 18.0]
    assert np.nan_to_num(beats.value, nan=-1).tolist() == [-1, 800, 600, 1100, 800, -1]
    assert beats.valid.tolist() == [False, True, False, False, True, False]
    assert recording.remarks == ["1 beats labelled S: intervals beside them are not normal-to-normal"]


def test_a_list_without_a_date_or_a_beat_is_refused_for_that(study: Study) -> None:
    with pytest.raises(DumpError, match="nothing says when this Holter beat list was recorded: put the start"):
        READER.read(source("holter.txt", LIST), Context(study, "P01"))
    with pytest.raises(DumpError, match="without a beat"):
        READER.read(source(NAME, "00000000\n4.0 X\n12.0 X\n20.0 X\n"), Context(study, "P01"))


@pytest.mark.real
def test_a_real_list(real_data: Path, study: Study) -> None:
    data = (real_data / "other/holter/holter.txt").read_bytes()
    with pytest.raises(DumpError, match="nothing says when"):
        READER.read(source("holter.txt", data), Context(study, "P01"))
    (beats,) = READER.read(source(NAME, data), Context(study, "P01")).events
    assert len(beats.time_us) == 4_768  # 4,767 N and one S; 18 X are none
    assert (beats.time_us[-1] - START) / 1e6 == pytest.approx(4665.398)
    assert beats.valid.sum() == 4_761
