"""The default model on the real self-report studies in other shapes: rating scales, fewer people, shorter, sparser.

Run: `OMP_NUM_THREADS=1 python -m benchmarks.models_reshaped [shape …]` (all by default). What was found on two studies
may hang on their shape: sliders of a hundred degrees, weeks of answers, many people. The same people's answers are
shown in another one, and the tables of `models_selfreports.py` are printed for each.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from itertools import chain

import numpy as np

from benchmarks._arguments import asking, real_data
from benchmarks.models_selfreports import known
from models.cohort import Cohort, Item
from tests.models.people import fisher, rowland


def rated(cohort: Cohort, levels: int) -> Cohort:
    """Answers given on a rating scale of 1 to `levels`."""
    items = tuple(Item(i.name, 1, levels) for i in cohort.items)
    unit = (cohort.answers - cohort.low) / cohort.span
    return replace(cohort, items=items, answers=np.round(1 + (levels - 1) * unit))


def every_second(cohort: Cohort, first: int = 0) -> Cohort:
    """Half of the people."""
    rows = cohort.take(cohort.person % 2 == first)
    there, person = np.unique(rows.person, return_inverse=True)
    return replace(rows, participants=tuple(cohort.participants[p] for p in there), person=person)


def some_items(cohort: Cohort, count: int) -> Cohort:
    """The first items only."""
    some = replace(cohort, items=cohort.items[:count], answers=cohort.answers[:, :count])
    return some.take(some.labelled)


def first_days(cohort: Cohort, days: int) -> Cohort:
    """Each person's first days."""
    start = np.full(len(cohort.participants), np.iinfo(np.int64).max)
    np.minimum.at(start, cohort.person, cohort.day)
    return cohort.take(cohort.day - start[cohort.person] < days)


def two_a_day(cohort: Cohort) -> Cohort:
    """The prompts at noon and at six in the evening."""
    return cohort.take(np.isin(cohort.local_hour, (12.0, 18.0)))


SHAPES: dict[str, Callable[[], Cohort]] = {
    "rowland, 1 to 7, half the people": lambda: every_second(rated(rowland(real_data()), 7)),
    "fisher, 1 to 5, ten items": lambda: some_items(rated(fisher(real_data()), 5), 10),
    "rowland, two weeks": lambda: first_days(rowland(real_data()), 14),
    "rowland, two prompts a day, half the people": lambda: two_a_day(every_second(rowland(real_data()), 1)),
    "fisher, half the people": lambda: every_second(fisher(real_data())),
}


def main() -> None:
    """One shape after the other."""
    parser = asking(__doc__)
    parser.add_argument("shapes", nargs="*", type=_shapes, help=f"beginnings of: {'; '.join(SHAPES)}; all by default")
    for name in list(chain(*parser.parse_args().shapes)) or SHAPES:
        known(name, SHAPES[name](), seed=0)


def _shapes(beginning: str) -> list[str]:
    names = [name for name in SHAPES if name.startswith(beginning)]
    if not names:
        message = f"no shape begins with {beginning!r}; there are {'; '.join(SHAPES)}"
        raise argparse.ArgumentTypeError(message)
    return names


if __name__ == "__main__":
    main()
