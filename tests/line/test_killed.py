"""A night killed at every stage, again and again, and what the next one makes of it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assets.lake import Lake
from assets.tables import SELF_REPORTS, SIGNALS
from tests.line.studies import differing, macromicro, macromicro_json, tree_hash

pytestmark = pytest.mark.timeout(1500)

STAGES = (
    "lake/dumps/part.parquet",
    "lake/signals/*/*/part.parquet",
    "lake/ledger/recordings/*.json",
    "lake/hrv/*/*/part.parquet",
    "lake/ledger/acoustic/*.json",
    "lake/moments/*/part.parquet",
    "scratch/**/*.safetensors",
    "mlflow/artifacts/**/MLmodel",
    "lake/predictions/*/*/part.parquet",
)


def test_a_night_killed_at_every_stage_ends_with_the_lake_of_one_never_killed(
    simulated: Path, first_night: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(simulated, home)
    killed = [stage for stage in STAGES if _run_and_kill(home, stage)]
    macromicro(home, "run")
    assert len(killed) >= 6
    assert differing(tree_hash(home / "lake"), tree_hash(first_night / "lake")) == []
    assert macromicro_json(home, "status")["champion"]["version"] == 1
    assert Lake(home / "lake").read_all(SIGNALS).height == Lake(first_night / "lake").read_all(SIGNALS).height
    assert Lake(home / "lake").read_all(SELF_REPORTS).height > 0


def _run_and_kill(home: Path, stage: str) -> bool:
    """Start a night and SIGKILL it and its workers the moment a file of this stage appears anew."""
    before = _present(home, stage)
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(home), "run"]
    night = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    while night.poll() is None:
        if _present(home, stage) - before:
            os.killpg(night.pid, signal.SIGKILL)
            night.wait()
            return True
        time.sleep(0.01)
    return False


def _present(home: Path, stage: str) -> set[Path]:
    """Files of a stage; a folder that the night removes while it is listed holds none."""
    try:
        return set(home.glob(stage))
    except FileNotFoundError:
        return set()
