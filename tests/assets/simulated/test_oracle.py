"""The oracle: exact against plain Gaussian conditioning, blind to the future, and clearly above the past answers."""

import numpy as np
from numpy.typing import NDArray

from assets.simulated.affect import FAST_HOURS, FAST_SHARE, SLOW_HOURS, SLOW_SHARE, Course
from assets.simulated.loadings import ItemWorld, channel_weights
from assets.simulated.oracle import oracle
from assets.simulated.world import World, draw_world, late_ccc
from assets.study import Study

Floats = NDArray[np.float64]


def conditioned(items: ItemWorld, course: Course, n: int) -> Floats:
    """Mean of the factors before answer n given all earlier answers and drives up to n, by one large solve."""
    hours = (course.time_us[: n + 1] - course.time_us[0]) / 3.6e9
    lag = np.abs(hours[:, None] - hours)
    kernel = SLOW_SHARE * np.exp(-lag / SLOW_HOURS) + FAST_SHARE * np.exp(-lag / FAST_HOURS)
    person, views, seen, noise, at = course.person, [], [], [], []
    for t in range(n + 1):
        views.append(person.reaction[:, None] * channel_weights())
        seen.append(course.drive[t] - views[-1] @ course.rhythm[t])
        noise.append(person.noise**2)
        at += [t] * len(person.noise)
        if t < n:
            views.append(person.loading)
            share = (course.answer[t] - items.low) / items.span
            seen.append(share - person.mean - person.loading @ course.rhythm[t])
            noise.append(person.unique_sd**2)
            at += [t] * len(person.mean)
    view, when = np.concatenate(views), np.array(at)
    joint = (view @ view.T) * kernel[np.ix_(when, when)] + np.diag(np.concatenate(noise))
    across = view.T * kernel[n, when]
    return np.asarray(across @ np.linalg.solve(joint, np.concatenate(seen)))


def test_the_filter_equals_conditioning_on_everything_at_once(study: Study) -> None:
    world = draw_world(study, participants=3, days=2, seed=8)
    course = world.courses[0]
    n = 7
    answer = np.where(np.isnan(course.answer), 50.0, course.answer)
    full = Course(**{**vars(course), "answer": answer, "answered": np.ones(len(answer), bool)})
    level = course.person.mean + course.person.loading @ (course.rhythm[n] + conditioned(world.items, full, n))
    predicted = oracle(world.items, [full], [np.ones(len(answer), bool)])[0, n] / 100
    inside = (level > 0.35) & (level < 0.65)
    assert inside.sum() >= 3
    assert np.allclose(predicted[inside], level[inside], atol=2e-3)


def test_nothing_later_changes_a_prediction(study: Study) -> None:
    short, long = (draw_world(study, participants=3, days=d, seed=3) for d in (4, 9))
    assert np.allclose(short.predicted, long.predicted[:, : short.predicted.shape[1]])


def test_its_own_answer_does_not_enter_a_prediction(study: Study) -> None:
    world = draw_world(study, participants=2, days=3, seed=3)
    last = [
        Course(**{**vars(c), "answer": np.where(np.arange(15)[:, None] == 14, 100.0, c.answer)}) for c in world.courses
    ]
    again = oracle(world.items, last, [np.ones(15, bool)] * 2)
    before = oracle(world.items, world.courses, [np.ones(15, bool)] * 2)
    assert np.array_equal(again, before)


def past_means(world: World, weight: float | None) -> Floats:
    """EWMA (or plain mean, without a weight) of earlier answers, on the grid of prompts."""
    out = np.full_like(world.answers, np.nan)
    for person, answers in enumerate(world.answers):
        mean, count = np.zeros(answers.shape[1]), 0
        for n, answer in enumerate(answers):
            out[person, n] = mean if count else np.nan
            if not np.isnan(answer[0]):
                count += 1
                mean = mean + (answer - mean) * (1 / count if weight is None or count == 1 else weight)
    return out


def test_body_and_voice_add_clearly_to_the_past_answers_in_the_demo_study(study: Study) -> None:
    world = draw_world(study, participants=10, days=12, seed=0)
    ewma, mean = late_ccc(world, past_means(world, 0.2)), late_ccc(world, past_means(world, None))
    assert ewma > mean
    assert late_ccc(world, world.predicted) > ewma + 0.15
    assert late_ccc(world, world.predicted_blind) > ewma


def test_predictions_of_the_oracle_are_unbiased_and_on_the_scale(crowd: World) -> None:
    error = crowd.answers - crowd.predicted
    assert abs(np.nanmean(error)) < 0.3
    assert crowd.predicted.min() >= 0
    assert crowd.predicted.max() <= 100
    slope = np.polyfit(crowd.predicted[~np.isnan(error)], crowd.answers[~np.isnan(error)], 1)[0]
    assert abs(slope - 1) < 0.03
