"""Published readers of E4 sessions, timed in whichever interpreter has them.

Run by `ingest_e4.py`: `PYTHON benchmarks/_e4_readers.py NAME ZIP` prints the least processor seconds of three runs.
Nothing of ours is imported here, because these packages need versions of pandas and Python that ours does not have.
"""

from __future__ import annotations

import inspect
import sys
import tempfile
import time
import zipfile
from typing import Any

TIMES = 3


def devicely(path: str) -> None:
    """Devicely's reader, which wants a folder, and an argument of `read_csv` that pandas 2 no longer has."""
    import devicely as package
    import pandas as pd

    read_csv = pd.read_csv

    def with_squeeze(*args: Any, squeeze: bool = False, **more: Any) -> Any:
        table = read_csv(*args, **more)
        return table.squeeze("columns") if squeeze else table

    if "squeeze" not in inspect.signature(read_csv).parameters and read_csv.__name__ != with_squeeze.__name__:
        pd.read_csv = with_squeeze
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(path).extractall(folder)
        package.EmpaticaReader(folder)


def flirt(path: str) -> None:
    """FLIRT's readers, one for each of the six files."""
    from flirt.reader import empatica

    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(path).extractall(folder)
        for name in ("acc", "bvp", "eda", "temp", "hr", "ibi"):
            getattr(empatica, f"read_{name}_file_into_df")(f"{folder}/{name.upper()}.csv")


def main() -> None:
    """Time one of them on one zip."""
    read = {"devicely": devicely, "flirt": flirt}[sys.argv[1]]
    spent = []
    for _ in range(TIMES):
        started = time.process_time()
        read(sys.argv[2])
        spent.append(time.process_time() - started)
    print(min(spent))


if __name__ == "__main__":
    main()
