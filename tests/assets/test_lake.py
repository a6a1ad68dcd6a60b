from datetime import date

import polars as pl
import pyarrow.fs as pafs
import pytest

from assets.errors import LakeError
from assets.lake import Key, Lake
from assets.study import Home
from assets.tables import SELF_REPORTS
from tests.builders import NOON_US, answer, answers

DAY = Key("P1", date(2026, 3, 2))


@pytest.fixture
def lake(home: Home) -> Lake:
    return Lake(home.lake)


def test_a_part_is_read_back_as_written_and_sorted_as_declared(lake: Lake) -> None:
    lake.write(SELF_REPORTS, answers(answer(NOON_US + 5), answer(NOON_US)), DAY)
    assert lake.read(SELF_REPORTS, DAY)["time_us"].to_list() == [NOON_US, NOON_US + 5]


def test_a_part_lies_where_the_design_says(lake: Lake, home: Home) -> None:
    lake.write(SELF_REPORTS, answers(answer()), DAY)
    assert (home.lake / "self_reports/date=2026-03-02/participant=P1/part.parquet").is_file()


def test_the_same_rows_in_any_order_give_the_same_bytes(lake: Lake) -> None:
    one = lake.write(SELF_REPORTS, answers(answer(NOON_US), answer(NOON_US + 1)), DAY)
    two = lake.write(SELF_REPORTS, answers(answer(NOON_US + 1), answer(NOON_US)), DAY)
    assert one == two


def test_an_absent_part_is_the_table_without_rows(lake: Lake) -> None:
    assert lake.read(SELF_REPORTS, DAY).equals(SELF_REPORTS.empty())


def test_all_parts_are_read_with_their_keys_as_columns(lake: Lake) -> None:
    lake.write(SELF_REPORTS, answers(answer()), DAY)
    lake.write(SELF_REPORTS, answers(answer()), Key("P2", date(2026, 3, 3)))
    both = lake.read_all(SELF_REPORTS)
    assert both.select("participant", "date").rows() == [("P1", date(2026, 3, 2)), ("P2", date(2026, 3, 3))]
    assert lake.read_all(SELF_REPORTS, participants={"P2"})["participant"].to_list() == ["P2"]


@pytest.mark.parametrize("wrong", [pl.col("value").cast(pl.Float32), pl.lit(1).alias("undeclared")])
def test_a_frame_that_does_not_fit_its_table_is_refused(lake: Lake, wrong: pl.Expr) -> None:
    with pytest.raises(LakeError, match="self_reports"):
        lake.write(SELF_REPORTS, answers(answer()).with_columns(wrong), DAY)
    assert not lake.exists(SELF_REPORTS, DAY)


def test_a_file_left_half_written_by_a_kill_is_not_part_of_the_lake(lake: Lake, home: Home) -> None:
    lake.write(SELF_REPORTS, answers(answer()), DAY)
    half = home.lake / ".writing" / ".tmp-99-self_reports~date=2026-03-02~participant=P2~part.parquet"
    half.write_bytes(b"half")
    assert lake.list_files("") == ["self_reports/date=2026-03-02/participant=P1/part.parquet"]
    lake.sweep()
    assert not half.exists()
    assert lake.exists(SELF_REPORTS, DAY)


def test_a_refused_write_leaves_the_old_part_and_says_so(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.write(SELF_REPORTS, answers(answer(value=1.0)), DAY)

    class FullDisk:
        def __getattr__(self, name: str) -> object:
            return getattr(pafs.LocalFileSystem(), name)

        def open_output_stream(self, path: str) -> object:
            message = "No space left on device"
            raise OSError(28, message, path)

    monkeypatch.setattr(lake, "_files", FullDisk())
    with pytest.raises(LakeError, match="No space left"):
        lake.write(SELF_REPORTS, answers(answer(value=2.0)), DAY)
    monkeypatch.undo()
    assert lake.read(SELF_REPORTS, DAY)["value"].to_list() == [1.0]


def test_a_url_is_a_root_like_a_path(home: Home) -> None:
    lake = Lake(f"file://{home.lake}")
    lake.write(SELF_REPORTS, answers(answer()), DAY)
    assert Lake(home.lake).exists(SELF_REPORTS, DAY)


@pytest.mark.parametrize("left", [0, 100])
def test_a_damaged_part_is_named_with_what_to_do_and_found_unread(lake: Lake, home: Home, left: int) -> None:
    for key in (DAY, Key("P2", date(2026, 3, 2))):
        lake.write(SELF_REPORTS, answers(answer()), key)
    assert lake.cut() == []
    place = "self_reports/date=2026-03-02/participant=P1/part.parquet"
    data = (home.lake / place).read_bytes()
    (home.lake / place).write_bytes(data[:left])
    assert lake.cut() == [place]
    with pytest.raises(LakeError, match=rf"{place} under .* is damaged: .*Remove it, and P1's file in the ledger/"):
        lake.read(SELF_REPORTS, DAY)
    assert lake.read(SELF_REPORTS, Key("P2", date(2026, 3, 2))).height == 1
