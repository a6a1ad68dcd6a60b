"""A simulated study's moments without its signals: what models and benchmarks need, in seconds.

The frame has the columns of the lake's moments (`models/cohort.py` says what they mean, `assets/moments/table.py`
which there are): one row per answered prompt, past values strictly from earlier rows, a modality missing where the
band was not worn. Beside them stand `oracle_<item>` and `oracle_without_senses_<item>`, which no model may see.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from assets.days import Calendar
from assets.moments.aggregate import Past, past
from assets.moments.table import DAILY, YESTERDAY, modalities
from assets.simulated.affect import Course, Mask
from assets.simulated.features import drawn_features
from assets.simulated.loadings import Floats
from assets.simulated.persons import Strengths
from assets.simulated.wear import body_seen, coverage
from assets.simulated.world import FIRST_DAY, PROMPTS_PER_DAY, World, draw_world
from assets.study import Study

_VOICE = "voice"


def simulated_moments(
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
) -> pl.DataFrame:
    """The moments of a simulated study, with the oracle's predictions.

    Args:
        study: items, scales and time zone.
        participants: how many people.
        days: how many local days, from `start` on.
        seed: the same people, feeling and answering as in `simulate` with this seed.
        start: the first local day.
        prompts_per_day: self-report prompts a day; three in ten are missed.
        coupling: how strongly affect shows in body and voice; 0 cuts both.
        body: the same for the body alone.
        voice: the same for the voice alone.

    Returns:
        Rows sorted by participant and time; what is missing is null.
    """
    world = draw_world(
        study, participants=participants, days=days, seed=seed, start=start,
        prompts_per_day=prompts_per_day, strengths=Strengths(coupling, body, voice),
    )  # fmt: skip
    people = [_person(world, number, seed) for number in range(participants)]
    columns = {name: np.concatenate([p[name] for p in people]) for name in people[0]}
    counts = [pl.col(name).cast(pl.Int64) for name in columns if name.endswith(".past_n")]
    keys = [_keys(study, course) for course in world.courses]
    features = pl.DataFrame(columns).with_columns(pl.selectors.float().fill_nan(None)).with_columns(counts)
    return pl.concat([pl.concat(keys), features], how="horizontal")


def _keys(study: Study, course: Course) -> pl.DataFrame:
    calendar, times = Calendar.of(study, course.person.code), course.time_us[course.answered]
    return pl.DataFrame(
        {
            "participant": [course.person.code] * len(times),
            "time_us": times,
            "day": [calendar.day(int(t)) for t in times],
            "local_hour": course.hour[course.answered],
        },
        schema={"participant": pl.String(), "time_us": pl.Int64(), "day": pl.Date(), "local_hour": pl.Float64()},
    )


def _person(world: World, number: int, seed: int) -> dict[str, Floats]:
    """Answers, features and the oracle's predictions of one person's answered prompts, NaN where missing."""
    course, sessions = world.courses[number], list(world.sessions[number])
    rows = np.flatnonzero(course.answered)
    columns = _by_item("y", world, course.answer[rows])
    columns |= _features(course, body_seen(course, sessions), coverage(course, sessions), rows, seed)
    columns |= _by_item("oracle", world, world.predicted[number, rows])
    return columns | _by_item("oracle_without_senses", world, world.predicted_blind[number, rows])


def _by_item(name: str, world: World, values: Floats) -> dict[str, Floats]:
    return {f"{name}_{item}": values[:, n] for n, item in enumerate(world.items.names)}


def _features(course: Course, worn: Mask, covered: Floats, rows: np.ndarray, seed: int) -> dict[str, Floats]:
    drawn = drawn_features(course, seed)
    for modality, values in drawn.items():
        values[~(course.answered if modality == _VOICE else worn)] = np.nan
    columns: dict[str, Floats] = {}
    for modality, names in modalities().items():
        if modality == YESTERDAY:
            values, known, there = _yesterday(course, drawn, rows)
        else:
            values = drawn[modality][rows]
            known, there = past(values), np.ones(len(rows)) if modality == _VOICE else covered[rows]
        columns |= {f"{modality}.coverage": there, f"{modality}.past_n": known.n.astype(np.float64)}
        for n, name in enumerate(names):
            columns[f"{modality}.{name}"] = values[:, n]
            columns[f"{modality}.{name}.past_mean"] = known.mean[:, n]
            columns[f"{modality}.{name}.past_sd"] = known.sd[:, n]
    return columns


def _yesterday(course: Course, drawn: dict[str, Floats], rows: np.ndarray) -> tuple[Floats, Past, Floats]:
    """Means over the previous day's prompts, and what the days before that one say of them."""
    names = modalities()
    chosen = [drawn[m][:, [names[m].index(f) for f in features]] for m, features in DAILY.items()]
    values, days = np.hstack(chosen), int(course.day.max()) + 1
    daily = np.full((days + 1, values.shape[1]), np.nan)
    for day in range(days):
        seen = values[course.day == day]
        seen = seen[~np.isnan(seen).all(axis=1)]
        if len(seen):
            daily[day + 1] = seen.mean(axis=0)
    known, at = past(daily), course.day[rows]
    there = np.where(np.isnan(daily[at]).all(axis=1), 0.0, 0.3)
    return daily[at], Past(known.mean[at], known.sd[at], known.n[at]), there
