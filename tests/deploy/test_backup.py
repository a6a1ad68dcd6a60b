import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from assets.study import Home
from pipeline.lock import lock

DEPLOY = Path(__file__).parents[2] / "deploy"


def start(home: Home, target: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(DEPLOY / "backup.py"), str(home.root), str(target)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def made(home: Home) -> Home:
    for path in ("inbox/P1/dump.zip", "lake/hrv/part.parquet", "lake/.writing/.tmp-1-x", "scratch/checkpoint"):
        (home.root / path).parent.mkdir(parents=True, exist_ok=True)
        (home.root / path).write_text(path)
    (home.root / "study.toml").write_text("[study]\n")
    home.mlflow.mkdir()
    return home


def test_a_backup_waits_for_the_night_and_has_whole_databases_while_servers_write(made: Home, tmp_path: Path) -> None:
    with closing(sqlite3.connect(made.mlflow / "mlflow.db")) as server:
        server.execute("PRAGMA journal_mode=WAL")
        server.execute("CREATE TABLE runs (name)")
        server.execute("INSERT INTO runs VALUES ('kept')")
        server.commit()
        server.execute("INSERT INTO runs VALUES ('not committed')")
        with lock(made, "macromicro run"):
            copying = start(made, tmp_path / "backup")
            with pytest.raises(subprocess.TimeoutExpired):
                copying.wait(timeout=1)
        assert copying.wait(timeout=60) == 0
    copy = tmp_path / "backup"
    there = {str(p.relative_to(copy)) for p in copy.rglob("*") if p.is_file()}
    assert there == {"study.toml", "inbox/P1/dump.zip", "lake/hrv/part.parquet", "mlflow/mlflow.db"}
    with closing(sqlite3.connect(copy / "mlflow" / "mlflow.db")) as restored:
        assert restored.execute("SELECT name FROM runs").fetchall() == [("kept",)]


def test_a_backup_never_overwrites_another(made: Home, tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    copying = start(made, tmp_path / "backup")
    assert "is there already" in copying.communicate()[1]
    assert copying.returncode == 1


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")
def test_systemd_understands_every_line_of_the_unit(tmp_path: Path) -> None:
    unit = (DEPLOY / "macromicro.service").read_text()
    (tmp_path / "macromicro.service").write_text(
        unit.replace("/opt/macromicro/.venv/bin/macromicro", shutil.which("true") or "")
    )
    command = ["systemd-analyze", "verify", str(tmp_path / "macromicro.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "macromicro.service" in line]) == (0, [])
