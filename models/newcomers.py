"""P3: how good the model is for people it was never trained on, and how fast their own answers help.

People are split into folds; each fold is predicted by a model and baselines fitted once on the others, after the first
k = 0, 1, 3, 7, 14, 28 of its answers are seen. The same later answers are tested for every k, so the figures of one
table differ by what was shown alone. Known people are the matter of `evaluation.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from models.baselines import BASELINES, Baseline
from models.bootstrap import DRAWS
from models.cohort import Cohort
from models.errors import ModelError
from models.evaluation import MODEL, Say, Table, Tested, compare, fitted_baselines
from models.fitting import fit
from models.guards import guard_past
from models.macro_micro import MacroMicro, Prediction
from models.protocols import ANSWERS_SHOWN, Split, unseen_people
from models.settings import Settings

Fitted = tuple[MacroMicro, dict[str, Baseline]]


def evaluate_newcomers(
    cohort: Cohort,
    settings: Settings | None = None,
    shown: Sequence[int] = ANSWERS_SHOWN,
    *,
    folds: int = 5,
    baselines: Mapping[str, Callable[[], Baseline]] = BASELINES,
    draw_count: int = DRAWS,
    progress: Say | None = None,
) -> Table:
    """The table by number of answers shown: `table["P3 k=7"][model][figure]`; empty where nobody answers after them.

    Args:
        cohort: all moments of all people.
        settings: of the model's fits, one a fold.
        shown: how many first answers of a new person are seen.
        folds: groups of people.
        baselines: what the model is shown beside.
        draw_count: bootstrap draws over participants.
        progress: told which fold is being fitted and how far it is (0–1).

    Raises:
        LeakageError: a split would let a prediction see its own time or later, or features know of later ones.
        ModelError: there is only one person.
    """
    settings = settings or Settings()
    say = progress or (lambda _text, _share: None)
    if len(np.unique(cohort.person[cohort.labelled])) < 2:
        message = "P3 trains on some people and tests on others; it needs answers of at least two"
        raise ModelError(message)
    guard_past(cohort)
    splits = {count: list(unseen_people(cohort, count, folds, settings.seed)) for count in shown}
    parts: dict[int, list[Tested]] = {count: [] for count in shown}
    for fold in range(len(next(iter(splits.values())))):
        mine = {count: splits[count][fold] for count in shown}
        if not any(s.test.any() for s in mine.values()):
            continue
        say(f"P3: training without group {fold + 1} of {folds}", fold / folds)
        fitted = _fitted(next(iter(mine.values())), settings, baselines)
        for count, split in mine.items():
            parts[count].append(_predicted(split, fitted))
    say("P3: comparing", 1.0)
    return {
        f"P3 k={count}": compare(together(tested), cohort, seed=settings.seed, draw_count=draw_count) if tested else {}
        for count, tested in parts.items()
    }


def _fitted(split: Split, settings: Settings, baselines: Mapping[str, Callable[[], Baseline]]) -> Fitted:
    """Everything fitted on the people of the other folds; what the fold's people show comes later."""
    model = fit(split.cohort.take(split.train), settings)
    return model, fitted_baselines(split, model, baselines)


def _predicted(split: Split, fitted: Fitted) -> Tested:
    model, baselines = fitted
    rows = np.flatnonzero(split.test)
    values = {name: b.predict(split.cohort, split.seen)[rows] for name, b in baselines.items()}
    interval = model.predict(split.cohort, rows, seen=split.seen)
    return Tested(rows, split.cohort.answers[rows], {**values, MODEL: interval.value}, interval, model)


def together(parts: Sequence[Tested]) -> Tested:
    """Test rows of several folds as one; each row was predicted by the model that had not seen its person."""
    value, low, high = (np.concatenate([getattr(p.interval, end) for p in parts]) for end in ("value", "low", "high"))
    return replace(
        parts[-1],
        rows=np.concatenate([p.rows for p in parts]),
        answers=np.concatenate([p.answers for p in parts]),
        values={name: np.concatenate([p.values[name] for p in parts]) for name in parts[0].values},
        interval=Prediction(value, low, high),
    )
