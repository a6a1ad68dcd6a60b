"""How long a piece of work takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Processor seconds of a piece of work, and what it gave."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def processor_seconds(work: Callable[[], object], times: int = 3) -> float:
    """The least processor time of some runs, in seconds."""
    return min(timed(work)[0] for _ in range(times))
