import polars as pl
import pytest

from assets.lake import Lake
from assets.moments.cohort import asked, last_day, load_cohort, load_moments
from assets.moments.unit import refresh_moments
from assets.study import Home, Study
from tests.assets.moments.rows import DAY_US, HOUR_US, START_US, live_in, lived, reports, sources


@pytest.fixture(autouse=True)
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")


@pytest.fixture
def lived_in(home: Home, study: Study) -> Home:
    for seed, participant in enumerate(("P1", "P2", "P3")):
        live_in(home, study, participant, lived(seed))
    assert refresh_moments(home, study, quiet=True).failed == {}
    return home


def test_everyone_who_answered_has_moments(lived_in: Home, study: Study) -> None:
    frame = load_moments(lived_in, study)
    assert frame.group_by("participant", maintain_order=True).len().rows() == [("P1", 20), ("P2", 20), ("P3", 20)]
    assert load_cohort(lived_in, study).answers.shape == (60, 9)


def test_a_second_round_makes_nothing_anew(lived_in: Home, study: Study) -> None:
    report = refresh_moments(lived_in, study, quiet=True)
    assert (report.skipped, report.computed) == (3, [])


def test_one_new_answer_remakes_the_moments_of_its_person_only(lived_in: Home, study: Study) -> None:
    given = lived(1)
    more = pl.concat([given.reports, reports([START_US + 5 * DAY_US])])
    live_in(lived_in, study, "P2", sources(more, given.windows, given.clips))
    report = refresh_moments(lived_in, study, quiet=True)
    assert [key.participant for key in report.computed] == ["P2"]
    assert load_moments(lived_in, study).height == 61


def test_another_look_back_remakes_everyone(lived_in: Home, study: Study) -> None:
    longer = study.model_copy(update={"windows": study.windows.model_copy(update={"lookback_minutes": 90.0})})
    assert len(refresh_moments(lived_in, longer, quiet=True).computed) == 3


def test_moments_of_someone_whose_dumps_were_withdrawn_are_removed(lived_in: Home, study: Study) -> None:
    for unit in ("recordings", "physiology", "acoustic"):
        Lake(lived_in.lake).write_bytes(f"ledger/{unit}/P1.json", b"{}")
    refresh_moments(lived_in, study, quiet=True)
    assert set(load_moments(lived_in, study)["participant"]) == {"P2", "P3"}


def test_a_night_asks_about_noon_of_the_day_after_the_last_data(lived_in: Home, study: Study) -> None:
    frame = asked(lived_in, study)
    assert str(last_day(lived_in)) == "2026-03-06"
    assert frame["participant"].to_list() == ["P1", "P2", "P3"]
    assert frame["local_hour"].to_list() == [12.0] * 3
    assert {str(d) for d in frame["day"]} == {"2026-03-07"}


def test_the_history_of_an_asked_row_is_every_earlier_answer_oldest_first(lived_in: Home, study: Study) -> None:
    row = asked(lived_in, study, ["P2"]).row(0, named=True)
    own = load_moments(lived_in, study).filter(pl.col("participant") == "P2")
    assert row["past_happy"] == own["y_happy"].to_list()
    assert row["past_age_h"] == pytest.approx(((row["time_us"] - own["time_us"]) / HOUR_US).to_list())
    assert all(value != value for value in row["past_worried"])  # noqa: PLR0124 (NaN: never answered)


def test_a_night_asked_about_an_earlier_day_knows_nothing_of_that_day(lived_in: Home, study: Study) -> None:
    day = last_day(lived_in)
    assert day is not None
    own = load_moments(lived_in, study).filter((pl.col("participant") == "P1") & (pl.col("day") < day))
    row = asked(lived_in, study, ["P1"], day).row(0, named=True)
    assert row["past_happy"] == own["y_happy"].to_list()


def test_someone_who_never_answered_is_asked_about_all_the_same(home: Home, study: Study) -> None:
    given = lived(0)
    live_in(home, study, "P1", sources(given.reports.clear(), given.windows))
    refresh_moments(home, study, quiet=True)
    row = asked(home, study).row(0, named=True)
    assert row["past_age_h"] == []
    assert row["yesterday.hr_bpm"] is not None
    assert load_moments(home, study).height == 0


def test_an_empty_study_asks_nothing(home: Home, study: Study) -> None:
    refresh_moments(home, study, quiet=True)
    assert asked(home, study).height == 0
    assert len(load_cohort(home, study)) == 0
