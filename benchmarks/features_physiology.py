"""A wristband day's physiology beside the plain NeuroKit2 loop, stage by stage, on real recordings.

Run: `OMP_NUM_THREADS=1 python -m benchmarks.features_physiology [hours] [hours of our own]` (1 and 24 by default).
The day is made of the twelve real E4 sessions, one after the other. Processor seconds are compared, which bear other
work on the machine better than wall time. The plain loop is what a script does: `ppg_process`, `hrv` on each five
minutes, `eda_process`; its hours are few because it is slow, and both are told per hour.

FLIRT and a tsflex collection that calls NeuroKit2 are compared on the same windows, heart and skin only, from the same
intervals between beats, where they can be imported. They are no dependency: install them elsewhere
(`python -m venv X; X/bin/pip install flirt tsflex`) and name that site-packages folder in `BENCHMARK_OTHERS`.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import warnings
from datetime import date as Date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from assets.features import ppg
from assets.features.beats import find_beats
from assets.features.eda import eda_features
from assets.features.epochs import minute_frame
from assets.features.hrv import hrv_features
from assets.features.motion import motion_features
from assets.features.physiology import PHYSIOLOGY, day_features, wanted_physiology
from assets.features.segments import read_segments
from assets.features.summary import SUMMARY_UNIT, wanted_summaries
from assets.features.temperature import temperature_features
from assets.features.windows import grid_of
from assets.lake import Key, Lake
from assets.ledger import Ledger, Stamp
from assets.study import Home, Study, Windows
from assets.tables import EVENTS, SIGNALS
from assets.units import run_unit
from benchmarks._arguments import asking, real_data
from benchmarks._timing import timed

if TYPE_CHECKING:
    import pandas as pd

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
    return real_data("e4/stress_predict")


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
    spent["minutes"], _ = timed(lambda: minute_frame(segments, EVENTS.empty(), beats, span))
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


def beside_others(signals: pl.DataFrame, hours: float) -> dict[str, float]:
    """Processor seconds of ours, FLIRT and tsflex with NeuroKit2: HRV and EDA of the same five-minute windows."""
    import pandas as pd

    sys.path.append(os.environ.get("BENCHMARK_OTHERS", ""))
    segments = read_segments(signals)
    beats = find_beats(segments, EVENTS.empty())
    span = (START, START + round(hours * 3.6e9))
    grid = grid_of(Windows(), span, [span])
    valid_us = beats.filter("valid")["time_us"].to_numpy()
    spent = {}
    spent["macromicro"], _ = timed(
        lambda: (hrv_features(beats, grid), eda_features(segments["eda"], segments["temp"], grid, valid_us))
    )
    good = beats.filter(pl.col("valid") & pl.col("rr_ms").is_not_null())
    rr = pd.Series(good["rr_ms"].to_numpy(), pd.to_datetime(good["time_us"].to_numpy(), unit="us"), name="rr")
    skin = segments["eda"][0]
    eda = pd.Series(skin.samples.astype(float), pd.to_datetime(skin.times_us().astype("int64"), unit="us"), name="eda")
    for name, work in (("FLIRT", _flirt), ("tsflex + NeuroKit2", _tsflex)):
        try:
            work(rr[:900], eda[:2400])  # imports and caches
            spent[name], _ = timed(lambda work=work: work(rr, eda))
        except Exception as error:  # noqa: BLE001 (another project's code on today's pandas: said, not hidden)
            print(f"{name} does not run here: {type(error).__name__}: {str(error)[:120]}")
    return spent


def _flirt(rr: pd.Series, eda: pd.Series) -> None:
    import flirt

    np.trapz = np.trapezoid  # noqa: NPY201 (FLIRT 0.0.2 calls it by the name that NumPy 2.4 took away)
    found = flirt.get_hrv_features(rr, window_length=300, window_step_size=300, num_cores=1)
    skin = flirt.get_eda_features(eda, window_length=300, window_step_size=300, data_frequency=4, num_cores=1)
    print(f"FLIRT gave {found.shape[0]} × {found.shape[1]} and {skin.shape[0]} × {skin.shape[1]} values")


def _tsflex(rr: pd.Series, eda: pd.Series) -> None:
    import neurokit2 as nk
    from tsflex.features import FeatureCollection, FeatureDescriptor, FuncWrapper

    heart, skin = ("HRV_MeanNN", "HRV_RMSSD", "HRV_LFHF", "HRV_SD1", "HRV_DFA_alpha1", "HRV_SampEn"), ("tonic", "scr")

    def hrv(values: np.ndarray) -> tuple[float, ...]:
        if len(values) < 60:
            return (np.nan,) * len(heart)
        found = nk.hrv(np.cumsum(np.r_[0, values]).astype(int), sampling_rate=1000)
        return tuple(float(found[name].iloc[0]) if name in found else np.nan for name in heart)

    def conductance(values: np.ndarray) -> tuple[float, float]:
        found, info = nk.eda_process(values, sampling_rate=4)
        return float(found["EDA_Tonic"].mean()), float(len(info["SCR_Peaks"]))

    windows = {"window": "5min", "stride": "5min"}
    collection = FeatureCollection(
        [
            FeatureDescriptor(FuncWrapper(hrv, output_names=list(heart)), "rr", **windows),
            FeatureDescriptor(FuncWrapper(conductance, output_names=list(skin)), "eda", **windows),
        ]
    )
    found = collection.calculate([rr, eda], return_df=False, n_jobs=1, approve_sparsity=True)
    print(f"tsflex gave {len(found)} series of {len(found[0])} windows")


def unchanged(signals: pl.DataFrame) -> tuple[float, float]:
    """Processor seconds of a participant-day the first time, and again when nothing has changed."""
    with tempfile.TemporaryDirectory() as folder:
        home, key = Home(Path(folder)), Key("P001", Date(2023, 11, 15))
        study = Study.model_validate({"study": {"timezone": "UTC"}, "items": {"happy": {}}})
        out = {"signals": Lake(home.lake).write(SIGNALS, signals, key).content}
        Ledger(Lake(home.lake), "recordings").record("P001", {Date(2023, 11, 15): Stamp("in", "1", out)})

        def work() -> None:
            run_unit(PHYSIOLOGY, home, study, wanted_physiology(home, study), quiet=True)
            run_unit(SUMMARY_UNIT, home, study, wanted_summaries(home, study), quiet=True)

        return timed(work)[0], timed(work)[0]


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


def peak_mb(hours: float) -> float:
    """Peak memory of this process after a day's features (MB)."""
    day_features(day(hours), EVENTS.empty(), (START, START + round(hours * 3.6e9)), Windows())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["peak"]:
        print(f"{peak_mb(float(sys.argv[2])):.0f}")
        return
    warnings.simplefilter("ignore")
    told = asking(
        __doc__, hours=(1.0, "how much both do"), own=(24.0, "how much is done besides without the loop")
    ).parse_args()
    few, many = told.hours, told.own
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
    others = beside_others(signals, few)
    print(f"\nheart and skin of the same windows, {few:g} h, processor s:")
    for name, seconds in others.items():
        print(f"{name:22}{seconds:8.2f}  {seconds / others['macromicro']:6.1f}×")
    whole = day(many)
    span = (START, START + round(many * 3.6e9))
    spent, _ = timed(lambda: day_features(whole, EVENTS.empty(), span, Windows()))
    parts = unavoidable(whole)
    print(
        f"\n{many:g} hours in one: {spent:.1f} processor s, {spent / parts:.2f}× the unavoidable parts ({parts:.1f} s)"
    )
    first, again = unchanged(whole)
    print(f"through the lake: {first:.1f} s the first time, {again:.3f} s unchanged ({first / again:.0f}×)")
    peak = subprocess.run([sys.executable, __file__, "peak", str(many)], check=True, capture_output=True, text=True)
    print(f"peak memory of a process that does the day alone, the made-up recording included: {peak.stdout.strip()} MB")


if __name__ == "__main__":
    main()
