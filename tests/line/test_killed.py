"""A night killed at every stage, again and again, and what the next one makes of it (`make faults`)."""

import shutil
from pathlib import Path

import pytest

from assets.lake import Lake
from assets.tables import SELF_REPORTS, SIGNALS
from tests.line.studies import differing, macromicro, macromicro_json, run_and_kill, tree_hash

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
    killed = [stage for stage in STAGES if run_and_kill(home, stage)]
    macromicro(home, "run")
    assert len(killed) >= 6
    assert differing(tree_hash(home / "lake"), tree_hash(first_night / "lake")) == []
    assert macromicro_json(home, "status")["champion"]["version"] == 1
    assert Lake(home / "lake").read_all(SIGNALS).height == Lake(first_night / "lake").read_all(SIGNALS).height
    assert Lake(home / "lake").read_all(SELF_REPORTS).height > 0
