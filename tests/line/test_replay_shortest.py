"""The shortest replay, for continuous integration: three nights through the real servers, and their ledger."""

import json
import os
from pathlib import Path

import pytest

from pipeline.replay.clock import ReplayError, library
from pipeline.replay.script import UNITS
from tests.line.studies import macromicro, macromicro_json

pytestmark = [pytest.mark.replay, pytest.mark.timeout(1200)]


def test_three_nights_agree_with_the_script_and_every_dump_is_accounted_for(tmp_path: Path) -> None:
    try:
        library(os.environ)
    except ReplayError as error:
        pytest.skip(str(error))
    home, ledger = tmp_path / "home", tmp_path / "ledger.json"
    macromicro(home, "replay", "--nights", "3", "--epochs", "1", "--json", str(ledger), MACROMICRO_WORKERS="1")
    nights = json.loads(ledger.read_text())["nights"]
    assert [(night["number"], night["date"], night["faults"]) for night in nights] == [
        (1, "2025-10-25", []),
        (2, "2025-10-26", []),
        (3, "2025-10-27", []),
    ]
    for unit in UNITS:
        computed = [night["seen"]["computed"][unit] for night in nights]
        assert computed == [night["due"]["computed"][unit] for night in nights]
        assert min(computed) >= 1
    assert [len(night["new_versions"]) for night in nights] == [1, 1, 1]
    states, delivered = nights[-1]["seen"]["states"], sum(night["due"]["delivered"] for night in nights)
    assert sum(states.values()) == delivered == len(macromicro_json(home, "dumps"))
    assert {name: states[name] for name in ("duplicate", "quarantined", "withdrawn")} == {
        "duplicate": 1,
        "quarantined": 1,
        "withdrawn": 2,
    }
