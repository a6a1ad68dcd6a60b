"""How much more people to learn from would bring: agreement with strangers by the number of people trained on.

Run: `python -m benchmarks.learning_curve [rowland] [fisher] [--folds 5]`. People never trained on are told from their
first seven answers (P3, k = 7) by models fitted on a quarter, half and all of the others, one network each, beside the
trees and the weighted mean fitted on the same people. Prints pooled CCC and MAE over all folds.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np

from benchmarks._arguments import real_data
from benchmarks.models_selfreports import STUDIES, agreement_and_error, of_studies
from models.baselines import BASELINES
from models.evaluation import MODEL
from models.fitting import fit
from models.protocols import Split, unseen_people
from models.settings import Settings

SHOWN, SHARES = 7, (0.25, 0.5, 1.0)
BESIDE = ("boosted_trees", "ewma", "ar1_ou")


def main() -> None:
    """One table a study."""
    parser = of_studies(__doc__)
    parser.add_argument("--folds", type=int, default=5, help="of the five, how many are said")
    told = parser.parse_args()
    for name in told.studies or STUDIES:
        cohort = STUDIES[name](real_data())
        splits = list(unseen_people(cohort, SHOWN))[: told.folds]
        print(f"\n# {name}, k = {SHOWN}: pooled CCC / MAE\n\n| people | {' | '.join((MODEL, *BESIDE))} |", flush=True)
        print(f"|---|{'---|' * (1 + len(BESIDE))}")
        for share in SHARES:
            parts, fewer = [], [_fewer(split, share) for split in splits]
            for number, split in enumerate(fewer):
                print(f"\r{name}: {share:.0%} of people, fold {number + 1}", end="", file=sys.stderr)
                parts.append(_said(split))
            people = np.mean([len(np.unique(cohort.person[split.train])) for split in fewer])
            rows = np.concatenate([np.flatnonzero(s.test) for s in splits])
            said = {m: np.concatenate([p[m] for p in parts]) for m in (MODEL, *BESIDE)}
            cells = [agreement_and_error(values, cohort.answers[rows]) for values in said.values()]
            print(f"| {people:.0f} | {' | '.join(cells)} |", flush=True)


def _fewer(split: Split, share: float) -> Split:
    """The same strangers, told by what a share of the other people taught."""
    people = np.random.default_rng(0).permutation(np.unique(split.cohort.person[split.train]))
    kept = people[: max(2, round(share * len(people)))]
    return replace(split, train=split.train & np.isin(split.cohort.person, kept))


def _said(split: Split) -> dict[str, np.ndarray]:
    rows = np.flatnonzero(split.test)
    model = fit(split.cohort.take(split.train), Settings(members=1, threads=1))
    out = {MODEL: model.predict(split.cohort, rows, seen=split.seen).value}
    for name in BESIDE:
        baseline = BASELINES[name]().fit(split.cohort, split.train, split.seen)
        out[name] = baseline.predict(split.cohort, split.seen)[rows]
    return out


if __name__ == "__main__":
    main()
