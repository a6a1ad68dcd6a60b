"""Rendering a world's dumps into an inbox: E4 zips, voice clips, the table of self-reports.

A participant-day is one task for the workers, with its own random streams, so its bytes depend on the seed alone.
A file is written whole or not at all; one that is there already is left, since it could only be the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from assets.days import SECOND_US, Calendar
from assets.simulated.affect import Course
from assets.simulated.body import record, session_drives
from assets.simulated.e4 import e4_zip
from assets.simulated.loadings import BODY
from assets.simulated.persons import What, stream
from assets.simulated.shapes import Shapes, neurokit_shapes
from assets.simulated.voice import RATE_HZ, speak, wav
from assets.simulated.wear import Session
from assets.simulated.world import World
from assets.study import Study
from assets.workers import fan_out

Progress = Callable[[int, int], None]
"""Called with participant-days done and in all."""


@dataclass(frozen=True)
class _Task:
    inbox: Path
    seed: int
    course: Course
    day: int
    sessions: tuple[Session, ...]
    shapes: Shapes


def render(inbox: Path, world: World, seed: int, progress: Progress | None) -> int:
    """Write every zip and clip; returns their bytes in all."""
    shapes = neurokit_shapes()
    tasks = [
        _Task(inbox, seed, course, int(day), tuple(s for s in sessions if s.day == day), shapes)
        for course, sessions in zip(world.courses, world.sessions, strict=True)
        for day in np.unique(course.day)
    ]
    size = 0
    for done, (_, result) in enumerate(fan_out(_day, tasks, what="simulating", quiet=progress is not None), start=1):
        if isinstance(result, Exception):
            raise result
        size += result
        if progress is not None:
            progress(done, len(tasks))
    return size


def write_answers(inbox: Path, study: Study, world: World) -> int:
    """Write the table of self-reports: one row per prompt in order of time, missed prompts with empty items."""
    lines = []
    for course in world.courses:
        calendar = Calendar.of(study, course.person.code)
        for n, time_us in enumerate(course.time_us):
            given = [f"{a:.10g}" if course.answered[n] else "" for a in course.answer[n]]
            lines.append(
                (int(time_us), ",".join([course.person.code, calendar.local(int(time_us)).isoformat(), *given]))
            )
    head = ",".join(["participant", "time", *world.items.names])
    text = "\n".join([head, *(line for _, line in sorted(lines))]) + "\n"
    return _write(inbox, inbox / "self_reports" / "answers.csv", text.encode())


def _day(task: _Task) -> int:
    """Render one participant-day (runs in a worker); returns bytes."""
    person, size = task.course.person, 0
    for session in task.sessions:
        path = task.inbox / person.code / "e4" / f"{session.start_s}_{serial(task.course, task.seed)}.zip"
        size += _write(task.inbox, path, partial(_zip, task, session))
    for prompt in np.flatnonzero((task.course.day == task.day) & task.course.answered):
        start, samples = _clip(task, int(prompt))
        path = task.inbox / person.code / "voice" / f"{datetime.fromtimestamp(start, UTC):%Y-%m-%dT%H-%M-%SZ}.wav"
        size += _write(task.inbox, path, wav(samples))
    return size


def serial(course: Course, seed: int) -> str:
    """The wristband's serial number, one per person."""
    return f"A{stream(seed, course.person.number, What.WEAR).integers(0x01000, 0x02000):05X}"


def _zip(task: _Task, session: Session) -> bytes:
    person = task.course.person
    rng = stream(task.seed, person.number, What.RENDER_BODY, session.start_s)
    recording = record(rng, session_drives(task.course, session), person.body, task.shapes)
    presses = [task.course.time_us[i] / SECOND_US - 20 for i in session.prompts if task.course.answered[i]]
    tags = np.array([t for t in presses if session.start_s < t < session.end_s - 10])
    return e4_zip(recording, session.start_s, tags, rng)


def _clip(task: _Task, prompt: int) -> tuple[int, np.ndarray]:
    """UTC second at which the clip starts, and its samples: over a few seconds before the answer is sent."""
    rng = stream(task.seed, task.course.person.number, What.RENDER_VOICE, prompt)
    samples = speak(rng, task.course.drive[prompt, len(BODY) :], task.course.person.voice)
    sent = int(task.course.time_us[prompt]) // SECOND_US
    return sent - int(np.ceil(len(samples) / RATE_HZ)) - int(rng.integers(3, 10)), samples


def _write(inbox: Path, path: Path, data: bytes | Callable[[], bytes]) -> int:
    """Write a file in one step unless it is there (a kill leaves nothing half in the inbox); returns its size."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = inbox.with_name(f".simulated-{os.getpid()}.tmp")
        temporary.write_bytes(data() if callable(data) else data)
        temporary.replace(path)
    return path.stat().st_size
