"""The files of a replay, made by the simulated study and put into the inbox as its devices and people would.

What was lived and recorded comes from `assets/simulated/`; here it gets the replay's shape: one session an evening,
one table of answers a person and day, and whatever the script spoils, copies or takes away. Times of files are those
of the replay's clock.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from assets.days import SECOND_US, Calendar
from assets.simulated.body import record, session_drives
from assets.simulated.e4 import e4_zip
from assets.simulated.loadings import BODY
from assets.simulated.persons import What, stream
from assets.simulated.shapes import Shapes, neurokit_shapes
from assets.simulated.voice import RATE_HZ, speak, wav
from assets.simulated.wear import Session
from assets.simulated.world import World, draw_world
from assets.study import Home, Study
from pipeline.replay.plot import Plot
from pipeline.replay.script import AFTER_S, ANSWERS, BAND, DAMAGED, WEAR_S, Arrival, Dump, Recorded

PROMPTS_PER_DAY = 3
DAY_OFF = 0.05
FIRMWARE_SCALE = 1.8
"""What the new firmware multiplies skin conductance by."""


@dataclass(frozen=True)
class Lived:
    """A simulated study and the day of its plot; courses are in the order of persons, from 1."""

    plot: Plot
    study: Study
    world: World
    seed: int

    @cached_property
    def codes(self) -> dict[int, str]:
        """The participants' codes by person."""
        return {n: course.person.code for n, course in enumerate(self.world.courses, start=1)}

    @cached_property
    def recorded(self) -> dict[int, dict[int, Recorded]]:
        """What each person gave on each day."""
        return {
            person: {day: self._recorded(person, day) for day in range(self.plot.days)} for person in sorted(self.codes)
        }

    @cached_property
    def shapes(self) -> Shapes:
        """Of pulses and responses."""
        return neurokit_shapes()

    def _recorded(self, person: int, day: int) -> Recorded:
        course = self.world.courses[person - 1]
        prompts = np.flatnonzero(course.day == day)
        sent = [int(course.time_us[n]) // SECOND_US for n in prompts]
        answered = tuple(s for s, n in zip(sent, prompts, strict=True) if course.answered[n])
        # The first day of the new firmware is worn by all: whether it is found must not hang on a drawer.
        worn = day == self.plot.firmware or stream(self.seed, person, What.WEAR, day).random() >= DAY_OFF
        session = (sent[-1] - WEAR_S, sent[-1] + AFTER_S) if worn else None
        return Recorded(answered, tuple(s for s in answered if s == sent[-1]), session)


def live(plot: Plot, study: Study, seed: int) -> Lived:
    """Let the people of a plot live through it."""
    world = draw_world(
        study,
        participants=plot.people,
        days=plot.days,
        seed=seed,
        start=plot.first_day,
        prompts_per_day=PROMPTS_PER_DAY,
    )
    return Lived(plot, study, world, seed)


def render(lived: Lived, arrival: Arrival) -> list[tuple[str, bytes]]:
    """An arrival's files: where they go, and their bytes."""
    return [(dump.path, content(lived, dump)) for dump in arrival.put]


def deliver(home: Home, arrival: Arrival, made: Sequence[tuple[str, bytes]]) -> None:
    """Put rendered files into the inbox, with the arrival's moment as their time, and take out what it takes out."""
    when = arrival.at.timestamp()
    for path in arrival.taken:
        (home.inbox / path).unlink()
    for path, data in made:
        target = home.inbox / path
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = home.root / ".arriving"
        draft.write_bytes(data)
        os.utime(draft, (when, when))
        draft.replace(target)


def content(lived: Lived, dump: Dump) -> bytes:
    """The bytes of a file."""
    if dump.kind == DAMAGED:
        return b"PK\x03\x04 this was a zip once"
    person = next(n for n, code in lived.codes.items() if code == dump.participant)
    if dump.kind == ANSWERS:
        (_, date), *_ = dump.touches
        return _answers(lived, person, (date - lived.plot.first_day).days)
    if dump.kind == BAND:
        data = _session(lived, person, dump)
        return data[: len(data) // 2] if dump.cut else data
    return _clip(lived, person, dump.start_s)


def _session(lived: Lived, person: int, dump: Dump) -> bytes:
    course = lived.world.courses[person - 1]
    given = next(r for r in lived.recorded[person].values() if r.session and r.session[0] == dump.start_s)
    start, end = given.session or (0, 0)
    prompt = _prompt_at(lived, person, end - AFTER_S)
    rng = stream(lived.seed, person, What.RENDER_BODY, start)
    drives = session_drives(course, Session(int(course.day[prompt]), start, end, (prompt,)))
    signals = record(rng, drives, course.person.body, lived.shapes)
    if dump.firmware:
        signals = replace(signals, eda=signals.eda * FIRMWARE_SCALE)
    return e4_zip(signals, start, np.array([end - AFTER_S - 20.0]), rng)


def _clip(lived: Lived, person: int, sent_s: int) -> bytes:
    course = lived.world.courses[person - 1]
    prompt = _prompt_at(lived, person, sent_s)
    rng = stream(lived.seed, person, What.RENDER_VOICE, prompt)
    samples = speak(rng, course.drive[prompt, len(BODY) :], course.person.voice)
    return wav(samples[: RATE_HZ * 4])


def _answers(lived: Lived, person: int, day: int) -> bytes:
    course, calendar = lived.world.courses[person - 1], Calendar.of(lived.study, lived.codes[person])
    rows: Iterable[str] = (
        ",".join(
            [
                lived.codes[person],
                calendar.local(int(course.time_us[n])).isoformat(),
                *(f"{answer:.10g}" for answer in course.answer[n]),
            ]
        )
        for n in np.flatnonzero((course.day == day) & course.answered)
    )
    head = ",".join(["participant", "time", *lived.world.items.names])
    return ("\n".join([head, *rows]) + "\n").encode()


def _prompt_at(lived: Lived, person: int, second: int) -> int:
    times = lived.world.courses[person - 1].time_us // SECOND_US
    return int(np.flatnonzero(times == second)[0])
