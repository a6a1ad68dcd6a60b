"""How people feel in the simulated world: latent affect, what they answer, and what drives body and voice.

Each factor of a person is the sum of a daily rhythm, a slow part (days) and a fast part (hours), together of unit
variance. An item's level is the person's mean plus the factors times the person's loadings; an answer adds what is
the item's own at that moment, is cut at the ends of the scale and rounded to whole hundredths of it, as a slider
does. A channel's drive is the factors' mix times the person's reaction, plus noise that has nothing to do with
affect. When prompts come, and which are missed, is decided here; when the wristband is worn in `wear.py`.
Everything is a pure function of the person and the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from assets.days import SECOND_US, Calendar
from assets.simulated.loadings import CHANNELS, FACTORS, Floats, ItemWorld, channel_weights
from assets.simulated.persons import Person, What, stream

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

RHYTHM_SHARE, SLOW_SHARE, FAST_SHARE = 0.10, 0.22, 0.68
SLOW_HOURS, FAST_HOURS = 84.0, 3.0
MISSED = 0.30
_ROOM_H = 0.15
_MORNING, _EVENING = (10.0, 12.4), (17.5, 18.9)


@dataclass(frozen=True)
class Course:
    """One person's study, prompt by prompt (n of them, in time order).

    `time_us` is when the answer was given, or when the prompt came if it was missed. `rhythm`, `slow` and `fast`
    are (n, factors); `drive` (n, channels); `level` and `answer` (n, items) in scale units, `answer` NaN where
    missed.
    """

    person: Person
    day: Ints
    time_us: Ints
    hour: Floats
    answered: Mask
    rhythm: Floats
    slow: Floats
    fast: Floats
    drive: Floats
    level: Floats
    answer: Floats

    @property
    def factors(self) -> Floats:
        """What the person feels, (n, factors)."""
        return self.rhythm + self.slow + self.fast


def draw_course(
    world: ItemWorld, person: Person, calendar: Calendar, *, start: date, days: int, prompts_per_day: int, seed: int
) -> Course:
    """What one person lives through, and answers, in `days` local days from `start` on."""
    number = person.number
    day, time_us, hour, answered = _prompts(number, calendar, start, days, prompts_per_day, seed)
    rhythm = np.sqrt(2 * RHYTHM_SHARE) * np.cos(2 * np.pi * (hour[:, None] - person.rhythm_phase_h) / 24)
    slow = np.sqrt(SLOW_SHARE) * _wander(stream(seed, number, What.SLOW), time_us, SLOW_HOURS)
    fast = np.sqrt(FAST_SHARE) * _wander(stream(seed, number, What.FAST), time_us, FAST_HOURS)
    factors = rhythm + slow + fast
    noise = stream(seed, number, What.NOISE).standard_normal((len(day), len(CHANNELS)))
    share = person.mean + factors @ person.loading.T
    own = person.unique_sd * stream(seed, number, What.UNIQUE).standard_normal(share.shape)
    # Rounded once more so that the table of self-reports, in decimals, says exactly the same number.
    slider = np.round(world.low + world.span * np.round(np.clip(share + own, 0, 1), 2), 10)
    return Course(
        person=person,
        day=day,
        time_us=time_us,
        hour=hour,
        answered=answered,
        rhythm=rhythm,
        slow=slow,
        fast=fast,
        drive=person.reaction * (factors @ channel_weights().T) + person.noise * noise,
        level=world.low + world.span * np.clip(share, 0, 1),
        answer=np.where(answered[:, None], slider, np.nan),
    )


def prompt_hours(prompts_per_day: int) -> Floats:
    """Nominal local hours: more than half of them before lunch, the rest in the early evening."""
    first = (prompts_per_day + 1) // 2
    blocks: Sequence[tuple[tuple[float, float], int]] = ((_MORNING, first), (_EVENING, prompts_per_day - first))
    return np.concatenate([np.linspace(*ends, n) if n > 1 else np.full(n, np.mean(ends)) for ends, n in blocks])


def _prompts(
    number: int, calendar: Calendar, start: date, days: int, per_day: int, seed: int
) -> tuple[Ints, Ints, Floats, Mask]:
    """Day number, time (UTC µs, whole seconds), wall-clock hour, and whether it was answered, of every prompt."""
    draw = stream(seed, number, What.PROMPTS).random((days, per_day, 3))
    nominal = prompt_hours(per_day)
    room = min(_ROOM_H, 0.1 * float(np.diff(nominal).min())) if per_day > 1 else _ROOM_H
    hours = nominal + room * (2 * draw[..., 0] - 1)
    answered = draw[..., 1] >= MISSED
    delay_s = np.where(answered, 15 + 420 * draw[..., 2] ** 2, 0) * room / _ROOM_H
    seconds = np.round(hours * 3600 + delay_s).astype(np.int64)
    times = [_utc_us(calendar, start + timedelta(days=d), int(s)) for d in range(days) for s in seconds[d]]
    return (
        np.repeat(np.arange(days), per_day),
        np.array(times, dtype=np.int64),
        seconds.ravel() / 3600,
        answered.ravel(),
    )


def _utc_us(calendar: Calendar, day: date, wall_s: int) -> int:
    """UTC µs at which the participant's clock shows so many seconds after midnight of that day."""
    midnight, _ = calendar.span_us(day)
    wall = datetime(day.year, day.month, day.day, tzinfo=calendar.zone(midnight)) + timedelta(seconds=wall_s)
    return int(wall.astimezone(UTC).timestamp()) * SECOND_US


def _wander(rng: np.random.Generator, time_us: Ints, hours: float) -> Floats:
    """Ornstein–Uhlenbeck processes of unit variance at the given times, (n, factors), exact for uneven steps."""
    kicks = rng.standard_normal((len(time_us), len(FACTORS)))
    keep = np.r_[0.0, np.exp(-np.diff(time_us) / (hours * 3600 * SECOND_US))]
    out, state = np.empty_like(kicks), np.zeros(len(FACTORS))
    for n, k in enumerate(keep):
        state = k * state + np.sqrt(1 - k * k) * kicks[n]
        out[n] = state
    return out
