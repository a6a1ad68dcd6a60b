import os
import signal
from concurrent.futures.process import BrokenProcessPool

import pytest

from assets.workers import WORKERS_VARIABLE, fan_out


def tenfold(number: int) -> int:
    """Ten times a number; 3 kills the process that works on it, 5 is refused."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 5:
        message = "5 is refused"
        raise ValueError(message)
    return 10 * number


def test_a_task_that_kills_its_worker_takes_no_other_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKERS_VARIABLE, "2")
    found = dict(fan_out(tenfold, range(14), what="numbers", quiet=True))
    assert isinstance(found.pop(3), BrokenProcessPool)
    assert str(found.pop(5)) == "5 is refused"
    assert found == {n: 10 * n for n in range(14) if n not in {3, 5}}
