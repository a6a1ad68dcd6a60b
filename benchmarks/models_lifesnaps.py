"""LifeSnaps: daily Fitbit values and seven yes/no emotions of 36 people, through the whole line as its user would.

Run: `python -m benchmarks.models_lifesnaps`. The published table becomes an inbox (daily values, one self-report a
day at 20:00 local), `macromicro run` does the rest, `macromicro evaluate` gives the table. Once with a day's values
known from the following day (the default), once known on the day itself: the day's emotions were asked during that
day, so part of those values is from after them, and the second form is an upper end, not a result. A fit that finds the
values of no use does not read them, and their share is 0; what they do where they are read all the same is told below.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from assets.learning.work import settings_of
from assets.moments.cohort import load_cohort
from assets.study import Home
from benchmarks._arguments import asking, real_data
from models.baselines import BASELINES
from models.evaluation import compare, drops, predict_split
from models.fitting import fit
from models.protocols import online

EMOTIONS = ("ALERT", "HAPPY", "NEUTRAL", "RESTED/RELAXED", "SAD", "TENSE/ANXIOUS", "TIRED")
VALUES = (
    "nightly_temperature", "nremhr", "rmssd", "spo2", "full_sleep_breathing_rate", "stress_score", "calories", "bpm",
    "lightly_active_minutes", "moderately_active_minutes", "very_active_minutes", "sedentary_minutes", "scl_avg",
    "resting_hr", "minutesAsleep", "minutesAwake", "sleep_efficiency", "sleep_deep_ratio", "sleep_rem_ratio", "steps",
)  # fmt: skip
SHOWN = ("pooled_ccc", "mae", "person_ccc", "within_r")


def main() -> None:
    """Both forms, each in a home of its own."""
    asking(__doc__).parse_args()
    for known in ("next_day", "same_day"):
        with tempfile.TemporaryDirectory() as folder:
            show(known, table(Path(folder), known))
            read_all_the_same(Home(Path(folder)))


def table(home: Path, known: str) -> dict[str, Any]:
    """The evaluation of a fresh home with the whole study in its inbox."""
    fill(home, known)
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(home)]
    for words in (("run",), ("evaluate", "--json", str(home / "table.json"))):
        told = subprocess.run([*command, *words], check=False, capture_output=True, text=True)
        if told.returncode:
            sys.exit(told.stdout + told.stderr)
    found: dict[str, Any] = json.loads((home / "table.json").read_text())
    return found


def read_all_the_same(home: Home) -> None:
    """Print what the values do in a fit that reads them whether or not held-back answers speak for it."""
    study = home.study()
    cohort = load_cohort(home, study)
    settings = replace(settings_of(study), read_all=True)
    model = fit(cohort.take(online(cohort).train), settings)
    for split in (online(cohort), online(cohort, nightly=True)):
        tested = predict_split(split, model, {"ewma": BASELINES["ewma"]})
        ours = compare(tested, cohort)["macro_micro"]
        print(f"\nread all the same, {split.name}: CCC {ours['pooled_ccc']:.3f}, MAE {ours['mae']:.3f}")
        for name, loss in drops(split, model, tested).items():
            agreement, error = (f"{loss[k]['mean']:+.4f} {loss[k]['ci']}" for k in ("ccc", "mae"))
            print(f"without {name}: CCC falls by {agreement}, error rises by {error}")


def fill(home: Path, known: str) -> None:
    """`study.toml` and the inbox."""
    names = {e: e.lower().replace("/", "_") for e in EMOTIONS}
    items = "\n".join(f"[items.{name}]\nlow = 0\nhigh = 1" for name in names.values())
    (home / "study.toml").write_text(
        '[study]\nname = "LifeSnaps"\ntimezone = "Europe/Athens"\n'
        f"{items}\n[daily_values]\ncolumns = {json.dumps(VALUES)}\nknown = {json.dumps(known)}\n"
    )
    days = pl.read_csv(real_data("lifesnaps/daily_fitbit_sema.csv"), infer_schema_length=None)
    for folder, name, rows in (
        ("daily_values", "fitbit", days.select(participant="id", **{v: v for v in ("date", *VALUES)})),
        (
            "self_reports",
            "sema",
            days.filter(pl.col("ALERT").is_not_null()).select(
                participant="id", time=pl.col("date") + "T20:00:00", **{new: old for old, new in names.items()}
            ),
        ),
    ):
        (home / "inbox" / folder).mkdir(parents=True)
        rows.write_csv(home / "inbox" / folder / f"{name}.csv")


def show(known: str, found: dict[str, Any]) -> None:
    """Print the table, the gain over the EWMA and what physiology adds."""
    for protocol, models in found.items():
        print(
            f"\n# {protocol}, a day's values known: {known}\n\n| model | {' | '.join(SHOWN)} |\n|---|---|---|---|---|"
        )
        for name, figures in sorted(models.items(), key=lambda kv: -kv[1]["pooled_ccc"]):
            print(f"| {name} | " + " | ".join("" if figures[f] is None else f"{figures[f]:.3f}" for f in SHOWN) + " |")
        ours = models["macro_micro"]
        gain, error = ours["ccc_over_ewma"], ours["mae"] / models["ewma"]["mae"]
        print(
            f"\nover the EWMA: CCC {gain['mean']:+.3f} {gain['ci']}, MAE × {error:.3f}; coverage {ours['coverage']:.3f}"
        )
        for name, loss in ours.get("without", {}).items():
            print(f"without {name}: CCC falls by {loss['ccc']['mean']:+.4f} {loss['ccc']['ci']}")


if __name__ == "__main__":
    main()
