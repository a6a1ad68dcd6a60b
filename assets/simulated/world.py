"""A whole simulated study at the latent level: everybody's course, sessions and the oracle, in a second or two.

What is rendered from it (dumps: `study.py`; features without dumps: `moments.py`) starts here, so both see the
same people.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from assets.days import Calendar
from assets.simulated.affect import Course, Mask, draw_course
from assets.simulated.loadings import Floats, ItemWorld, item_world
from assets.simulated.oracle import oracle
from assets.simulated.persons import AS_DESIGNED, Strengths, draw_person
from assets.simulated.wear import Session, body_seen, draw_sessions
from assets.study import Study

FIRST_DAY = date(2026, 3, 2)
PROMPTS_PER_DAY = 5
_TEST_SHARE = 0.2


@dataclass(frozen=True)
class World:
    """The items, and for each person the course, the sessions and what the oracle says.

    `predicted` and `predicted_blind` (without body and voice) are (people, prompts, items) in scale units.
    """

    items: ItemWorld
    courses: tuple[Course, ...]
    sessions: tuple[tuple[Session, ...], ...]
    predicted: Floats
    predicted_blind: Floats

    @property
    def answers(self) -> Floats:
        """(people, prompts, items), NaN where missed."""
        return np.stack([c.answer for c in self.courses])

    @property
    def late(self) -> Mask:
        """The last fifth of each person's answers, (people, prompts): where models are compared."""
        answered = np.stack([c.answered for c in self.courses])
        rank = np.cumsum(answered, axis=1)
        return np.asarray(answered & (rank > np.floor((1 - _TEST_SHARE) * rank[:, -1:])))


def draw_world(
    study: Study,
    *,
    participants: int,
    days: int,
    seed: int,
    start: date = FIRST_DAY,
    prompts_per_day: int = PROMPTS_PER_DAY,
    strengths: Strengths = AS_DESIGNED,
) -> World:
    """Everything but the rendering.

    Raises:
        ValueError: fewer than one participant, day or prompt a day.
    """
    if min(participants, days, prompts_per_day) < 1:
        message = f"a study has at least one participant, day and prompt, not {participants}, {days}, {prompts_per_day}"
        raise ValueError(message)
    items = item_world({name: (item.low, item.high) for name, item in study.items.items()})
    courses = []
    for number in range(1, participants + 1):
        person = draw_person(items, number, seed, strengths)
        calendar = Calendar.of(study, person.code)
        courses.append(
            draw_course(items, person, calendar, start=start, days=days, prompts_per_day=prompts_per_day, seed=seed)
        )
    sessions = tuple(tuple(draw_sessions(c, seed)) for c in courses)
    seen = [body_seen(c, list(s)) for c, s in zip(courses, sessions, strict=True)]
    predicted, blind = (oracle(items, courses, seen, senses=senses) for senses in (True, False))
    return World(items, tuple(courses), sessions, predicted, blind)


def late_ccc(world: World, predicted: Floats) -> float:
    """Pooled concordance (Lin 1989) over the last fifth of each person's answers, mean over items; NaN if undefined."""
    answers = world.answers
    found = []
    for item in range(answers.shape[2]):
        given, said = answers[..., item][world.late], predicted[..., item][world.late]
        if len(given) > 1:
            around = given.var() + said.var() + (given.mean() - said.mean()) ** 2
            found.append(2 * float(np.mean((given - given.mean()) * (said - said.mean()))) / around)
    return float(np.mean(found)) if found else float("nan")
