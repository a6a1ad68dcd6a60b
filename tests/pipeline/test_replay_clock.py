"""The replay's clock: where its library is looked for, and that whoever waits is woken when the clock has passed."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.replay.clock import Clock, ReplayError, environment, library

MOVED = """
import sys, threading, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from pipeline.replay.clock import Clock

clock, began, then = Clock(Path(sys.argv[1])), time.monotonic(), datetime.now(UTC)
threading.Thread(target=lambda: (time.sleep(0.5), clock.set(datetime.now(UTC) + timedelta(days=2)))).start()
{wait}
print(then.date(), datetime.now(UTC).date(), time.monotonic() - began < 30)
"""


def test_a_library_that_is_nowhere_is_told_with_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"libfaketimeMT.so.1 was not found.*apt-get install faketime"):
        library({"MACROMICRO_FAKETIME": str(tmp_path / "libfaketimeMT.so.1")})


@pytest.mark.parametrize("wait", ["time.sleep(3600)", "threading.Event().wait(3600)"])
def test_who_waits_an_hour_wakes_when_the_clock_is_moved_by_two_days(tmp_path: Path, wait: str) -> None:
    clock = Clock(tmp_path / "clock")
    try:
        variables = environment(clock, os.environ)
    except ReplayError as error:
        pytest.skip(str(error))
    clock.set(datetime(2026, 3, 9, 12, tzinfo=UTC))
    command = [sys.executable, "-c", MOVED.format(wait=wait), str(clock.file)]
    root = str(Path(__file__).parents[2])
    variables["PYTHONPATH"] = os.pathsep.join([variables["PYTHONPATH"], root])
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100, env=variables)
    assert said.stdout.split() == ["2026-03-09", "2026-03-11", "True"]
