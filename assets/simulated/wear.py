"""When the wristband of the simulated world records: sessions of a day, hours and nights without it.

A worn day has a session around the prompts before lunch and one around those of the evening, each long enough that
every prompt has the hour before it; about half the nights have a short one until the battery is empty. Some
sessions do not happen, some begin late or end early, some days the band stays in the drawer. Hours in UTC seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assets.days import SECOND_US
from assets.simulated.affect import Course, Ints, Mask
from assets.simulated.loadings import Floats
from assets.simulated.persons import What, stream

LOOKBACK_S = 3600
_DAY_OFF, _SKIPPED, _CUT, _NIGHT = 0.04, 0.05, 0.10, 0.5
_NIGHT_S = 3600
_BREAK_S = 3 * 3600
_SEEN = 0.25


@dataclass(frozen=True)
class Session:
    """One recording: whole UTC seconds of its start and end, and the prompts (indices) that lie in it."""

    day: int
    start_s: int
    end_s: int
    prompts: tuple[int, ...]
    night: bool = False


def draw_sessions(course: Course, seed: int) -> list[Session]:
    """All sessions of one person, in order of time."""
    found: list[Session] = []
    time_s = course.time_us // SECOND_US
    for day in np.unique(course.day):
        rng = stream(seed, course.person.number, What.WEAR, int(day))
        off, blocks = rng.random() < _DAY_OFF, _blocks(np.flatnonzero(course.day == day), time_s)
        for block in blocks:
            session = _session(rng, int(day), block, time_s)
            if session and not off:
                found.append(session)
        begin = int(time_s[blocks[-1][-1]]) + int(3.5 * 3600 + 1800 * rng.random())
        if rng.random() < _NIGHT and not off:
            found.append(Session(int(day), begin, begin + int(_NIGHT_S * (0.8 + 0.4 * rng.random())), (), night=True))
    return found


def body_seen(course: Course, sessions: list[Session]) -> Mask:
    """Prompts (n,) of whose preceding hour at least a quarter was recorded."""
    return coverage(course, sessions) >= _SEEN


def coverage(course: Course, sessions: list[Session]) -> Floats:
    """Share of the hour before each prompt that was recorded, (n,)."""
    end = (course.time_us // SECOND_US)[:, None]
    bounds = np.array([(s.start_s, s.end_s) for s in sessions]).reshape(-1, 2)
    overlap = np.minimum(end, bounds[:, 1]) - np.maximum(end - LOOKBACK_S, bounds[:, 0])
    return np.asarray(np.clip(overlap, 0, None).sum(axis=1) / LOOKBACK_S)


def _blocks(prompts: Ints, time_s: Ints) -> list[Ints]:
    """A day's prompts, parted at its one break that is long enough to take the band off (at most two blocks)."""
    gaps = np.diff(time_s[prompts])
    if len(gaps) and gaps.max() > _BREAK_S:
        place = int(gaps.argmax()) + 1
        return [prompts[:place], prompts[place:]]
    return [prompts]


def _session(rng: np.random.Generator, day: int, block: Ints, time_s: Ints) -> Session | None:
    skip, cut, side, share, before, after = rng.random(6)
    start = int(time_s[block[0]]) - LOOKBACK_S - 300 - int(600 * before)
    end = int(time_s[block[-1]]) + 60 + int(240 * after)
    if skip < _SKIPPED:
        return None
    if cut < _CUT:
        lost = int((0.2 + 0.3 * share) * (end - start))
        start, end = (start + lost, end) if side < 0.5 else (start, end - lost)
    return Session(day, start, end, tuple(int(i) for i in block))
