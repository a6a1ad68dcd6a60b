"""Reading in processes of their own, so that nothing a dump does can take the others down.

Each worker reads one dump at a time and is asked over a pipe. A worker that takes longer or more memory than its
limit is killed, one that dies (even by a segfault) is replaced, and only the dump it was reading gets the reason. A
worker says when it is ready: before that no dump is given to it, so none is blamed and no limit runs.
`assets/workers.py` fans out work that is trusted; this is for work that is not.
"""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import PurePath
from typing import Any, Generic, TypeVar

import psutil
from polars.exceptions import PanicException

from assets.errors import DumpError, ReadingError
from assets.workers import single_threaded, worker_count

Task = TypeVar("Task")
Result = TypeVar("Result")
_LOOK_S = 0.25
_START_S = 120.0
_READY = "ready"


@dataclass(frozen=True)
class Limits:
    """What one task may take: seconds, and megabytes of resident memory of its worker."""

    seconds: float
    memory_mb: int


@dataclass
class _Worker(Generic[Task]):
    process: Any
    pipe: Connection
    task: Task | None = None
    until: float = 0.0
    ready: bool = False


def isolated(
    work: Callable[[Task], Result], tasks: Iterable[Task], limits: Limits
) -> Iterator[tuple[Task, Result | Exception]]:
    """Run `work` on each task in a guarded process; yields each with its result or the error that it met.

    A task stopped at a limit, or whose process died, yields a `DumpError` that says so. `work` and the tasks must
    be picklable.

    Raises:
        ReadingError: a process cannot be started, or does not say that it is ready.
    """
    todo = list(tasks)
    todo.reverse()
    if not todo:
        return
    pool = [_start(work) for _ in range(min(worker_count(), len(todo)))]
    try:
        while todo or any(w.task is not None for w in pool):
            for n, idle in enumerate(pool):
                if idle.task is None and todo:
                    pool[n] = _given(idle, todo.pop(), limits, work)
            busy = [w for w in pool if w.task is not None]
            ready = set(wait([w.pipe for w in busy], timeout=_LOOK_S))
            for n, worker in enumerate(pool):
                if worker.task is None:
                    continue
                outcome = _received(worker) if worker.pipe in ready else _over(worker, limits)
                if outcome is None:
                    continue
                task, fatal, result = worker.task, isinstance(outcome, _Fatal), outcome
                pool[n] = _replaced(worker, work) if fatal and todo else worker
                pool[n].task = None
                yield task, result.reason if isinstance(result, _Fatal) else result
    finally:
        for worker in pool:
            _stop(worker)


@dataclass(frozen=True)
class _Fatal:
    """The worker is gone or must go."""

    reason: DumpError


def _start(work: Callable[[Task], Result]) -> _Worker[Task]:
    context = get_context("spawn")
    here, there = context.Pipe()
    with single_threaded():
        process = context.Process(target=_serve, args=(there, work), daemon=True)
        process.start()
    there.close()
    return _Worker(process, here)


def _await(worker: _Worker[Task]) -> None:
    """Wait until a new worker has started and imported what it needs."""
    try:
        worker.ready = worker.pipe.poll(_START_S) and worker.pipe.recv() == _READY
    except (EOFError, OSError):
        worker.process.join(5)
    if not worker.ready:
        message = (
            f"a process that reads dumps does not start (exit code {worker.process.exitcode}); no dump was judged. "
            "Is there memory left, and is the environment whole? The next night tries again"
        )
        raise ReadingError(message)


def _given(worker: _Worker[Task], task: Task, limits: Limits, work: Callable[[Task], Result]) -> _Worker[Task]:
    if not worker.process.is_alive() and worker.ready:
        worker = _replaced(worker, work)
    if not worker.ready:
        _await(worker)
    worker.pipe.send(task)
    worker.task, worker.until = task, time.monotonic() + limits.seconds
    return worker


def _received(worker: _Worker[Task]) -> Any:
    try:
        return worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join(5)
        code = worker.process.exitcode
        name = signal.Signals(-code).name if code is not None and code < 0 else f"exit {code}"
        return _Fatal(
            DumpError(f"its reader crashed ({name}); the file is probably damaged. Other dumps are not affected")
        )


def _over(worker: _Worker[Task], limits: Limits) -> _Fatal | None:
    """Kill a worker beyond a limit."""
    reason = None
    if time.monotonic() > worker.until:
        reason = f"reading it took longer than {limits.seconds:g} s ([reading] max_seconds)"
    else:
        with suppress(psutil.Error):
            if psutil.Process(worker.process.pid).memory_info().rss > limits.memory_mb * 2**20:
                reason = f"reading it took more than {limits.memory_mb} MB of memory ([reading] max_memory_mb)"
    if reason is None:
        return None
    _stop(worker)
    return _Fatal(DumpError(reason))


def _replaced(worker: _Worker[Task], work: Callable[[Task], Result]) -> _Worker[Task]:
    _stop(worker)
    return _start(work)


def _stop(worker: _Worker[Task]) -> None:
    worker.pipe.close()
    if worker.process.is_alive():
        worker.process.kill()
    worker.process.join()


def _serve(pipe: Connection, work: Callable[[Task], Result]) -> None:
    """Answer tasks until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe.send(_READY)
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        try:
            answer: Any = work(task)
        except MemoryError:
            answer = DumpError("reading it needs more memory than this machine has")
        except RecursionError:
            answer = DumpError("it is nested without end")
        except PanicException:
            answer = DumpError("its reader met damage that it could not get past; copy it again")
        except Exception as error:  # noqa: BLE001 (handed to the caller, who decides)
            last = traceback.extract_tb(error.__traceback__)[-1]
            error.add_note(f" at {PurePath(last.filename).name}:{last.lineno}")
            answer = error
        try:
            pipe.send(answer)
        except Exception as error:  # noqa: BLE001 (an error that cannot be pickled is still told)
            pipe.send(DumpError(f"{type(answer).__name__}: {error}"))
