from datetime import date

from assets.lake import Key
from assets.ledger import Stamp
from pipeline.plan import Facts, UnitFacts, plan

MONDAY, TUESDAY, FRIDAY = (date(2026, 3, day) for day in (2, 3, 6))


def facts(
    wanted: dict[Key, str] | None = None,
    stamps: dict[Key, Stamp] | None = None,
    uncatalogued: tuple[str, ...] = (),
    learnable: str | None = "a",
    learnt: str | None = "a",
) -> Facts:
    unit = UnitFacts("recordings", "1", wanted or {}, stamps or {})
    return Facts(uncatalogued, [unit], learnable, learnt)


def test_a_study_that_is_up_to_date_has_nothing_to_do() -> None:
    assert plan(facts({Key("P1", MONDAY): "x"}, {Key("P1", MONDAY): Stamp("x", "1")})).nothing


def test_a_new_file_asks_for_the_catalogue() -> None:
    assert plan(facts(uncatalogued=("P1/e4/1.zip",))).ingest


def test_a_day_never_computed_is_pending() -> None:
    assert plan(facts({Key("P1", MONDAY): "x"})).ranges == ((MONDAY, MONDAY),)


def test_a_day_whose_inputs_changed_is_pending() -> None:
    assert plan(facts({Key("P1", MONDAY): "y"}, {Key("P1", MONDAY): Stamp("x", "1")})).ranges == ((MONDAY, MONDAY),)


def test_a_day_computed_by_older_code_is_pending() -> None:
    assert plan(facts({Key("P1", MONDAY): "x"}, {Key("P1", MONDAY): Stamp("x", "0")})).ranges == ((MONDAY, MONDAY),)


def test_a_day_that_should_exist_no_more_is_pending() -> None:
    assert plan(facts({}, {Key("P1", MONDAY): Stamp("x", "1")})).ranges == ((MONDAY, MONDAY),)


def test_days_of_several_people_become_contiguous_ranges() -> None:
    wanted = {Key("P1", MONDAY): "x", Key("P2", TUESDAY): "x", Key("P1", FRIDAY): "x"}
    assert plan(facts(wanted)).ranges == ((MONDAY, TUESDAY), (FRIDAY, FRIDAY))


def test_answers_not_learnt_from_yet_ask_for_learning() -> None:
    assert plan(facts(learnable="b")).learn


def test_a_study_without_answers_has_nothing_to_learn() -> None:
    assert not plan(facts(learnable=None, learnt=None)).learn


def test_the_same_work_to_do_is_the_same_state() -> None:
    first, again = (plan(facts({Key("P1", MONDAY): "x"})) for _ in range(2))
    assert first.state == again.state


def test_other_inputs_of_the_same_day_are_another_state() -> None:
    assert plan(facts({Key("P1", MONDAY): "x"})).state != plan(facts({Key("P1", MONDAY): "y"})).state
