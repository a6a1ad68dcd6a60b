"""How long the honest table takes: 300 people × 70 answers × 9 items × 12 models × 2,000 bootstrap draws.

Run: `OMP_NUM_THREADS=1 python -m benchmarks.evaluation [people] [answers] [items] [models] [draws]`. Every figure of
`models/evaluation.py` is made for every model, with paired intervals over people. Predictions are made up: only the
arithmetic is timed. It must take less than a minute.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, fields
from types import SimpleNamespace

import numpy as np

from benchmarks._arguments import asking
from models.cohort import Cohort, Item
from models.evaluation import MODEL, Tested, compare
from models.macro_micro import Prediction

LIMIT_S = 60.0


@dataclass(frozen=True)
class Size:
    """How much is evaluated."""

    people: int = 300
    answers: int = 70
    items: int = 9
    models: int = 12
    draws: int = 2_000


def made_up(size: Size) -> tuple[Tested, Cohort]:
    """Answers with a third of their variance between people, and models of growing error."""
    random = np.random.default_rng(0)
    person = np.repeat(np.arange(size.people), size.answers)
    rows = len(person)
    level = random.normal(size=(size.people, size.items))
    answers = np.clip(50 + 12 * level[person] + 17 * random.normal(size=(rows, size.items)), 0, 100)
    answers[random.random(answers.shape) < 0.1] = np.nan
    truth = np.nan_to_num(answers, nan=50.0)
    names = ["ewma", "ar1_ou", "personal_mean", *(f"model {n}" for n in range(size.models - 4)), MODEL]
    values = {name: truth + (5 + n) * random.normal(size=truth.shape) for n, name in enumerate(names)}
    cohort = Cohort(
        items=tuple(Item(f"item{k}", 0, 100) for k in range(size.items)),
        participants=tuple(f"P{n:04d}" for n in range(size.people)),
        person=person,
        time_us=np.tile(np.arange(size.answers) * 3_600_000_000, size.people),
        day=np.tile(np.arange(size.answers) // 5, size.people),
        local_hour=np.full(rows, 12.0),
        answers=answers,
        modalities={},
    )
    interval = Prediction(values[MODEL], values[MODEL] - 30, values[MODEL] + 30)
    model = SimpleNamespace(population=None)  # the comparison asks predictions only
    return Tested(np.arange(rows), answers, values, interval, model), cohort  # type: ignore[arg-type]


def main() -> int:
    """Time one table; 1 where it took too long."""
    sizes = {part.name: (part.default, f"how many {part.name}") for part in fields(Size)}
    size = Size(**vars(asking(__doc__, **sizes).parse_args()))
    tested, cohort = made_up(size)
    wall, busy = time.perf_counter(), time.process_time()
    table = compare(tested, cohort, draw_count=size.draws)
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    low, high = table[MODEL]["pooled_ccc_ci"]
    print(f"{size}: {wall:.1f} s, {busy:.1f} processor seconds (limit {LIMIT_S:.0f})")
    print(f"{len(table)} models, e.g. pooled CCC {table[MODEL]['pooled_ccc']:.3f} ({low:.3f} … {high:.3f})")
    return int(busy > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
