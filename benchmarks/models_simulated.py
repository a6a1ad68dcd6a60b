"""The default model on a simulated study of the paper's size beside every baseline and an oracle, and uncoupled.

Run: `python -m benchmarks.models_simulated [people] [days] [coupling]` (298, 14, and 1 and 0 by default). The oracle
knows each person's true parameters but not the future. Prints the share of the oracle's gain over the personal mean
that the model reaches, what dropping body and voice costs (with coupling 0, where nothing may be claimed: the interval
must hold 0), time and memory. How long estimates take says `benchmarks/serving.py`.
"""

from __future__ import annotations

import resource
import time

import numpy as np
import polars as pl

from assets.moments.table import items_of, modalities
from assets.simulated.moments import simulated_moments
from assets.study import PAPER_ITEMS, Study
from benchmarks._arguments import asking
from models.cohort import Cohort
from models.evaluation import MODEL, compare, drops, predict_split
from models.fitting import fit
from models.metrics import pooled_ccc
from models.protocols import online
from models.settings import Settings
from models.tables import cohort_from_frame

STUDY = Study.model_validate({"study": {"timezone": "Europe/Berlin"}, "items": {name: {} for name in PAPER_ITEMS}})


def main() -> None:
    """Fit, test and print, with coupling and without."""
    parser = asking(__doc__, people=(298, "how many people"), days=(14, "how long the study is"))
    parser.add_argument("coupling", nargs="*", type=float, default=[1.0, 0.0], help="how much body and voice tell")
    told = parser.parse_args()
    people, days = told.people, told.days
    for coupling in told.coupling:
        frame, cohort = study(people, days, coupling)
        split, began, wall = online(cohort), time.process_time(), time.monotonic()
        model = fit(cohort.take(split.train), Settings())
        spent, waited = time.process_time() - began, time.monotonic() - wall
        tested = predict_split(split, model)
        table = compare(tested, cohort)
        oracle = frame.select(f"oracle_{name}" for name in PAPER_ITEMS).to_numpy()[tested.rows]
        best = float(np.nanmean(pooled_ccc(oracle, tested.answers)))
        mean, reached = table["personal_mean"]["pooled_ccc"], table[MODEL]["pooled_ccc"]
        print(f"\n# {people} people × {days} days, coupling {coupling:g}: {len(cohort)} answered moments\n")
        print("| model | CCC | MAE | person CCC |\n|---|---|---|---|")
        print(f"| oracle | {best:.3f} | {np.nanmean(np.abs(oracle - tested.answers)):.2f} | |")
        for name, m in sorted(table.items(), key=lambda kv: -kv[1]["pooled_ccc"]):
            print(f"| {name} | {m['pooled_ccc']:.3f} | {m['mae']:.2f} | {m['person_ccc']:.3f} |")
        print(f"\n{(reached - mean) / (best - mean):.0%} of the oracle's gain over the personal mean")
        print(f"coverage {table[MODEL]['coverage']:.3f}, worst decile {table[MODEL]['coverage_worst_decile']:.3f}")
        if model.note:
            print(model.note)
        if model.network is not None:
            for name, cost in drops(split, model, tested).items():
                agreement, error = (
                    f"{cost[kind]['mean']:+.4f} ({cost[kind]['ci'][0]:+.4f} … {cost[kind]['ci'][1]:+.4f})"
                    for kind in ("ccc", "mae")
                )
                clear = "a gain" if min(cost["ccc"]["ci"][0], cost["mae"]["ci"][0]) > 0 else "no gain shown"
                print(f"without {name}: CCC falls by {agreement}, error rises by {error}: {clear}")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"fit: {spent:.0f} CPU s, {waited:.0f} s, {len(model.curve)} epochs; peak so far {peak:.0f} MB")
        _cost(people, days, spent / len(model.curve) if model.curve else 0.0)


def study(people: int, days: int, coupling: float) -> tuple[pl.DataFrame, Cohort]:
    """Simulated moments with the oracle's columns, and as a cohort."""
    frame = simulated_moments(STUDY, participants=people, days=days, seed=11, coupling=coupling)
    return frame, cohort_from_frame(frame, items_of(STUDY), modalities())


def _cost(people: int, days: int, each_epoch: float) -> None:
    """What an epoch of a tenth of the people costs beside one of all (how many epochs a fit takes is chance)."""
    _, few = study(max(people // 10, 2), days, 1.0)
    began = time.process_time()
    model = fit(few.take(online(few).train), Settings())
    spent = time.process_time() - began
    if model.curve and each_epoch:
        ratio = each_epoch / (spent / len(model.curve))
        print(
            f"a tenth of the people: {spent:.0f} CPU s, {len(model.curve)} epochs; all cost {ratio:.1f} times an epoch"
        )


if __name__ == "__main__":
    main()
