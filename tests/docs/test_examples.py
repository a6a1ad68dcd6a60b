"""The example of `docs/using-the-model.md` is run as it stands, against a champion of a tiny study."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.line.studies import macromicro, write_study

PAGE = Path(__file__).resolve().parents[2] / "docs" / "using-the-model.md"


def test_the_example_loads_the_champion_with_plain_mlflow_and_prints_estimates(tmp_path: Path) -> None:
    home = tmp_path / "home"
    write_study(home, "Europe/Berlin", {"calm": (0, 100), "tired": (0, 100)})
    rows = [f"P{p},2026-03-{d:02d}T10:00:00+01:00,{40 + d},{60 - d}" for p in (1, 2) for d in range(1, 9)]
    reports = home / "inbox" / "self_reports"
    reports.mkdir(parents=True, exist_ok=True)
    (reports / "answers.csv").write_text("participant,time,calm,tired\n" + "\n".join(rows) + "\n")
    macromicro(home, "run")
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow/mlflow.db"}
    done = subprocess.run(
        [sys.executable, "-c", code + "\nassert list(estimates['item']) == items and len(items) == 2\n"
         "assert not estimates['known_person'].any()"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "calm" in done.stdout
