import os
import signal
import subprocess
import sys

import pytest

from assets.study import Home
from pipeline.lock import BusyError, holder, lock, serving

HOLD = (
    "import sys, time; from pathlib import Path; from assets.study import Home; from pipeline.lock import lock\n"
    "with lock(Home(Path(sys.argv[1])), 'a long night'): print('held', flush=True); time.sleep(60)"
)


def test_the_second_run_is_told_who_holds_the_home(home: Home) -> None:
    with (
        lock(home, "first"),
        pytest.raises(BusyError, match=f"busy: first .process {os.getpid()}"),
        lock(home, "second"),
    ):
        pass


def test_a_home_is_free_again_after_the_run(home: Home) -> None:
    with lock(home, "first"):
        assert holder(home) is not None
    assert holder(home) is None
    with lock(home, "second"):
        pass


def test_whoever_takes_a_home_clears_what_a_killed_run_left_half_written(home: Home) -> None:
    half = home.lake / ".writing" / ".tmp-99-part.parquet"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    with lock(home, "next"):
        assert not half.exists()


def test_a_home_that_does_not_exist_is_held_by_nobody(home: Home) -> None:
    assert holder(home) is None


def test_the_lock_of_a_killed_process_falls_with_it(home: Home) -> None:
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(home.root)], stdout=subprocess.PIPE)
    assert other.stdout is not None
    other.stdout.readline()
    held = holder(home)
    assert held is not None
    assert (held.pid, held.what) == (other.pid, "a long night")
    other.send_signal(signal.SIGKILL)
    other.wait()
    with lock(home, "after the kill"):
        pass


def test_pages_are_served_once_and_a_night_runs_beside_them(home: Home) -> None:
    with (
        serving(home),
        lock(home, "night"),
        pytest.raises(BusyError, match=f"macromicro ui .process {os.getpid()}.*use its pages"),
        serving(home),
    ):
        pass
    with serving(home):
        pass
