"""A Gaussian process over all items at once, beside the state-space model of each item alone: is more to be had?

Run: `python -m benchmarks.gaussian_process [rowland] [fisher] [--steps 100]`. A person's answers are a sum of a lasting
level, drift, two swings, a time of day and noise; every part has a covariance over items of its own (a linear model of
coregionalisation, Álvarez et al. 2012), shared by people and fitted by the likelihood of stretches of 40 answers. What
it expects of each answer from those before it (P2) or of earlier days (P2N) comes from one Cholesky factor a person.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks._arguments import real_data
from benchmarks.models_selfreports import STUDIES, agreement_and_error, of_studies
from models.baselines import Ewma, OrnsteinUhlenbeck
from models.cohort import Cohort, Floats, Ints
from models.history import HOUR_US
from models.protocols import Split, online

STRETCH, PEOPLE = 40, 6  # answers in a row and people, whose likelihood makes a step
SHARES = {"level": 1.0, "drift": 0.25, "swing": 0.2, "fast": 0.2, "day": 0.05, "noise": 0.3}  # of variance, to start
HOURS = (400.0, 60.0, 8.0, 900.0)  # how long drift, swing, fast and day last, to start


class Process(nn.Module):
    """Covariances over items and times, in units of the span."""

    def __init__(self, unit: Floats, person: Ints) -> None:
        super().__init__()
        means = np.stack([np.nanmean(unit[person == p], axis=0) for p in np.unique(person)])
        self.mean = np.nanmean(unit, axis=0)
        gone = np.nan_to_num(unit - np.nan_to_num(means, nan=0.5)[np.searchsorted(np.unique(person), person)])
        alike = np.linalg.cholesky(np.corrcoef(gone.T) + 0.1 * np.eye(unit.shape[1]))
        size = {name: np.nanstd(means, axis=0) if name == "level" else gone.std(0) for name in SHARES}
        self.factors = nn.ParameterDict(
            {n: nn.Parameter(torch.tensor(np.sqrt(s) * size[n][:, None] * alike)) for n, s in SHARES.items()}
        )
        self.log_hours = nn.Parameter(torch.tensor(HOURS, dtype=torch.float64).log())
        self.peak = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def covariance(self, hours: Tensor, clock: Tensor, row: Tensor, item: Tensor) -> Tensor:
        """Between answers, (answers, answers); `hours` and `clock` (rows,), each answer has a row and an item."""
        apart, lasting = (hours[:, None] - hours).abs(), self.log_hours.exp()
        daily = torch.exp(-2 * torch.sin(torch.pi * (clock[:, None] - clock) / 24) ** 2 * self.peak.exp())
        over_time = {
            "level": torch.ones_like(apart),
            "drift": torch.exp(-apart / lasting[0]),
            "swing": torch.exp(-apart / lasting[1]),
            "fast": torch.exp(-apart / lasting[2]),
            "day": daily * torch.exp(-apart / lasting[3]),
            "noise": torch.eye(len(hours), dtype=apart.dtype),
        }
        total = 1e-5 * torch.eye(len(row), dtype=apart.dtype)
        for name, factor in self.factors.items():
            total = total + over_time[name][row][:, row] * (factor @ factor.T)[item][:, item]
        return total

    def whitened(self, cohort: Cohort, unit: Floats, rows: Ints) -> tuple[Tensor, Tensor, Ints, Ints]:
        """Cholesky factor of some rows' answers, the whitened answers, and where they stand."""
        row, item = np.nonzero(~np.isnan(unit[rows]))
        hours = torch.tensor((cohort.time_us[rows] - cohort.time_us[rows[0]]) / HOUR_US)
        where = torch.from_numpy(row), torch.from_numpy(item)
        factor = torch.linalg.cholesky(self.covariance(hours, torch.tensor(cohort.local_hour[rows]), *where))
        gone = torch.tensor((unit[rows] - self.mean)[row, item])
        return factor, torch.linalg.solve_triangular(factor, gone[:, None], upper=False)[:, 0], row, item


def fitted(split: Split, unit: Floats, steps: int) -> Process:
    """Fit the covariances on the training answers."""
    cohort, random = split.cohort, np.random.default_rng(0)
    process = Process(unit[split.train], cohort.person[split.train])
    optimiser = torch.optim.Adam(process.parameters(), lr=0.03)
    people = np.unique(cohort.person[split.train])
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 0.03 * (1 - step / steps) + 0.002
        loss, answers = torch.zeros((), dtype=torch.float64), 0
        for person in random.choice(people, min(PEOPLE, len(people)), replace=False):
            rows = np.flatnonzero((cohort.person == person) & split.train)
            first = random.integers(0, max(len(rows) - STRETCH, 0) + 1)
            factor, white, *_ = process.whitened(cohort, unit, rows[first : first + STRETCH])
            loss, answers = loss + 0.5 * (white**2).sum() + factor.diagonal().log().sum(), answers + len(white)
        optimiser.zero_grad()
        (loss / answers).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        print(f"\rstep {step + 1} of {steps}", end="", file=sys.stderr)
    return process


def expected(process: Process, split: Split, unit: Floats) -> Floats:
    """What is expected of each row from the answers it may see, (rows, items) in units of the span."""
    cohort, out = split.cohort, np.tile(process.mean, (len(unit), 1))
    for person in range(len(cohort.participants)):
        rows = np.flatnonzero((cohort.person == person) & cohort.labelled)
        with torch.no_grad():
            factor, white, row, item = process.whitened(cohort, unit, rows)
        # An answer's expectation from the first n: its row of the factor times those n whitened answers.
        known = np.searchsorted(rows[row], split.seen[rows[row]], side="right")
        visible = np.arange(len(row)) < known[:, None]
        out[rows[row], item] += ((factor.numpy() * visible) * white.numpy()).sum(1)
    return np.clip(out, 0, 1)


def main() -> None:
    """Print pooled CCC and MAE of the process, the state-space model and the weighted mean."""
    parser = of_studies(__doc__)
    parser.add_argument("--steps", type=int, default=100, help="of the likelihood")
    told = parser.parse_args()
    for name in told.studies or STUDIES:
        cohort = STUDIES[name](real_data())
        unit, began = (cohort.answers - cohort.low) / cohort.span, time.process_time()
        process = fitted(online(cohort), unit, told.steps)
        print(f"\n# {name}, {time.process_time() - began:.0f} CPU s; hours: {process.log_hours.exp().tolist()}\n")
        print("| protocol | Gaussian process | AR(1)/OU | EWMA |\n|---|---|---|---|")
        for split in (online(cohort), online(cohort, nightly=True)):
            others = [b.fit(split.cohort, split.train, split.seen) for b in (OrnsteinUhlenbeck(), Ewma())]
            said = [(b.predict(split.cohort, split.seen) - cohort.low) / cohort.span for b in others]
            beside = [100 * values[split.test] for values in (expected(process, split, unit), *said)]
            cells = [agreement_and_error(values, 100 * unit[split.test]) for values in beside]
            print(f"| {split.name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
