"""How long estimates take: the model in process, and through plain MLflow by alias in a fresh process.

Run: `python -m benchmarks.serving [people] [days] [epochs]` (298, 14 and 2 by default: how long a fit was does not
change how long its estimates take). Fits the default model on a simulated study, registers it in a folder of its own,
and prints medians and the best of some runs: one person and everybody, in process and asked as a frame that brings past
answers, without body and voice (as a nightly batch asks) and with all of them; and what loading and a first estimate
take in a process that has imported MLflow and pandas. "why" stands for estimates with what moved them, and "MLflow
alone" for a model that says nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from assets.moments.cohort import with_history
from benchmarks._arguments import asking
from benchmarks.models_simulated import STUDY, study
from models.cohort import Cohort
from models.fitting import fit
from models.macro_micro import MacroMicro
from models.packaging import save
from models.pyfunc import log_model
from models.registry import CHAMPION, Registry
from models.settings import Settings

FRESH = """
import json, sys, time
import mlflow, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
frame, took = pd.read_parquet(sys.argv[2]), {}
start = time.perf_counter()
model = mlflow.pyfunc.load_model("models:/macro-micro@champion", suppress_warnings=sys.argv[3] == "quiet")
model.predict(frame.head(1))
took["load and first"] = [time.perf_counter() - start]
bare = frame[[name for name in frame if "." not in name]]
asked = {"one, answers alone": (bare.head(1), 30), "one, body and voice": (frame.head(1), 30),
         "everybody, answers alone": (bare, 5), "everybody, body and voice": (frame, 3)}
def measure(name, times, ask):
    took[name] = []
    for _ in range(times if sys.argv[3] == "quiet" else 0):
        start = time.perf_counter()
        ask()
        took[name].append(time.perf_counter() - start)
for name, (rows, times) in asked.items():
    measure(name, times, lambda: model.predict(rows))
    measure(f"{name}, why", times, lambda: model.predict(rows, params={"why": True}))
said = model.predict(frame.head(1))
model.unwrap_python_model().predict = lambda context, model_input, params=None: said
for name, (rows, times) in asked.items():
    measure(f"{name}, MLflow alone", times, lambda: model.predict(rows))
print(json.dumps(took))
"""


def main() -> None:
    """Fit, register, measure."""
    told = asking(
        __doc__, people=(298, "how many people"), days=(14, "how long the study is"), epochs=(2, "how long the fit is")
    ).parse_args()
    moments, cohort = study(told.people, told.days, 1.0)
    model = fit(cohort, Settings(max_epochs=told.epochs))
    print(f"{told.people} people × {told.days} days, {len(cohort)} answered moments; milliseconds: median (best)\n")
    in_process(model, cohort)
    with tempfile.TemporaryDirectory() as folder:
        registry, frame = registered(model, Path(folder)), Path(folder) / "asked.parquet"
        last = moments.sort("time_us").group_by("participant", maintain_order=True).last()
        asked = with_history(last.select("^(participant|time_us|day|local_hour|.*\\..*)$"), moments, STUDY)
        asked.with_columns(pl.col("day").cast(pl.Datetime("us"))).write_parquet(frame)
        for how in ("checked", "checked", "quiet", "quiet"):
            command = [sys.executable, "-c", FRESH, registry.uri, str(frame), how]
            said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder).stdout
            for name, took in json.loads(said.splitlines()[-1]).items():
                show(f"MLflow, packages {how}: {name}", took)


def in_process(model: MacroMicro, cohort: Cohort) -> None:
    """One person with their history, and everybody."""
    rank, count = cohort.rank()
    last = np.flatnonzero(rank + 1 == count)
    one = cohort.take(cohort.person == 0)
    show("in process: one", seconds(lambda: model.predict(one, np.array([len(one) - 1])), 200))
    show("in process: everybody", seconds(lambda: model.predict(cohort, last), 10))


def registered(model: MacroMicro, folder: Path) -> Registry:
    """A registry whose champion is the model."""
    registry = Registry(folder / "mlflow")
    registry.folder.mkdir()
    save(model, folder / "model")
    with registry.run("serving", "serving", {}) as run:
        logged = log_model(folder / "model", model, {})
    registry.point(CHAMPION, registry.register(logged, run, "serving", {}))
    return registry


def seconds(work: Callable[[], object], times: int) -> list[float]:
    """What each of some runs took by the clock, after one that does not count."""
    work()
    took = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return took


def show(name: str, took: list[float]) -> None:
    """One line, where there is anything to say."""
    if took:
        print(f"{name:<60} {1e3 * float(np.median(took)):8.1f} ({1e3 * min(took):.1f})", flush=True)


if __name__ == "__main__":
    main()
