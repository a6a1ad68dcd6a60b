"""The short replay: five nights of a simulated study through the real servers, and its ledger (`make replay`)."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.replay.clock import ReplayError, library
from pipeline.replay.script import UNITS
from tests.line.studies import macromicro, macromicro_json

pytestmark = [pytest.mark.replay, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module", autouse=True)
def _faketime() -> None:
    try:
        library(os.environ)
    except ReplayError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A home after five nights, and the ledger; the command itself ends with 0 only where it agrees with the script."""
    home = tmp_path_factory.mktemp("replay") / "home"
    ledger = home.with_name("ledger.json")
    macromicro(home, "replay", "--nights", "5", "--json", str(ledger), MACROMICRO_WORKERS="2")
    return home, json.loads(ledger.read_text())


def test_every_night_of_the_ledger_agrees_with_the_script(replayed: tuple[Path, dict[str, Any]]) -> None:
    nights = replayed[1]["nights"]
    assert [night["number"] for night in nights] == [1, 2, 3, 4, 5]
    assert [night["faults"] for night in nights] == [[]] * 5
    for unit in UNITS:
        assert [n["seen"]["computed"][unit] for n in nights] == [n["due"]["computed"][unit] for n in nights]
        assert sum(n["due"]["computed"][unit] for n in nights) >= 25


def test_every_dump_is_accounted_for(replayed: tuple[Path, dict[str, Any]]) -> None:
    home, ledger = replayed
    delivered = sum(night["due"]["delivered"] for night in ledger["nights"])
    states = ledger["nights"][-1]["seen"]["states"]
    assert sum(states.values()) == delivered
    assert {name: states[name] for name in ("duplicate", "quarantined", "withdrawn")} == {
        "duplicate": 1,
        "quarantined": 1,
        "withdrawn": 2,
    }
    assert len(macromicro_json(home, "dumps")) == delivered


def test_the_drift_is_told_on_the_night_of_the_new_firmware_and_not_before(
    replayed: tuple[Path, dict[str, Any]],
) -> None:
    nights = replayed[1]["nights"]
    first = next(n["number"] for n in nights if n["seen"]["drift"])
    assert "new firmware" in nights[first - 1]["remarks"]
    assert {d["feature"].split(".")[0] for n in nights for d in n["seen"]["drift"]} == {"eda"}


def test_a_night_without_uploads_is_skipped_and_registers_nothing(replayed: tuple[Path, dict[str, Any]]) -> None:
    quiet = [n for n in replayed[1]["nights"] if "no uploads" in n["remarks"]]
    assert [(n["seen"]["idle"], n["new_versions"], n["due"]["delivered"]) for n in quiet] == [(True, [], 0)]


def test_every_other_night_registers_one_version_and_the_gate_judges_it(replayed: tuple[Path, dict[str, Any]]) -> None:
    home, ledger = replayed
    assert [len(n["new_versions"]) for n in ledger["nights"]] == [1, 1, 0, 1, 1]
    last = ledger["nights"][-1]
    assert {v["gate"] for v in last["seen"]["versions"]} <= {"promoted", "declined"}
    assert macromicro_json(home, "status")["champion"]["version"] == last["champion"]


def test_ctrl_c_ends_every_server_and_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(tmp_path / "home"), "replay", "--nights", "5"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "home" / "logs" / "code-server.log"
    deadline = time.monotonic() + 120
    while not (log.exists() and log.stat().st_size) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=90)[1]
    assert process.returncode == 1
    assert "Interrupted" in said
    assert family
    assert psutil.wait_procs(family, timeout=30)[1] == []


def test_a_home_that_holds_anything_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    macromicro(tmp_path, "replay", expect=1)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
