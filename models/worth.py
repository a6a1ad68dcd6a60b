"""What a model is better off without, decided on held-back answers before its members are trained.

First the whole correction. Answers in random order can only be estimated by who gives them; a network and trees then
still gain CCC over a personal mean, by spreading estimates, and spare error, by saying medians. Neither is knowledge of
a moment. So estimates must correlate with answers better than the means of each person's earlier ones do, which no
spread can bring about; otherwise the personal baseline is kept. That one follows drifts and swings, which answers in
random order do not have: unless it too correlates better than means, it keeps levels alone.

Then each modality. One that says nothing of how people feel still moves what trees and network say: estimates then
follow noise, which spreads them a little and makes them worse. So each has to show its worth: leaving it out must cost
more standard errors over people than √log(people), which is what one more parameter must bring (Schwarz 1978) and what
chance brings the more seldom the more people there are; else the smaller model is taken. One is left out at a time, the
least useful first, because two that say the same can stand in for each other.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.bootstrap import over_items
from models.cohort import Floats, Ints
from models.inputs import Inputs
from models.macro_micro import MacroMicro, view_name
from models.metrics import correlation, sums_over_all

FEWEST_PEOPLE = 5  # with held-back answers, below which nothing is told and nothing left out
LEAST_GAIN = 0.01  # of correlation over means: chance brings less in most studies, moments more in every one


def of_no_use(model: MacroMicro, views: Mapping[str, Inputs], unit: Floats, person: Ints) -> tuple[str, ...]:
    """Modalities that estimates of held-back rows are as good without.

    Args:
        model: as fitted on earlier rows.
        views: inputs of the held-back rows by name of the view.
        unit: their answers (rows, items) in units of the span, NaN where there is none.
        person: (rows,) who gave them.
    """
    people, person = np.unique(person, return_inverse=True)
    if len(people) < FEWEST_PEOPLE:
        return ()
    out: list[str] = []
    rest, error = list(model.standards), _errors(model, views, unit, person)
    while rest:
        without = {m: {view: inputs.without(m) for view, inputs in views.items()} for m in rest}
        errors = {m: _errors(model, inputs, unit, person) for m, inputs in without.items()}
        least = min(rest, key=lambda m: _standard_errors(errors[m] - error))
        if _standard_errors(errors[least] - error) > np.sqrt(np.log(len(people))):
            break
        views, error = without[least], errors[least]
        rest.remove(least)
        out.append(least)
    return tuple(out)


def more_than_means(estimates: Floats, means: Floats, unit: Floats, person: Ints) -> bool:
    """Whether estimates of held-back rows tell more than who gives the answers; also with too few people to tell.

    Args:
        estimates: (rows, items).
        means: (rows, items) of the person's earlier answers, NaN before the first.
        unit: the answers (rows, items), NaN where there is none; all three in units of the span.
        person: (rows,) who gave them.
    """
    if len(np.unique(person)) < FEWEST_PEOPLE:
        return True
    known = np.where(np.isnan(means), np.nan, unit)
    ours, theirs = (correlation(sums_over_all(said, known)) for said in (estimates, means))
    return bool(over_items(ours - theirs) >= LEAST_GAIN)


def _errors(model: MacroMicro, views: Mapping[str, Inputs], unit: Floats, person: Ints) -> Floats:
    """Each person's mean absolute error, (people,), as a share of the span; the views count alike."""
    nightly = view_name(nightly=True)
    off = np.mean([np.abs(model.estimate(i, nightly=view == nightly) - unit) for view, i in views.items()], axis=0)
    known = ~np.isnan(off)
    return np.asarray(np.bincount(person, np.where(known, off, 0.0).sum(1)) / np.bincount(person, known.sum(1)))


def _standard_errors(rise: Floats) -> float:
    """A mean over people in units of its standard error; 0 where nobody's errors change."""
    spread = float(rise.std(ddof=1)) / np.sqrt(len(rise))
    return float(rise.mean()) / spread if spread > 0 else 0.0
