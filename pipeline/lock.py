"""One night at a time: the home's lock.

Everything that writes the lake holds it: `macromicro run` and, through the executor of `jobs.py`, each run that
Dagster starts. It is a kernel file lock, so it falls the moment its holder dies, however it dies; the file's text only
tells people who holds it. Whoever takes it first clears what a killed holder left half-written in the lake.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TextIO

from assets.lake import Lake
from assets.study import Home
from models.errors import MacromicroError

NAME, SERVING = "night.lock", "ui.lock"
PATIENCE_S = 0.5


class BusyError(MacromicroError):
    """Another run is working on this home."""


@dataclass(frozen=True)
class Holder:
    """Who holds the lock: a process, since when (ISO, UTC), doing what."""

    pid: int
    since: str
    what: str

    def __str__(self) -> str:
        return f"{self.what} (process {self.pid}, since {self.since})"


@contextmanager
def lock(home: Home, what: str) -> Iterator[None]:
    """Hold the home for as long as the block runs.

    Raises:
        BusyError: someone else holds it; the message says who.
    """
    with _held(home, NAME, what, "Two runs at once would do the same work twice; wait for it."):
        Lake(home.lake).sweep()
        yield


@contextmanager
def serving(home: Home) -> Iterator[None]:
    """Be the one who serves the home's pages and starts its schedules, for as long as the block runs.

    Raises:
        BusyError: someone else does; the message says who.
    """
    with _held(home, SERVING, "macromicro ui", "Two of them would both start its nights; use its pages, or end it."):
        yield


@contextmanager
def _held(home: Home, name: str, what: str, why: str) -> Iterator[None]:
    home.root.mkdir(parents=True, exist_ok=True)
    with (home.root / name).open("a+") as file:
        if not _taken(file):
            message = f"{home.root} is busy: {_read(file)}. {why}"
            raise BusyError(message)
        holder = Holder(os.getpid(), datetime.now(UTC).isoformat(timespec="seconds"), what)
        file.truncate(0)
        json.dump(asdict(holder), file)
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def holder(home: Home) -> Holder | None:
    """Who holds the home now; None where nobody does."""
    try:
        with (home.root / NAME).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return _read(file)
    except FileNotFoundError:
        pass
    return None


def _taken(file: TextIO) -> bool:
    """Take the lock; a moment's patience, since `holder` holds it for an instant to look."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def _read(file: TextIO) -> Holder:
    file.seek(0)
    text = file.read()
    return Holder(**json.loads(text)) if text else Holder(0, "a moment ago", "a run that just began")
