"""The workers that participant-days are fanned out over.

A `concurrent.futures.Executor` whatever stands behind it: a pool of fresh processes by default (never forked:
Polars holds locks), the calling thread for one worker, or a Dask cluster when an address is given. Callers submit
plain functions with picklable arguments and take results as they come.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

WORKERS_VARIABLE = "MACROMICRO_WORKERS"
DASK_VARIABLE = "MACROMICRO_DASK"
_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1")

Task = TypeVar("Task")
Result = TypeVar("Result")


class Inline(Executor):
    """Runs what is submitted at once, in the calling thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run `fn` now; its result or error waits in the future."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 (handed to whoever asks the future)
            future.set_exception(error)
        return future


def worker_count() -> int:
    """`MACROMICRO_WORKERS`, else one worker a core that this process may use."""
    given = os.environ.get(WORKERS_VARIABLE)
    return max(1, int(given)) if given else len(os.sched_getaffinity(0))


@contextmanager
def workers(tasks: int, preload: Callable[[], None] | None = None) -> Iterator[Executor]:
    """An executor fit for this many tasks; `preload` is run once in each new worker (heavy imports)."""
    address = os.environ.get(DASK_VARIABLE)
    if address:
        from dask.distributed import Client  # an optional dependency: only where a cluster is named

        with Client(address) as client:
            yield client.get_executor()
    elif min(tasks, worker_count()) <= 1:
        yield Inline()
    else:
        with single_threaded(), _pool(min(tasks, worker_count()), preload) as pool:
            yield pool


def fan_out(
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    what: str,
    preload: Callable[[], None] | None = None,
    quiet: bool = False,
) -> Iterator[tuple[Task, Result | Exception]]:
    """Run `work` on every task and yield each with its result, or the error it raised, as they come.

    A task that fails takes no other down, even if it kills the process that works on it; the caller decides what its
    error means.
    """
    todo = list(tasks)
    if not todo:
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=quiet, transient=True) as progress:
        bar = progress.add_task(what, total=len(todo))
        for task, result in _rounds(work, todo, preload):
            progress.advance(bar)
            yield task, result


def _rounds(
    work: Callable[[Task], Result], todo: list[Task], preload: Callable[[], None] | None
) -> Iterator[tuple[Task, Result | Exception]]:
    """All tasks, although one of them may kill its worker, which takes the pool and what waits in it along.

    Tasks begin in order, so the one that killed is among the first that the pool left undone: each of these is tried
    in a process of its own, where a second death is its own doing, and the others go on in a new pool.
    """
    while todo:
        left = []
        for place, result in _one_pool(work, todo, preload):
            if isinstance(result, BrokenProcessPool):
                left.append(place)
            else:
                yield todo[place], result
        undone = [todo[place] for place in sorted(left)]
        suspects = 2 * worker_count() + 1  # a pool keeps one task more than it has workers at hand; twice is safe
        for task in undone[:suspects]:
            with single_threaded(), _pool(1, preload) as alone:
                future = alone.submit(work, task)
                yield task, _outcome(future)
        todo = undone[suspects:]


def _one_pool(
    work: Callable[[Task], Result], todo: list[Task], preload: Callable[[], None] | None
) -> Iterator[tuple[int, Result | Exception]]:
    with workers(len(todo), preload) as executor:
        if isinstance(executor, Inline):
            for place, task in enumerate(todo):
                yield place, _outcome(executor.submit(work, task))
            return
        waiting: dict[Future[Result], int] = {}
        for place, task in enumerate(todo):
            try:
                waiting[executor.submit(work, task)] = place
            except BrokenProcessPool as error:  # it broke while tasks were still being handed to it
                yield place, error
        for future in as_completed(waiting):
            yield waiting[future], _outcome(future)


def _outcome(future: Future[Any]) -> Any:
    """What a task gave, or the error it raised."""
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, Exception):
        return error
    raise error


def _pool(processes: int, preload: Callable[[], None] | None) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=preload)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Processes started inside use one thread each: the pool is the parallelism."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update({name: value for name, value in _THREADS.items() if before[name] is None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
