from dataclasses import dataclass

import numpy as np
import pytest

from assets.study import Gate
from models.cohort import Floats
from models.gate import Decision, Evidence, decide

PEOPLE, EACH, ITEMS = 20, 10, 3
SPAN = np.array([100.0, 100.0, 10.0])


@dataclass
class Said:
    value: Floats
    low: Floats
    high: Floats


def evidence(people: int = PEOPLE, each: int = EACH) -> Evidence:
    rng = np.random.default_rng(0)
    answers = rng.uniform(0, 1, (people * each, ITEMS)) * SPAN
    return Evidence(answers, np.repeat(np.arange(people), each), SPAN)


def off_by(of: Evidence, share: float | Floats, width: float = 0.5) -> Said:
    """Predictions that miss every answer by a share of its scale, with intervals of ± `width` of it."""
    value = of.answers + np.broadcast_to(np.asarray(share).reshape(-1, 1), of.answers.shape) * SPAN
    return Said(value, value - width * SPAN, value + width * SPAN)


def judged(of: Evidence, challenger: Said, champion: Said, *, first: bool = False) -> Decision:
    return decide(of, challenger, champion, Gate(), first=first)


def test_a_challenger_that_is_better_for_everyone_is_promoted_with_its_lift() -> None:
    given = evidence()
    decision = judged(given, off_by(given, 0.10), off_by(given, 0.13))
    assert decision.promote
    assert decision.figures["lift"] == pytest.approx(0.03)
    assert (decision.figures["people"], decision.figures["answers"], decision.figures["improved"]) == (20, 200, 1)


def test_the_same_model_again_is_declined() -> None:
    given = evidence()
    decision = judged(given, off_by(given, 0.1), off_by(given, 0.1))
    assert not decision.promote
    assert "no lift" in decision.reason


def test_a_lift_that_a_few_people_carry_is_declined() -> None:
    given = evidence()
    champion = np.where(given.person < 2, 0.15, 0.1) + np.random.default_rng(1).normal(0, 0.001, len(given.person))
    decision = judged(given, off_by(given, 0.101), off_by(given, champion))
    assert decision.figures["lift"] > 0
    assert decision.figures["lift_low"] < 0
    assert not decision.promote


def test_a_challenger_that_harms_the_worst_tenth_is_declined_however_good_it_is_for_others() -> None:
    given = evidence()
    challenger = np.where(given.person < 2, 0.18, 0.05)
    decision = judged(given, off_by(given, challenger), off_by(given, 0.15))
    assert decision.figures["lift_low"] > 0
    assert not decision.promote
    assert "worst tenth" in decision.reason


def test_intervals_that_miss_too_many_answers_are_declined() -> None:
    given = evidence()
    decision = judged(given, off_by(given, 0.1, width=0.05), off_by(given, 0.2))
    assert not decision.promote
    assert "intervals" in decision.reason


@pytest.mark.parametrize(("people", "each"), [(20, 2), (2, 40)])
def test_too_few_answers_or_people_decide_nothing(people: int, each: int) -> None:
    given = evidence(people, each)
    decision = judged(given, off_by(given, 0.0), off_by(given, 0.3))
    assert not decision.promote
    assert "too little new evidence" in decision.reason


def test_unanswered_items_count_for_neither() -> None:
    given = evidence()
    holes = given.answers.copy()
    holes[::2] = np.nan
    challenger, champion = off_by(given, 0.1), off_by(given, 0.13)
    decision = judged(Evidence(holes, given.person, SPAN), challenger, champion)
    assert decision.figures["answers"] == 100
    assert decision.figures["lift"] == pytest.approx(0.03)


def test_whoever_answers_most_does_not_decide_for_all() -> None:
    given = evidence(2, 50)
    most = Evidence(given.answers[:60], given.person[:60], SPAN)
    challenger = np.where(most.person == 0, 0.1, 0.3)
    assert judged(most, off_by(most, challenger), off_by(most, 0.2)).figures["lift"] == pytest.approx(0.0)


def test_the_first_champion_may_be_the_personal_baseline_itself() -> None:
    given = evidence()
    decision = judged(given, off_by(given, 0.1), off_by(given, 0.1), first=True)
    assert decision.promote
    assert "baseline itself" in decision.reason


def test_a_first_champion_worse_than_the_personal_baseline_is_declined() -> None:
    given = evidence()
    assert not judged(given, off_by(given, 0.12), off_by(given, 0.1), first=True).promote


def test_the_first_champion_needs_no_answers_to_judge_by() -> None:
    none = evidence().take(np.zeros(PEOPLE * EACH, dtype=bool))
    assert judged(none, off_by(none, 0.0), off_by(none, 0.0), first=True).promote
    assert not judged(none, off_by(none, 0.0), off_by(none, 0.0)).promote


def test_of_one_person_the_lift_itself_decides_where_a_study_is_content_with_one() -> None:
    given, alone = evidence(people=1, each=100), Gate(min_people=1)
    good, bad = off_by(given, 0.10), off_by(given, 0.13)
    assert decide(given, good, bad, alone).promote
    worse = decide(given, bad, good, Gate(min_people=1, worst_decile_harm=0.5))
    assert not worse.promote
    assert "no lift to be sure of" in worse.reason
    assert not decide(given, bad, good, alone, first=True).promote
