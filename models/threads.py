"""How many threads a fit computes with, and what can be done beside one another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.pool import ThreadPool
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")


@contextmanager
def torch_threads(count: int = 1) -> Iterator[None]:
    """Torch uses `count` threads, then as many as before.

    With one, the last digit does not depend on how many cores a machine has.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def one_openmp_thread() -> Iterator[None]:
    """What scikit-learn computes in this thread it computes alone, so that the last digit is the same everywhere.

    OpenMP's limit is each thread's own; that of a matrix library, which is everybody's, is left as it is.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="openmp"):
        yield


@contextmanager
def beside(work: Callable[[], Result], threads: int) -> Iterator[Callable[[], Result]]:
    """Begin some work on a thread of its own; what is given waits for it and returns its result.

    Where there is but one thread to compute with, the work is done when its result is asked for. A block that ends
    without asking does not wait.
    """
    if threads < 2:
        yield work
        return
    with ThreadPool(1) as pool:
        yield pool.apply_async(work).get


def each(work: Callable[[Part], Result], parts: Iterable[Part], threads: int) -> list[Result]:
    """The same work on several parts, on so many threads; results in the order of the parts."""
    if threads < 2:
        return [work(part) for part in parts]
    with ThreadPool(threads) as pool:
        return pool.map(work, parts, chunksize=1)
