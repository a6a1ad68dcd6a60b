"""A wristband day's physiology beside the plain NeuroKit2 loop, stage by stage, on real recordings.

Run: `OMP_NUM_THREADS=1 python benchmarks/features_physiology.py [hours] [hours of our own]` (1 and 24 by default).
The day is made of the twelve real E4 sessions, one after the other. Processor seconds are compared, which bear other
work on the machine better than wall time. The plain loop is what a script does: `ppg_process`, `hrv` on each five
minutes, `eda_process`; its hours are few because it is slow, and both are told per hour.
"""

from __future__ import annotations

import os
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from assets.features import ppg
from assets.features.beats import find_beats
from assets.features.eda import eda_features
from assets.features.hrv import hrv_features
from assets.features.motion import motion_features
from assets.features.physiology import day_features
from assets.features.segments import read_segments
from assets.features.temperature import temperature_features
from assets.features.windows import grid_of
from assets.study import Windows
from assets.tables import EVENTS, SIGNALS

START = 1_700_006_400_000_000
RATES = {"bvp": 64, "eda": 4, "temp": 4, "acc_x": 32, "acc_y": 32, "acc_z": 32}
FILES = {
    "bvp": ("BVP", 0),
    "eda": ("EDA", 0),
    "temp": ("TEMP", 0),
    "acc_x": ("ACC", 0),
    "acc_y": ("ACC", 1),
    "acc_z": ("ACC", 2),
}


def sessions() -> Path:
    """Where the real sessions lie."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("MACROMICRO_REAL_DATA", default)) / "e4" / "stress_predict"


def day(hours: float) -> pl.DataFrame:
    """SIGNALS rows of one contiguous recording of that length."""
    rows = []
    for name, rate in RATES.items():
        file, column = FILES[name]
        parts = [
            np.loadtxt(f / f"{file}.csv", delimiter=",", ndmin=2)[2:, column] for f in sorted(sessions().glob("S*"))
        ]
        samples = np.concatenate([p[: int(50 * 60 * rate)] for p in parts]) / (64 if file == "ACC" else 1)
        size = round(hours * 3600 * rate)
        samples = np.tile(samples, -(-size // len(samples)))[:size].astype(np.float32)
        rows.append({"signal": name, "unit": "", "start_us": START, "rate_hz": rate, "samples": samples, "dump": "d"})
    return SIGNALS.frame(rows)


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Processor seconds of a piece of work, and what it gave."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def ours(signals: pl.DataFrame, hours: float) -> dict[str, float]:
    """Processor seconds of each of our stages."""
    span = (START, START + round(hours * 3.6e9))
    spent = {}
    spent["cut"], segments = timed(lambda: read_segments(signals))
    spent["beats and quality"], beats = timed(lambda: find_beats(segments, EVENTS.empty()))
    grid = grid_of(Windows(), span, [span])
    valid = beats.filter("valid")["time_us"].to_numpy()
    spent["hrv"], _ = timed(lambda: hrv_features(beats, grid))
    spent["eda"], _ = timed(lambda: eda_features(segments["eda"], segments["temp"], grid, valid))
    spent["motion"], _ = timed(lambda: motion_features(segments, grid))
    spent["temperature"], _ = timed(lambda: temperature_features(segments["temp"], grid))
    return spent


def plain(signals: pl.DataFrame) -> dict[str, float]:
    """Processor seconds of the plain NeuroKit2 loop."""
    import neurokit2 as nk

    bvp, eda = (signals.filter(pl.col("signal") == n)["samples"][0].to_numpy().astype(float) for n in ("bvp", "eda"))
    spent = {}
    spent["beats and quality"], (_, info) = timed(lambda: nk.ppg_process(bvp, sampling_rate=64))
    peaks = np.asarray(info["PPG_Peaks"])

    def windows() -> None:
        for start in range(0, len(bvp), 64 * 300):
            inside = peaks[(peaks >= start) & (peaks < start + 64 * 300)]
            if len(inside) > 12:
                nk.hrv(inside - start, sampling_rate=64)

    spent["hrv"], _ = timed(windows)
    spent["eda"], _ = timed(lambda: nk.eda_process(eda, sampling_rate=4))
    return spent


def unavoidable(signals: pl.DataFrame) -> float:
    """Processor seconds of filtering the pulse, NeuroKit2's finding its peaks, and filtering movement and skin."""
    import neurokit2 as nk

    samples = {n: s.to_numpy().astype(float) for n, s in zip(signals["signal"], signals["samples"], strict=True)}

    def work() -> None:
        cleaned = ppg.clean(samples["bvp"], 64.0)
        nk.ppg_findpeaks(cleaned, sampling_rate=64)
        for name in ("acc_x", "eda"):
            nk.signal_filter(samples[name], sampling_rate=RATES[name], lowcut=0.25, highcut=1.5, order=2)

    return timed(work)[0]


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    few, many = (float(a) for a in (sys.argv[1:] + ["1", "24"][len(sys.argv) - 1 :])[:2])
    signals = day(few)
    ours(signals, few)  # imports and caches
    mine, theirs = ours(signals, few), plain(signals)
    print(f"{'processor s an hour':22}{'NeuroKit2 loop':>16}{'macromicro':>12}{'ratio':>8}")
    for stage, spent in mine.items():
        other = theirs.get(stage)
        ratio = f"{other / spent:7.0f}×" if other else ""
        print(f"{stage:22}{(f'{other / few:.2f}' if other else '–'):>16}{spent / few:12.3f}{ratio:>8}")
    total, plain_total = sum(mine.values()), sum(theirs.values())
    print(f"{'all':22}{plain_total / few:16.2f}{total / few:12.3f}{plain_total / total:7.0f}×")
    whole = day(many)
    span = (START, START + round(many * 3.6e9))
    spent, _ = timed(lambda: day_features(whole, EVENTS.empty(), span, Windows()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    parts = unavoidable(whole)
    print(
        f"\n{many:g} hours in one: {spent:.1f} processor s, {spent / parts:.2f}× the unavoidable parts ({parts:.1f} s)"
    )
    print(f"peak memory of this process, NeuroKit2 and the made-up day included: {peak:.0f} MB")


if __name__ == "__main__":
    main()
