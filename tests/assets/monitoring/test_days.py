from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from assets.monitoring.days import (
    LARGEST_PICTURE,
    DayPages,
    by_urgency,
    could_not_be_drawn,
    drawn_from,
    page_name,
    refresh_days,
)
from assets.monitoring.yields import last_signs
from assets.study import Home, Study
from tests.assets.features.test_picture_day import DAY, seen
from tests.assets.monitoring.rows import FIRST, day, days

LAST = FIRST + timedelta(days=9)
__all__ = ["seen"]


@pytest.fixture(autouse=True)
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")


class Artist:
    """Draws every day as a few bytes and notes which; fails for those it is told to."""

    def __init__(self, *fails: str) -> None:
        self.fails, self.drew = fails, list[tuple[str, date]]()

    def __call__(self, _home: Home, _study: Study, participant: str, on: date) -> bytes:
        self.drew.append((participant, on))
        if participant in self.fails:
            message = "no such beats"
            raise ValueError(message)
        return b"picture"


def few(study: Study, pages: int) -> Study:
    return study.model_copy(update={"report": study.report.model_copy(update={"day_pages": pages})})


def worn(participant: str, *ns: int, inputs: str = "a") -> list[dict[str, object]]:
    return [day(participant, n, recorded_h=8.0, worn_h=8.0, inputs=inputs) for n in ns]


def folder(home: Home) -> Path:
    return home.root / "reports" / "days"


def test_a_night_draws_the_last_day_of_who_stopped_and_then_the_newest(home: Home, study: Study) -> None:
    daily, artist = days(*worn("P1", *range(10)), *worn("P2", 0, 1, 2)), Artist()
    pages = refresh_days(home, few(study, 3), daily, LAST, last_signs(daily, LAST + timedelta(days=1)), artist)
    newest = [("P1", LAST), ("P1", LAST - timedelta(days=1))]
    assert artist.drew == [("P2", FIRST + timedelta(days=2)), *newest]
    assert (pages.made, pages.waiting) == (3, 10)
    assert set(pages.links) == set(artist.drew)
    assert {p.name for p in folder(home).iterdir()} == set(pages.links.values())


def test_the_next_nights_draw_the_rest_and_then_nothing(home: Home, study: Study) -> None:
    daily, artist = days(*worn("P1", *range(5))), Artist()
    waiting = [refresh_days(home, few(study, 3), daily, LAST, (), artist).waiting for _ in range(3)]
    assert waiting == [2, 0, 0]
    assert sorted(on for _, on in artist.drew) == [FIRST + timedelta(days=n) for n in range(5)]


def test_a_day_whose_data_changed_is_drawn_again_and_no_other(home: Home, study: Study) -> None:
    refresh_days(home, study, days(*worn("P1", 0, 1, 2)), LAST, (), Artist())
    artist = Artist()
    refresh_days(home, study, days(*worn("P1", 0, 2), *worn("P1", 1, inputs="b")), LAST, (), artist)
    assert artist.drew == [("P1", FIRST + timedelta(days=1))]


def test_a_page_that_is_out_of_date_is_no_link_until_it_is_drawn_again(home: Home, study: Study) -> None:
    refresh_days(home, study, days(*worn("P1", 0)), LAST, (), Artist())
    changed = days(*worn("P1", 0, inputs="b"))
    assert refresh_days(home, few(study, 0), changed, LAST, (), Artist()) == DayPages(waiting=1)


def test_a_day_that_cannot_be_drawn_says_so_on_its_page_and_takes_no_other_down(home: Home, study: Study) -> None:
    daily, artist = days(*worn("P1", 0), *worn("P2", 0)), Artist("P1")
    pages = refresh_days(home, study, daily, LAST, (), artist)
    assert (pages.made, pages.failed) == (1, (("P1", FIRST),))
    page = (folder(home) / pages.links["P1", FIRST]).read_text()
    assert "could not be drawn (ValueError)" in page
    assert "macromicro show P1 2026-03-02" in page
    assert "no such beats" not in page
    assert [could_not_be_drawn(folder(home) / pages.links[code, FIRST]) for code in ("P1", "P2")] == [True, False]
    assert refresh_days(home, study, daily, LAST, (), artist).made == 0
    assert len(artist.drew) == 2


def test_days_without_signals_or_clips_and_days_that_no_map_shows_have_no_page(home: Home, study: Study) -> None:
    rows = [day("P1", 0, self_reports=5, inputs="a"), *worn("P1", 3)]
    last = FIRST + timedelta(days=31)
    assert refresh_days(home, study, days(*rows), last, (), Artist()).links == {}
    flagged = [("P1", FIRST + timedelta(days=3))]
    assert set(refresh_days(home, study, days(*rows), last, flagged, Artist()).links) == set(flagged)


def test_flagged_days_come_in_their_order() -> None:
    new, old = ("P1", LAST), ("P2", FIRST)
    assert by_urgency([new, old], []) == [new, old]
    assert by_urgency([new, old], [old]) == [old, new]


def test_a_page_is_one_small_file_that_asks_nothing_of_the_network(seen: Home, study: Study) -> None:
    daily = days({"participant": "P001", "date": DAY, "recorded_h": 8.0, "inputs": "a"})
    assert isinstance(daily, pl.DataFrame)
    [name] = refresh_days(seen, study, daily, DAY).links.values()
    page = (folder(seen) / name).read_text()
    assert name == page_name(("P001", DAY)) == "P001_2023-11-15.html"
    assert len(page) < LARGEST_PICTURE * 4 / 3 + 4_000
    assert page.count("src=") == 1
    assert 'src="data:image/png;base64,iVBOR' in page
    assert "http://" not in page
    assert "https://" not in page
    assert 'name="viewport"' in page
    assert 'href="../latest.html#coordinator"' in page
    assert drawn_from(folder(seen) / name) is not None


def test_a_file_that_is_no_page_was_drawn_from_nothing(tmp_path: Path) -> None:
    (tmp_path / "other.html").write_text("<html>")
    assert drawn_from(tmp_path / "other.html") is None
    assert drawn_from(tmp_path / "none.html") is None
