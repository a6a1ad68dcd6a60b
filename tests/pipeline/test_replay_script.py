"""What arrives when in a replay, and what must follow from it, counted by hand on a small script."""

from datetime import UTC, datetime
from datetime import date as Date

import pytest

from pipeline.replay.plot import LONG, SHORT, SHORTEST, Late, Plot, plot
from pipeline.replay.script import (
    ANSWERS,
    BAND,
    DAMAGED,
    UNITS,
    VOICE,
    Arrival,
    Dump,
    Expected,
    Night,
    Recorded,
    write_script,
)

DAY, NEXT = Date(2026, 3, 9), Date(2026, 3, 10)
NOON_S = 1_773_054_000  # 2026-03-09 12:00 in Berlin


def dump(path: str, kind: str = BAND, day: Date = DAY, content: str = "", *, cut: bool = False) -> Dump:
    code = path.split("/", maxsplit=1)[0]
    return Dump(path, kind, frozenset({(code, day)}), NOON_S, code, NOON_S, content, cut)


def after(*arrivals: tuple[Dump, ...] | str) -> Expected:
    """What is expected after files arrived one lot after another; a text takes that file out."""
    expected = Expected()
    for one in arrivals:
        put, taken = ((), (one,)) if isinstance(one, str) else (one, ())
        expected.forget_changes()
        expected.after(Arrival(datetime(2026, 3, 10, 2, 59, tzinfo=UTC), put, taken))
    return expected


def small(**more: object) -> Plot:
    settings = {"first_day": DAY, "nights": 6, "people": 2, "traveller": 2, "away": (4, 5), "duplicate": 0}
    return Plot(**{**settings, "broken": (), "withdrawn": (1, 0), **more})  # type: ignore[arg-type]


def recorded(days: int = 6, first_day: Date = DAY) -> dict[int, dict[int, Recorded]]:
    """Two people who answer, speak and wear the band at six every evening."""
    six = NOON_S + 6 * 3600 + (first_day - DAY).days * 86_400
    given = {
        day: Recorded((six + day * 86_400,), (six + day * 86_400,), (six + day * 86_400 - 4200, six + day * 86_400))
        for day in range(days)
    }
    return {1: given, 2: given}


def script(plot: Plot) -> list[Night]:
    return write_script(plot, recorded(plot.days, plot.first_day), {1: "P001", 2: "P002"})


def paths(night: Night) -> list[str]:
    return [d.path for arrival in night.arrivals for d in arrival.put]


def test_a_session_changes_its_day_and_the_summary_of_the_day_after_where_there_is_one() -> None:
    lonely = after((dump("P001/a.zip"),))
    assert [lonely.changes[unit] for unit in UNITS] == [1, 1, 1, 0]
    followed = after((dump("P001/b.zip", day=NEXT),), (dump("P001/a.zip"),))
    assert [followed.changes[unit] for unit in UNITS] == [1, 1, 2, 0]
    assert followed.changed["summaries"] == {("P001", DAY), ("P001", NEXT)}


def test_a_clip_and_answers_leave_the_body_alone() -> None:
    assert [after((dump("P001/a.wav", VOICE),)).changes[unit] for unit in UNITS] == [1, 0, 0, 1]
    assert [after((dump("P001/a.csv", ANSWERS),)).changes[unit] for unit in UNITS] == [1, 0, 0, 0]


def test_files_that_come_together_change_their_day_once_and_apart_twice() -> None:
    session, clip = dump("P001/a.zip"), dump("P001/a.wav", VOICE)
    expected = Expected()
    for put in ((session, clip), (dump("P001/b.wav", VOICE),)):
        expected.after(Arrival(datetime(2026, 3, 10, 2, 59, tzinfo=UTC), put))
    assert expected.changes["recordings"] == 2
    assert expected.changes["physiology"] == 1
    assert expected.changes["acoustic"] == 2


def test_a_second_copy_changes_nothing_and_keeps_the_day_when_the_first_is_taken_away() -> None:
    first, copy = dump("P001/a.zip"), dump("P001/again/a.zip", content="P001/a.zip")
    twice = after((first,), (copy,))
    assert sum(twice.changes.values()) == 0
    assert twice.states() == {"read": 1, "duplicate": 1}
    alone = after((first,), (copy,), "P001/a.zip")
    assert sum(alone.changes.values()) == 0
    assert alone.states() == {"read": 1, "withdrawn": 1}


def test_a_damaged_file_changes_no_day() -> None:
    expected = after((Dump("P001/x.zip", DAMAGED, frozenset(), NOON_S, "P001"),))
    assert sum(expected.changes.values()) == 0
    assert expected.states() == {"quarantined": 1}


def test_a_cut_file_counts_from_when_it_is_whole() -> None:
    cut = dump("P001/a.zip", content="half", cut=True)
    whole = after((cut,), (dump("P001/a.zip"),))
    assert whole.changes["recordings"] == 1
    assert whole.states() == {"read": 1, "withdrawn": 1}


def test_a_day_whose_only_file_is_taken_away_is_removed_and_not_computed() -> None:
    gone = after((dump("P001/a.zip"),), "P001/a.zip")
    assert sum(gone.changes.values()) == 0
    assert gone.states() == {"withdrawn": 1}


def test_what_waited_through_a_quiet_time_comes_together_after_it() -> None:
    nights = script(small(quiet=range(2, 4)))
    assert [len(paths(night)) for night in nights] == [6, 0, 0, 18, 6, 6]


def test_people_give_nothing_before_they_join_and_after_they_leave() -> None:
    nights = script(small(joins={1: 1}, leaves={2: 2}))
    people = [{d.participant for a in night.arrivals for d in a.put} for night in nights[:4]]
    assert people == [{"P002"}, {"P001", "P002"}, {"P001"}, {"P001"}]


def test_a_late_session_comes_with_its_night_and_a_cut_one_twice() -> None:
    session = recorded()[1][0].session
    assert session is not None
    path = f"P001/e4/{session[0]}_A0001.zip"
    late = script(small(late=(Late(1, 0, 3),)))
    assert [path in paths(night) for night in late] == [False, False, True, False, False, False]
    cut = script(small(late=(Late(1, 0, 3, cut=True),)))
    assert [[d.cut for a in n.arrivals for d in a.put if d.path == path] for n in cut[:3]] == [[True], [], [False]]


def test_a_copy_is_of_something_that_came_before() -> None:
    nights = script(small(duplicate=3))
    copies = [d for a in nights[2].arrivals for d in a.put if "/again/" in d.path]
    assert [d.identity in paths(nights[1]) for d in copies] == [True]


@pytest.mark.parametrize("told", [SHORTEST, SHORT, LONG])
def test_no_arrival_comes_after_its_night_has_begun_or_before_the_one_before(told: Plot) -> None:
    codes = {n: f"P{n:03d}" for n in range(1, told.people + 1)}
    given = {n: recorded(told.days, told.first_day)[1] for n in codes}
    before = datetime(2000, 1, 1, tzinfo=UTC)
    for night in write_script(told, given, codes):
        begins = datetime.combine(night.date, datetime.min.time(), UTC)
        for arrival in night.arrivals:
            assert before < arrival.at
            assert (arrival.at - begins).total_seconds() < 3 * 3600
            before = arrival.at


def test_on_the_night_when_the_clocks_go_forward_files_come_before_three() -> None:
    """Three o'clock of summer time follows two of winter time: the minute before lies at 01:59."""
    spring = next(n for n in script(small(first_day=Date(2026, 3, 28))) if n.date == Date(2026, 3, 29))
    assert [str(a.at) for a in spring.arrivals] == ["2026-03-29 00:59:15+00:00"]


def test_each_plot_tells_what_a_replay_must_show() -> None:
    told = {what for night in range(1, LONG.nights + 1) for what in LONG.remarks(night)}
    assert told >= {"people join", "somebody has left", "a travel day", "no uploads", "a late dump", "a dump twice"}
    assert told >= {"a broken file", "a dump made whole", "new firmware", "a dump taken back"}
    assert len(LONG.quiet) == 7
    assert LONG.first_day < Date(2026, 3, 29) < Date(2026, 4, 5) < LONG.night_date(LONG.nights)
    for short in (SHORT, SHORTEST):
        assert short.night_date(1) <= Date(2025, 10, 26) <= short.night_date(short.nights)


def test_more_nights_make_the_long_plot_longer() -> None:
    assert plot(40).nights == 40
    assert plot(7) == plot(5) == SHORT
    assert plot(3) == SHORTEST
