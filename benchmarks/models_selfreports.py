"""The default model beside every baseline on real self-report studies, under P2 and P2N.

Run: `python -m benchmarks.models_selfreports [rowland] [fisher] [--newcomers] [--permuted] [--seed N]`. Prints a table
a study and protocol, with the gains over the exponentially weighted mean that are asked for (CCC + .02, MAE × .97) and
what a fit costs. `trees_told` are the boosted trees given besides all that the model's own trees read of history: what
its state-space model and habits say, which a fit on the same answers learned. With `--newcomers`: P3 instead, five fits
a study: people never trained on, after their first 0 to 28 answers. With `--permuted`: each person's answers in random
order, a control: everything must fall to the personal mean.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from benchmarks._arguments import asking, real_data
from models.baselines import BASELINES
from models.cohort import Cohort, Floats, Ints
from models.controls import permuted
from models.evaluation import MODEL, Metrics, compare, predict_split
from models.fitting import fit
from models.inputs import Past
from models.macro_micro import MacroMicro
from models.metrics import ccc, mae, sums_over_all
from models.mix import PARTS
from models.newcomers import evaluate_newcomers
from models.protocols import online
from models.settings import Settings
from models.trees import Trees
from tests.models.people import fisher, rowland

STUDIES = {"rowland": rowland, "fisher": fisher}


def of_studies(description: str | None) -> argparse.ArgumentParser:
    """A parser of a benchmark's arguments that knows `studies`, which may be none for all."""
    parser = asking(description)
    parser.add_argument("studies", nargs="*", type=_study, help=f"of {', '.join(STUDIES)}; all by default")
    return parser


def _study(name: str) -> str:
    if name not in STUDIES:
        message = f"no such study: {name}; there are {', '.join(STUDIES)}"
        raise argparse.ArgumentTypeError(message)
    return name


def agreement_and_error(said: Floats, answers: Floats) -> str:
    """A cell of a table, pooled CCC / MAE."""
    total = sums_over_all(said, answers)
    return f"{np.nanmean(ccc(total)):.3f} / {np.nanmean(mae(total)):.1f}"


def main() -> None:
    """One study after the other."""
    parser = of_studies(__doc__)
    parser.add_argument("--newcomers", action="store_true", help="people never trained on")
    parser.add_argument("--permuted", action="store_true", help="answers of each person in random order")
    parser.add_argument("--seed", type=int, default=0, help="of everything drawn in a fit")
    asked = parser.parse_args()
    for name in asked.studies or STUDIES:
        cohort = STUDIES[name](real_data())
        if asked.permuted:
            print("\nEach person's answers are in random order:")
            cohort = permuted(cohort)
        if asked.newcomers:
            newcomers(name, cohort, asked.seed)
        else:
            known(name, cohort, asked.seed)


def known(name: str, cohort: Cohort, seed: int) -> None:
    """P2 and P2N of one fit."""
    began, split = time.process_time(), online(cohort)
    model = fit(cohort.take(split.train), Settings(seed=seed))
    mixes = {view: (mix.weights, mix.factor, mix.drawn) for view, mix in model.mixes.items()}
    spent = time.process_time() - began
    print(f"\n# {name}: {len(model.curve)} epochs, {spent:.0f} CPU s")
    print(f"weights of {PARTS}, spread, share drawn to levels: {mixes}")
    for nightly in (False, True):
        split = online(cohort, nightly=nightly)
        baselines = {**BASELINES, "trees_told": partial(ToldTrees, model=model)}
        show(split.name, compare(predict_split(split, model, baselines), cohort), cohort)


@dataclass
class ToldTrees(Trees):
    """Boosted trees that also read the history tokens of a fitted model."""

    model: MacroMicro = field(kw_only=True)

    def _features(self, cohort: Cohort, seen: Ints | None) -> tuple[Floats, Floats, Floats]:
        base, shared, own = super()._features(cohort, seen)
        past = Past.of(cohort, self.model.population, self.model.relation)
        history = self.model.inputs(past, past.online if seen is None else seen).history
        return base, shared, np.concatenate([own, history.astype(np.float64)], -1)


def newcomers(name: str, cohort: Cohort, seed: int) -> None:
    """P3: the model, the means and the EWMA by number of answers shown."""
    # One network instead of four: five fits take long, and more members only help.
    settings = Settings(members=1, threads=1, seed=seed)
    table = evaluate_newcomers(cohort, settings, progress=lambda text, _: print(f"{name}: {text}", file=sys.stderr))
    shown = (MODEL, "ewma", "ar1_ou", "boosted_trees", "shrunken_mean", "personal_mean", "global_mean")
    print(f"\n# {name}, P3: pooled CCC / MAE, and what intervals hold: all, worst decile\n")
    print(f"| answers shown | {' | '.join(shown)} | held |\n|---|{'---|' * len(shown)}---|")
    for protocol, models in table.items():
        cells = [f"{models[m]['pooled_ccc']:.3f} / {models[m]['mae']:.2f}" for m in shown if models]
        held = [f"{models[MODEL][figure]:.3f}" for figure in ("coverage", "coverage_worst_decile") if models]
        print(f"| {protocol.split('=')[1]} | {' | '.join(cells)} | {', '.join(held)} |", flush=True)


def show(protocol: str, table: dict[str, Metrics], cohort: Cohort) -> None:
    """Print one protocol's table, best concordance first."""
    reference = table["ewma"]
    print(f"\n## {protocol}, {len(cohort.participants)} people\n")
    print("| model | CCC | over ewma | MAE | × ewma | person CCC | within r | improved | lift over ewma (95 %) |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, m in sorted(table.items(), key=lambda kv: -kv[1]["pooled_ccc"]):
        lift = m["lift_over_ewma"]
        low, high = (100 * end for end in lift["ci"])
        print(
            f"| {name} | {m['pooled_ccc']:.3f} | {m['pooled_ccc'] - reference['pooled_ccc']:+.4f} | {m['mae']:.2f} | "
            f"{m['mae'] / reference['mae']:.4f} | {m['person_ccc']:.3f} | {m['within_r']:.3f} | "
            f"{lift['improved']:.2f} | {100 * lift['mean']:.2f} ({low:.2f}, {high:.2f}) |"
        )
    ours = table[MODEL]
    print(f"\ncoverage {_with_ci(ours, 'coverage')}, worst decile {_with_ci(ours, 'coverage_worst_decile')}")
    print(f"improved over ewma {ours['lift_over_ewma']['improved']:.2f} {_ends(ours['lift_over_ewma']['improved_ci'])}")
    for other in ("ewma", "ar1_ou", "boosted_trees"):
        lift, *gains = (ours[f"{figure}_over_{other}"] for figure in ("lift", "ccc", "person_ccc"))
        agreement, within = (f"{gain['mean']:+.4f} {_ends(gain['ci'])}" for gain in gains)
        print(f"over {other}: CCC {agreement}, within people {within}, error {lift['mean']:.4f} {_ends(lift['ci'])}")


def _with_ci(metrics: Metrics, name: str) -> str:
    return f"{metrics[name]:.3f} {_ends(metrics[f'{name}_ci'])}"


def _ends(interval: tuple[float, float]) -> str:
    return f"({interval[0]:.4f}, {interval[1]:.4f})"


if __name__ == "__main__":
    main()
