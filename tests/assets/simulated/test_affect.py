"""The latent level: what is known of momentary affect holds in the simulated answers."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from assets.simulated.loadings import item_world
from assets.simulated.persons import Strengths
from assets.simulated.world import World, draw_world
from assets.study import PAPER_ITEMS, Item, Study

Floats = NDArray[np.float64]


def given(world: World) -> list[Floats]:
    """Each person's answers, (answers, items)."""
    return [c.answer[c.answered] for c in world.courses]


def between_share(groups: list[Floats]) -> float:
    """One-way ANOVA estimate of the intraclass correlation, ICC(1)."""
    sizes = np.array([len(g) for g in groups])
    grand = np.concatenate(groups).mean()
    between = sum(n * (g.mean() - grand) ** 2 for n, g in zip(sizes, groups, strict=True)) / (len(groups) - 1)
    within = sum(((g - g.mean()) ** 2).sum() for g in groups) / (sizes.sum() - len(groups))
    size = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(groups) - 1)
    return float((between - within) / (between + (size - 1) * within))


def test_a_third_of_the_variance_lies_between_people_more_or_less_by_item(crowd: World) -> None:
    shares = [between_share([g[:, item] for g in given(crowd)]) for item in range(9)]
    assert 0.30 < np.mean(shares) < 0.38
    assert 0.11 < min(shares) < 0.20
    assert 0.50 < max(shares) < 0.63


def test_consecutive_answers_of_a_person_correlate_as_they_do_in_life(crowd: World) -> None:
    for item in range(9):
        centred = [g[:, item] - g[:, item].mean() for g in given(crowd)]
        before, after = np.concatenate([c[:-1] for c in centred]), np.concatenate([c[1:] for c in centred])
        assert 0.22 < np.corrcoef(before, after)[0, 1] < 0.33


def test_items_move_together_within_a_person_as_their_names_ask(crowd: World) -> None:
    centred = np.concatenate([g - g.mean(axis=0) for g in given(crowd)])
    together = dict(zip(PAPER_ITEMS, np.corrcoef(centred.T)[PAPER_ITEMS.index("happy")], strict=True))
    assert together["cheerful"] > 0.5
    assert together["gloomy"] < -0.5
    assert abs(together["worried"]) < abs(together["gloomy"])


def test_answers_are_whole_numbers_on_the_scale_and_three_in_ten_are_missed(crowd: World) -> None:
    answers = np.concatenate(given(crowd))
    assert ((answers >= 0) & (answers <= 100) & (answers == np.round(answers))).all()
    assert np.mean(np.isin(answers, (0, 100))) < 0.08
    assert 0.28 < np.mean([~c.answered for c in crowd.courses]) < 0.32


def test_affect_has_a_daily_rhythm(crowd: World) -> None:
    hours = np.concatenate([c.hour for c in crowd.courses])
    energy = np.concatenate([c.factors[:, 1] for c in crowd.courses])
    assert energy[hours < 13].mean() > energy[hours > 17].mean() + 0.1


def test_another_scale_and_unknown_items_are_simulated_too(study: Study) -> None:
    other = study.model_copy(update={"items": {"calm": Item(low=1, high=7), "hungry": Item(low=-3, high=3)}})
    answers = np.concatenate(given(draw_world(other, participants=20, days=5, seed=0)))
    assert answers[:, 0].min() >= 1
    assert answers[:, 0].max() <= 7
    assert 0.3 < answers[:, 1].std() < 3


def test_an_unknown_item_is_the_same_in_every_study() -> None:
    alone, among = item_world({"calm": (0, 100)}), item_world({"happy": (0, 100), "calm": (0, 100)})
    assert np.array_equal(alone.direction[0], among.direction[1])


def test_a_person_stays_the_same_in_a_longer_study_with_more_people(study: Study) -> None:
    small = draw_world(study, participants=2, days=3, seed=1).courses[1]
    large = draw_world(study, participants=5, days=6, seed=1).courses[1]
    n = len(small.day)
    for name in ("time_us", "answer", "drive", "level"):
        assert np.array_equal(getattr(small, name), getattr(large, name)[:n], equal_nan=True)


def test_another_seed_gives_other_people(study: Study) -> None:
    one, two = (draw_world(study, participants=1, days=2, seed=s).courses[0].person for s in (0, 1))
    assert not np.allclose(one.mean, two.mean)


def test_people_differ_in_strength_and_sign_of_reaction_around_one(crowd: World) -> None:
    reaction = np.stack([c.person.reaction for c in crowd.courses])
    assert abs(reaction.mean() - 1) < 0.06
    assert 0.5 < reaction.std() < 0.7
    assert 0.01 < np.mean(reaction < 0) < 0.10


def test_coupling_zero_cuts_body_and_voice_from_affect_and_changes_nothing_else(study: Study) -> None:
    cut = draw_world(study, participants=40, days=14, seed=2, strengths=Strengths(coupling=0))
    whole = draw_world(study, participants=40, days=14, seed=2)
    for a, b in zip(cut.courses, whole.courses, strict=True):
        assert np.array_equal(a.answer, b.answer, equal_nan=True)
        assert replace(a.person, reaction=b.person.reaction).code == b.person.code
    drive, factors = (np.concatenate([getattr(c, n) for c in cut.courses]) for n in ("drive", "factors"))
    assert np.abs(np.corrcoef(drive.T, factors.T)[:9, 9:]).max() < 0.07
    assert np.allclose(cut.predicted, cut.predicted_blind)


def test_body_and_voice_can_be_cut_alone(study: Study) -> None:
    course = draw_world(study, participants=1, days=1, seed=2, strengths=Strengths(body=0)).courses[0]
    assert (course.person.reaction[:5] == 0).all()
    assert (course.person.reaction[5:] != 0).all()
