"""Work that misbehaves, for the guard: it must be importable by the worker processes."""

import importlib
import os
import signal
import time

from assets.errors import DumpError


def work(task: str) -> str:
    """Do to oneself what the task says."""
    if task == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if task == "hang":
        time.sleep(60)
    if task == "hog":
        kept = [b"x" * 2**20 for _ in range(2_000)]
        time.sleep(60)
        return str(len(kept))
    if task == "exit":
        os._exit(3)
    if task == "raise":
        message = "secret value 42"
        raise ValueError(message)
    if task == "refuse":
        message = "not today"
        raise DumpError(message)
    return task.upper()


class Unloadable:
    """Work whose module breaks where it is imported anew, as in an environment that is not whole."""

    def __call__(self, task: str) -> str:
        return task

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return importlib.import_module, ("a_module_that_is_nowhere",)
