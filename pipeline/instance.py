"""Dagster's storage of a home, for runs of the command line and for reading what happened.

The same storage that the web server and the daemon use, so that a night run by hand is seen in the pages. Steps'
standard output is not captured here: it is the terminal of whoever typed the command.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from assets.study import Home

if TYPE_CHECKING:
    import dagster as dg

SETTINGS = "dagster.yaml"
_NO_CAPTURE = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}


def prepare(home: Home) -> None:
    """Make the folder of Dagster's storage, with its settings where none are yet."""
    home.dagster.mkdir(parents=True, exist_ok=True)
    if not (home.dagster / SETTINGS).exists():
        shutil.copyfile(Path(__file__).with_name(SETTINGS), home.dagster / SETTINGS)


def logs(home: Home) -> Path:
    """The folder of text logs: nights of the command line, and the servers' own.

    Not `logs` under Dagster's folder: what lies there is taken for telemetry by Dagster's web server, which sends it
    away and deletes it, even where telemetry is switched off (1.13.27, `dagster/_core/telemetry_upload.py`).
    """
    folder = home.root / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def instance(home: Home) -> dg.DagsterInstance:
    """The home's instance; made, with its settings, where there is none yet."""
    import dagster as dg
    from dagster._core.instance.ref import InstanceRef

    prepare(home)
    logging.getLogger("dagster").setLevel(logging.ERROR)
    folder = str(home.dagster)
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(folder, overrides={"compute_logs": _NO_CAPTURE}))
