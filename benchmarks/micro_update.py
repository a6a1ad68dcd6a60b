"""What a night's micro update costs beside fitting everything anew, and what it brings, on a simulated study.

Run: `OMP_NUM_THREADS=1 python -m benchmarks.micro_update [people] [days]` (298 and 14 by default, five prompts a day).
The macro fit has everybody's first half; the updates then have one night's answers more, and a week's. The last two
days are tested: what the macro fit says of them, what the update says, both online.
"""

from __future__ import annotations

import resource
import time

import numpy as np

from assets.moments.table import items_of, modalities
from assets.simulated.moments import simulated_moments
from benchmarks._arguments import asking
from benchmarks.models_simulated import STUDY
from models.cohort import Cohort, Mask
from models.fitting import fit
from models.macro_micro import MacroMicro
from models.metrics import pooled_ccc
from models.settings import Settings
from models.tables import cohort_from_frame
from models.update import update

TESTED_DAYS = 2


def main() -> None:
    """Fit the first half, update by a night and by all but the last days, and print seconds, memory and errors."""
    told = asking(__doc__, people=(298, "how many people"), days=(14, "how long the study is")).parse_args()
    people, days = told.people, told.days
    frame = simulated_moments(STUDY, participants=people, days=days, seed=11)
    cohort = cohort_from_frame(frame, items_of(STUDY), modalities())
    day, half = cohort.day - cohort.day.min(), days // 2
    wall, spent = time.monotonic(), time.process_time()
    macro = fit(cohort.take(day < half), Settings())
    whole = time.process_time() - spent
    print(
        f"{people} people × {days} days: {len(cohort)} answered moments, {(day < half).sum()} of them in the macro fit"
    )
    print(f"macro fit: {whole:.0f} CPU s, {time.monotonic() - wall:.0f} s, peak {_peak():.0f} MB")
    tested = day >= days - TESTED_DAYS
    print(f"macro fit alone: {_said(macro, cohort, tested)}")
    for until in (half + 1, days - TESTED_DAYS):
        wall, spent = time.monotonic(), time.process_time()
        done = update(macro, cohort.take(day < until))
        spent = time.process_time() - spent
        print(
            f"update by {until - half} nights: {spent:.1f} CPU s, {time.monotonic() - wall:.1f} s, "
            f"1/{whole / spent:.0f} of the fit, peak so far {_peak():.0f} MB; {done.moved} of {done.asked} people "
            f"moved, weight of an answer {done.trust:g}, intervals {'new' if done.calibrated else 'kept'}; "
            f"{_said(done.model, cohort, tested)}"
        )


def _said(model: MacroMicro, cohort: Cohort, rows: Mask) -> str:
    """How good a model is on some rows, each predicted from everything before it."""
    said, truth = model.predict(cohort, rows), cohort.answers[rows]
    inside = ((said.low <= truth) & (truth <= said.high))[~np.isnan(truth)].mean()
    return (
        f"CCC {np.nanmean(pooled_ccc(said.value, truth)):.4f}, MAE {np.nanmean(np.abs(said.value - truth)):.3f}, "
        f"coverage {inside:.3f}"
    )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
