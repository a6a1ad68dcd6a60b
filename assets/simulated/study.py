"""Filling a home with a simulated study: the inbox as its devices would fill it, and the truth beside it.

`simulate` draws the world, writes `truth.parquet` next to the inbox (never into it), then has the dumps rendered.
A simulation that was killed goes on where it stopped when it is called again with the same settings; an inbox that
holds anything else is refused, since it is the researcher's.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import date

from assets.errors import StudyError
from assets.simulated.dumps import Progress, render, write_answers
from assets.simulated.persons import Strengths
from assets.simulated.truth import settings_of, truth, write_truth
from assets.simulated.world import FIRST_DAY, PROMPTS_PER_DAY, draw_world, late_ccc
from assets.study import Home, Study

TRUTH = "truth.parquet"


@dataclass(frozen=True)
class Summary:
    """What was simulated, and what could be known of it: CCC over the last fifth of each person's answers."""

    participants: int
    days: int
    prompts: int
    answers: int
    sessions: int
    hours: float
    bytes: int
    oracle_ccc: float
    oracle_without_senses_ccc: float
    seconds: float


def simulate(
    home: Home,
    study: Study,
    *,
    participants: int,
    days: int,
    seed: int = 0,
    start: date = FIRST_DAY,
    prompts_per_day: int = PROMPTS_PER_DAY,
    coupling: float = 1.0,
    body: float = 1.0,
    voice: float = 1.0,
    progress: Progress | None = None,
) -> Summary:
    """Fill the inbox of a home with a simulated study.

    Args:
        home: whose inbox to fill; it must be empty, or hold this very simulation cut short.
        study: items, scales and time zone.
        participants: how many people, P001 and on.
        days: how many local days, from `start` on.
        seed: the same seed and settings give the same bytes.
        start: the first local day.
        prompts_per_day: self-report prompts a day; three in ten are missed.
        coupling: how strongly affect shows in body and voice; 0 cuts both.
        body: the same for the body alone.
        voice: the same for the voice alone.
        progress: called with participant-days done and in all; without it a progress bar is shown.

    Raises:
        StudyError: the inbox holds other data; nothing was written.
        ValueError: fewer than one participant, day or prompt a day.
    """
    began = time.monotonic()
    shape = {"participants": participants, "days": days, "seed": seed, "prompts_per_day": prompts_per_day}
    strengths = Strengths(coupling, body, voice)
    world = draw_world(study, **shape, start=start, strengths=strengths)
    scales = {name: [item.low, item.high] for name, item in study.items.items()}
    settings = {**shape, **asdict(strengths), "start": str(start), "timezone": study.timezone, "items": scales}
    _refuse_other_data(home, settings)
    write_truth(home.root / TRUTH, truth(world), settings)
    size = render(home.inbox, world, seed, progress) + write_answers(home.inbox, study, world)
    return Summary(
        participants=participants,
        days=days,
        prompts=participants * days * prompts_per_day,
        answers=sum(int(c.answered.sum()) for c in world.courses),
        sessions=sum(map(len, world.sessions)),
        hours=sum(s.end_s - s.start_s for p in world.sessions for s in p) / 3600,
        bytes=size,
        oracle_ccc=late_ccc(world, world.predicted),
        oracle_without_senses_ccc=late_ccc(world, world.predicted_blind),
        seconds=time.monotonic() - began,
    )


def _refuse_other_data(home: Home, settings: dict[str, object]) -> None:
    """An inbox with files in it must be of the same simulation."""
    if not any(p.is_file() for p in home.inbox.rglob("*")) or settings_of(home.root / TRUTH) == settings:
        return
    message = (
        f"{home.inbox} holds other data, and a simulated study is never mixed into it. Nothing was written. "
        f"Simulate into a fresh home, or empty the inbox first."
    )
    raise StudyError(message)
