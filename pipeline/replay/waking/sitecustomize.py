"""Imported by every Python that the replay starts, because this folder is on its path: waiting follows the clock.

libfaketime moves the wall clock; whoever waits through a move must wake when the clock has passed the time to wake,
or the scheduler, which waits for the next full minute, would cost a real minute each time. `time.sleep` and
`threading.Event.wait` look at the wall clock every moment instead of handing their time to the kernel. That also
leaves alone `clock_nanosleep`, which libfaketime 0.9.10 hands on with a wrong deadline where monotonic clocks stay
real (Python 3.11: EINVAL). Nothing else of Python, and nothing of Dagster, is changed.
"""

import select
import threading
import time

LOOK_S = 0.5
_wait = threading.Event.wait


def sleep(seconds: float) -> None:
    """Return when so much time has passed, really or by the wall clock."""
    if seconds < 0:
        message = "sleep length must be non-negative"
        raise ValueError(message)
    ends = _ends(seconds)
    while (left := _left(ends)) > 0:
        select.select([], [], [], min(left, LOOK_S))


def wait(event: threading.Event, timeout: float | None = None) -> bool:
    """Wait until the event is set, or so much time has passed, really or by the wall clock."""
    if timeout is None:
        return _wait(event)
    ends = _ends(timeout)
    while not _wait(event, max(0.0, min(_left(ends), LOOK_S))):
        if _left(ends) <= 0:
            return False
    return True


def _ends(seconds: float) -> tuple[float, float]:
    return time.monotonic() + seconds, time.time() + seconds


def _left(ends: tuple[float, float]) -> float:
    return min(ends[0] - time.monotonic(), ends[1] - time.time())


time.sleep = sleep  # type: ignore[assignment]
threading.Event.wait = wait  # type: ignore[method-assign,assignment]
