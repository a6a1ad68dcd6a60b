"""What could be known at best: predictions by someone who knows the generating model and every true parameter.

For each prompt, in time order, a Kalman filter holds the slow and fast parts of a person's factors. Before the
answer it sees the earlier answers and, where they were recorded, the body's and the voice's drives of this and
earlier moments; never anything later. A prediction is the mean of the answer after cutting at the scale's ends.
Answers at the very ends are taken at face value (they are cut values of something beyond), so the filter lies a
hair below the true optimum; a model fitted to data cannot know more than it does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assets.days import SECOND_US
from assets.simulated.affect import FAST_HOURS, FAST_SHARE, SLOW_HOURS, SLOW_SHARE, Course, Mask
from assets.simulated.loadings import BODY, CHANNELS, FACTORS, Floats, ItemWorld, channel_weights

_UNSEEN = 1e9
_K = len(FACTORS)


def oracle(world: ItemWorld, courses: Sequence[Course], body_seen: Sequence[Mask], *, senses: bool = True) -> Floats:
    """Predict every item of every prompt of people with equally many prompts.

    Args:
        world: the items.
        courses: the people, each with n prompts.
        body_seen: for each person, the prompts (n,) before which the wristband was worn. A voice is heard with
            each answered prompt.
        senses: with False, earlier answers and the clock are all it has.

    Returns:
        (people, n, items) in scale units; missed prompts are predicted too.
    """
    rhythm = np.stack([c.rhythm for c in courses])
    loading = np.stack([c.person.loading for c in courses])
    mean = np.stack([c.person.mean for c in courses])
    unique = np.stack([c.person.unique_sd for c in courses])
    keeps = _keeps(courses)
    see = _state_view(np.stack([c.person.reaction[:, None] * channel_weights() for c in courses]))
    ask = _state_view(loading)
    drive, drive_var = _drives(courses, body_seen, senses)
    answers = np.stack([(c.answer - world.low) / world.span for c in courses])
    prior = np.repeat([SLOW_SHARE, FAST_SHARE], _K)
    state = np.zeros((len(courses), 2 * _K))
    spread = np.tile(np.diag(prior), (len(courses), 1, 1))
    out = np.empty_like(answers)
    for n in range(answers.shape[1]):
        keep = keeps[:, n]
        state = keep * state
        spread = keep[:, :, None] * spread * keep[:, None, :] + _diagonal(prior * (1 - keep**2))
        rest = np.einsum("pck,pk->pc", see[:, :, :_K], rhythm[:, n])
        state, spread = _learn(state, spread, see, drive[:, n] - rest, drive_var[:, n])
        rest = mean + np.einsum("pik,pk->pi", loading, rhythm[:, n])
        out[:, n] = _cut_mean(*_foresee(state, spread, ask, rest, unique))
        missing = np.isnan(answers[:, n])
        gap = np.where(missing, 0, answers[:, n] - rest)
        state, spread = _learn(state, spread, ask, gap, np.where(missing, _UNSEEN, unique**2))
    return np.asarray(world.low + world.span * out)


def _keeps(courses: Sequence[Course]) -> Floats:
    """How much of each state's value is left after the step to each prompt, (people, n, states)."""
    hours = np.diff(np.stack([c.time_us for c in courses]), axis=1, prepend=0) / (3600 * SECOND_US)
    return np.asarray(np.exp(-hours[..., None] / np.repeat([SLOW_HOURS, FAST_HOURS], _K)))


def _drives(courses: Sequence[Course], body_seen: Sequence[Mask], senses: bool) -> tuple[Floats, Floats]:  # noqa: FBT001
    """Drives as observed and the variances of their noise, both (people, n, channels)."""
    is_body = np.arange(len(CHANNELS)) < len(BODY)
    seen = np.stack(
        [np.where(is_body, b[:, None], c.answered[:, None]) for c, b in zip(courses, body_seen, strict=True)]
    )
    seen &= senses
    noise = np.stack([c.person.noise for c in courses])[:, None, :]
    drive = np.stack([c.drive for c in courses])
    return np.where(seen, drive, 0), np.where(seen, noise**2, _UNSEEN)


def _state_view(rows: Floats) -> Floats:
    """(people, observed, factors) → (people, observed, states): slow and fast parts count alike."""
    return np.concatenate([rows, rows], axis=2)


def _diagonal(values: Floats) -> Floats:
    return np.asarray(values[..., None] * np.eye(values.shape[-1]))


def _learn(state: Floats, spread: Floats, view: Floats, seen: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """One Kalman update for all people: state (p, s), spread (p, s, s), view (p, o, s), seen and variance (p, o)."""
    across = spread @ view.transpose(0, 2, 1)
    gain = np.linalg.solve(view @ across + _diagonal(variance), across.transpose(0, 2, 1)).transpose(0, 2, 1)
    surprise = seen - np.einsum("pos,ps->po", view, state)
    fresh = spread - gain @ across.transpose(0, 2, 1)
    return state + np.einsum("pso,po->ps", gain, surprise), (fresh + fresh.transpose(0, 2, 1)) / 2


def _foresee(state: Floats, spread: Floats, view: Floats, rest: Floats, unique: Floats) -> tuple[Floats, Floats]:
    middle = rest + np.einsum("pis,ps->pi", view, state)
    return middle, np.sqrt(np.einsum("pis,pst,pit->pi", view, spread, view) + unique**2)


def _cut_mean(mean: Floats, sd: Floats) -> Floats:
    """Mean of a normal variable cut to 0–1: E[min(max(x, 0), 1)]."""
    from scipy.special import ndtr

    low, high = -mean / sd, (1 - mean) / sd
    density = np.exp(-(low**2) / 2) - np.exp(-(high**2) / 2)
    inside = mean * (ndtr(high) - ndtr(low)) + sd * density / np.sqrt(2 * np.pi)
    return np.asarray(inside + 1 - ndtr(high))
