"""The accelerated clock: a wall clock that the replay moves, seen by the servers, their runs and their workers.

libfaketime stands between every process and the kernel's wall clock and adds the offset that a file holds; the replay
writes the file. Everybody looks at it once a second, so a move lasts that long; between moves the clock runs as fast as
the real one. Monotonic clocks and the times of files stay real, so that timeouts and durations mean what they say; the
replay gives its own files the times of its clock. Who sleeps through a move is woken (`waking/`). When to move belongs
to `driver.py`.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from models.errors import MacromicroError

LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1")
LIBRARY_VARIABLE, FILE_VARIABLE = "MACROMICRO_FAKETIME", "FAKETIME_TIMESTAMP_FILE"
WAKING = Path(__file__).with_name("waking")
SEEN_S = 1.1  # after which every process has looked at a moved clock
HEARTBEAT_S = 3600 * 24 * 30
"""Seconds of silence after which a code server ends itself: a move of the clock is no silence."""


class ReplayError(MacromicroError):
    """The replay cannot go on, or cannot begin."""


@dataclass(frozen=True)
class Clock:
    """The clock of a replay; `file` holds its offset from the real one in seconds."""

    file: Path

    def set(self, moment: datetime) -> None:
        """Move the clock to a moment, whole seconds; called before the clock's own processes start, or in one."""
        now = datetime.now(UTC)
        moved = self.offset() + round((moment - now).total_seconds()) if inside() else _until(moment)
        draft = self.file.with_suffix(".new")
        draft.write_text(f"{moved:+d}\n")
        draft.replace(self.file)
        if inside():  # until everybody has looked; not `time.sleep`, which a moved clock ends at once
            select.select([], [], [], SEEN_S)

    def offset(self) -> int:
        """Seconds by which it is ahead of the real clock."""
        return int(self.file.read_text()) if self.file.exists() else 0


def inside() -> bool:
    """Whether this process lives by the replay's clock."""
    return FILE_VARIABLE in os.environ


def environment(clock: Clock, inherited: Mapping[str, str]) -> dict[str, str]:
    """What a process must find in its environment to live by the clock, with everything that it starts.

    Raises:
        ReplayError: the library is not installed.
    """
    path = os.pathsep.join(filter(None, [str(WAKING), inherited.get("PYTHONPATH")]))
    return {
        **inherited,
        "LD_PRELOAD": str(library(inherited)),
        FILE_VARIABLE: str(clock.file),
        "FAKETIME_CACHE_DURATION": "0",  # a look in each new second; at every call it costs a third of all work
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # durations and timeouts stay real
        "NO_FAKE_STAT": "1",  # or the times of all files would move with the clock
        "DAGSTER_GRPC_PROXY_HEARTBEAT_TTL_SECONDS": str(HEARTBEAT_S),
        "PYTHONPATH": path,
    }


def library(inherited: Mapping[str, str]) -> Path:
    """Where libfaketime is; `MACROMICRO_FAKETIME` names one that lies elsewhere.

    Raises:
        ReplayError: nowhere.
    """
    named = inherited.get(LIBRARY_VARIABLE)
    found = [Path(named)] if named else [p for glob in LIBRARIES for p in Path("/").glob(glob.lstrip("/"))]
    for path in found:
        if path.is_file():
            return path
    message = (
        f"{named or 'libfaketime'} was not found; the replay's clock needs it. On Debian and Ubuntu: "
        f"apt-get install faketime. Elsewhere name its libfaketimeMT.so.1 in {LIBRARY_VARIABLE}"
    )
    raise ReplayError(message)


def _until(moment: datetime) -> int:
    return round(moment.timestamp() - time.time())
