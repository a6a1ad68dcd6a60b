"""How fast and in how much memory E4 sessions are read, beside pandas' C parser and the readers that are installed.

Run: `python -m benchmarks.ingest_e4 [hours]` (6 by default). The session is made up in the vendor's layout; reading
goes through the same function that the catalogue uses. devicely and FLIRT (`_e4_readers.py`) need other versions of
pandas: name interpreters that have them in `BENCHMARK_PYTHONS` (`python -m venv X; X/bin/pip install flirt`).
"""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys
import tempfile
import zipfile
from functools import partial
from pathlib import Path

import numpy as np

from assets.ingest.readers.base import Context
from assets.ingest.reading import read_dump
from assets.ingest.source import file_member, source_of
from assets.study import Study
from benchmarks._arguments import asking
from benchmarks._timing import processor_seconds

READERS = Path(__file__).with_name("_e4_readers.py")
START = 1_644_226_061
STUDY = Study.model_validate({"study": {"timezone": "Europe/Berlin"}, "items": {"happy": {}}})


def column(values: np.ndarray, pattern: str) -> str:
    """Numbers as lines of text."""
    return "".join(pattern % v for v in values.tolist())


def session(hours: float) -> dict[str, str]:
    """A session's files, with noise as real ones have."""
    rng, seconds = np.random.default_rng(0), int(hours * 3600)
    acc = rng.integers(-64, 64, (32 * seconds, 3)).tolist()
    ibi = rng.choice([0.875, 0.890625, 0.90625], seconds)
    return {
        "ACC.csv": f"{START}.0, {START}.0, {START}.0\n32.0, 32.0, 32.0\n"
        + "".join(f"{x},{y},{z}\n" for x, y, z in acc),
        "BVP.csv": f"{START}.0\n64.0\n" + column(rng.normal(0, 50, 64 * seconds), "%.2f\n"),
        "EDA.csv": f"{START}.0\n4.0\n" + column(rng.uniform(0.1, 5, 4 * seconds), "%.6f\n"),
        "TEMP.csv": f"{START}.0\n4.0\n" + column(rng.uniform(30, 36, 4 * seconds), "%.2f\n"),
        "HR.csv": f"{START + 10}.0\n1.0\n" + column(rng.uniform(55, 90, seconds), "%.2f\n"),
        "IBI.csv": f"{START}.0, IBI\n"
        + "".join(f"{t:f},{rr:f}\n" for t, rr in zip(ibi.cumsum().tolist(), ibi.tolist(), strict=True)),
        "tags.csv": f"{START + 60}.5\n",
    }


def ours(path: Path) -> None:
    """Read the zip as the catalogue does."""
    read_dump(source_of("P01/s.zip", [file_member(path)]), Context(STUDY, "P01"))


def pandas_c(path: Path) -> None:
    """The same files by pandas' C parser, nothing else done with them."""
    import pandas as pd

    with zipfile.ZipFile(path) as archive:
        for name in ("ACC", "BVP", "EDA", "TEMP", "HR", "IBI"):
            data = archive.read(f"{name}.csv")
            pd.read_csv(io.BytesIO(data), skiprows=1 if name == "IBI" else 2, header=None, engine="c")


def elsewhere(name: str, path: Path) -> float | None:
    """Processor seconds of a published reader, in this interpreter or those named; None where none has it."""
    for python in (sys.executable, *filter(None, os.environ.get("BENCHMARK_PYTHONS", "").split(os.pathsep))):
        run = subprocess.run([python, str(READERS), name, str(path)], capture_output=True, text=True, check=False)
        if run.returncode == 0:
            return float(run.stdout)
        if "ModuleNotFoundError" not in run.stderr:
            print(run.stderr, file=sys.stderr)
    return None


def main() -> None:
    """Print the table."""
    hours = asking(__doc__, hours=(6.0, "how long the session is")).parse_args().hours
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in session(hours).items():
                archive.writestr(name, text)
        print(f"E4 session of {hours:g} h, zip of {path.stat().st_size / 2**20:.1f} MB")
        own = processor_seconds(partial(ours, path))
        spent: dict[str, float | None] = {
            "macromicro": own,
            "pandas (C parser)": processor_seconds(partial(pandas_c, path)),
            **{name: elsewhere(name, path) for name in ("devicely", "flirt")},
        }
        for name, seconds in spent.items():
            ratio = "not installed" if seconds is None else f"{seconds:6.2f} s  {seconds / own:6.1f} x"
            print(f"  {name:20s} {ratio}")


def memory(path: Path) -> None:
    """Print the peak of this process after reading one zip (run in a fresh process)."""
    ours(path)
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        memory(Path(sys.argv[2]))
    else:
        main()
