"""Damaged dumps by the thousand through every reader: none may crash, hang, fill the memory or leave a file behind.

Run from the project's root: `python -m benchmarks.fuzz_readers [cases] [first]` (20,000 from 0 by default). Seeds
are small files of every reader, made in code, and the real ones where `MACROMICRO_REAL_DATA` or `../shared/data`
has them. Reading goes on in guarded worker processes, as the catalogue's does; every case has its own limit of
processor time. A failure is printed with its number, by which `tests/assets/ingest/fuzz.py` makes it again.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from functools import cache
from pathlib import Path

from polars.exceptions import PanicException

from assets.errors import DumpError
from assets.ingest.isolation import Limits, isolated
from benchmarks._arguments import REAL, asking
from tests.assets.ingest.fuzz import Seed, case, made_seeds, outcome, real_seeds

SECONDS, MEGABYTES, BATCH = 20, 1_500, 250


class TooSlowError(Exception):
    """A case took longer than its limit."""


@cache
def seeds() -> list[Seed]:
    """The undamaged files, made once a process."""
    return [*made_seeds(), *(real_seeds(REAL) if REAL.is_dir() else [])]


def _alarm(*_: object) -> None:
    raise TooSlowError


def batch(numbers: range) -> tuple[Counter[str], list[str], float, int]:
    """Read some cases; gives how they ended, what should not have happened, the longest time and the peak in MB."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGPROF, _alarm)
    files = seeds()
    ends, failures, longest = Counter[str](), [], 0.0
    for number in numbers:
        started = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            damaged = case(files, number)
            started = time.process_time()
            ends[outcome(damaged)] += 1
        except DumpError:
            ends["refused"] += 1
        except (Exception, PanicException) as error:  # noqa: BLE001 (a finding: told with its number)
            failures.append(f"case {number}, {case(files, number).path}: {type(error).__name__}: {error}")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        longest = max(longest, time.process_time() - started)
    return ends, failures, longest, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> int:
    """Run all cases and print how they ended."""
    told = asking(__doc__, cases=(20_000, "how many damaged dumps"), first=(0, "the number of the first")).parse_args()
    count, first = told.cases, told.first
    tasks = [range(n, min(n + BATCH, first + count)) for n in range(first, first + count, BATCH)]
    ends, failures, longest, peak = Counter[str](), [], 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = folder
        started = time.monotonic()
        for numbers, result in isolated(batch, tasks, Limits(seconds=BATCH * SECONDS, memory_mb=MEGABYTES)):
            if isinstance(result, Exception):
                failures.append(f"cases {numbers.start} to {numbers.stop}: {result}")
                print(failures[-1], flush=True)
                continue
            ends += result[0]
            failures += result[1]
            longest, peak = max(longest, result[2]), max(peak, result[3])
        stray = sorted(p.name for p in Path(folder).iterdir())
    print(f"{ends.total()} of {count} cases over {len(seeds())} seeds in {time.monotonic() - started:.0f} s")
    print(f"  slowest case {longest:.2f} s of processor time, peak of a worker {peak} MB, stray files {stray}")
    for name, number in ends.most_common():
        print(f"  {number:6d} {name}")
    print("\n".join(["failures:", *failures]) if failures else "no failure")
    return int(bool(failures or stray))


if __name__ == "__main__":
    sys.exit(main())
