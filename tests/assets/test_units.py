import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from assets.lake import Key, Lake
from assets.ledger import Ledger
from assets.study import Home, Study
from assets.tables import EVENTS, SELF_REPORTS
from assets.units import Frames, Unit, forget, run_unit, stamped
from tests.builders import NOON_US, answer, answers

FIRST, SECOND = Key("P1", date(2026, 3, 2)), Key("P1", date(2026, 3, 3))
OTHER = Key("P2", date(2026, 3, 2))


def compute(home: Home, study: Study, participant: str, days: tuple[date, ...]) -> Iterator[tuple[date, Frames]]:
    """One answer a day; P2 has a dump that crashes, and a marker file counts every computation."""
    for day in days:
        if participant == "P2":
            message = "this dump is cursed"
            raise ValueError(message)
        with (home.root / "computed.txt").open("a") as log:
            log.write(f"{participant} {day}\n")
        if os.environ.get("KILL_AT") == str(day):
            os.kill(os.getpid(), signal.SIGKILL)
        yield day, {SELF_REPORTS: answers(answer(NOON_US + day.day)), EVENTS: EVENTS.empty()}


UNIT = Unit("toy", "1", (SELF_REPORTS, EVENTS), compute)


@pytest.fixture
def ready(home: Home) -> Home:
    home.root.mkdir()
    return home


def computed(home: Home) -> int:
    path = home.root / "computed.txt"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_a_day_with_the_same_inputs_is_computed_once(ready: Home, study: Study) -> None:
    first = run_unit(UNIT, ready, study, {FIRST: "a", SECOND: "b"}, quiet=True)
    again = run_unit(UNIT, ready, study, {FIRST: "a", SECOND: "b"}, quiet=True)
    assert (len(first.computed), first.skipped, len(again.computed), again.skipped) == (2, 0, 0, 2)
    assert first.content == again.content
    assert computed(ready) == 2


def test_only_the_day_whose_input_changed_is_computed_again(ready: Home, study: Study) -> None:
    run_unit(UNIT, ready, study, {FIRST: "a", SECOND: "b"}, quiet=True)
    assert run_unit(UNIT, ready, study, {FIRST: "a", SECOND: "B"}, quiet=True).computed == [SECOND]


def test_new_code_computes_everything_again(ready: Home, study: Study) -> None:
    run_unit(UNIT, ready, study, {FIRST: "a"}, quiet=True)
    newer = Unit("toy", "2", UNIT.tables, compute)
    assert run_unit(newer, ready, study, {FIRST: "a"}, quiet=True).computed == [FIRST]


def test_a_day_that_fails_is_named_and_takes_no_other_down(ready: Home, study: Study) -> None:
    report = run_unit(UNIT, ready, study, {FIRST: "a", OTHER: "x"}, quiet=True)
    assert report.computed == [FIRST]
    assert report.failed == {OTHER: "ValueError: this dump is cursed"}
    assert Ledger(Lake(ready.lake), "toy").stamp("P2", date(2026, 3, 2)) is None


def test_two_workers_write_the_same_lake_as_one(tmp_path: Path, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    trees = []
    for count in ("1", "2"):
        monkeypatch.setenv("MACROMICRO_WORKERS", count)
        home = Home(tmp_path / count)
        home.root.mkdir()
        run_unit(UNIT, home, study, {FIRST: "a", SECOND: "b"}, quiet=True)
        trees.append({str(p.relative_to(home.lake)): p.read_bytes() for p in home.lake.rglob("*") if p.is_file()})
    assert trees[0] == trees[1]


def test_an_empty_table_leaves_no_part(ready: Home, study: Study) -> None:
    run_unit(UNIT, ready, study, {FIRST: "a"}, quiet=True)
    assert not Lake(ready.lake).exists(EVENTS, FIRST)


def test_forgetting_a_day_removes_its_parts_and_its_stamp(ready: Home, study: Study) -> None:
    run_unit(UNIT, ready, study, {FIRST: "a", SECOND: "b"}, quiet=True)
    forget(UNIT, ready, [FIRST])
    assert [key for key, _ in stamped(ready, UNIT)] == [SECOND]
    assert not Lake(ready.lake).exists(SELF_REPORTS, FIRST)


def test_a_kill_in_the_middle_is_repaired_to_the_same_bytes(tmp_path: Path, study: Study) -> None:
    whole, killed = Home(tmp_path / "whole"), Home(tmp_path / "killed")
    for home in (whole, killed):
        home.root.mkdir()
    wanted = {FIRST: "a", SECOND: "b"}
    run_unit(UNIT, whole, study, wanted, quiet=True)
    script = (
        "from pathlib import Path; from assets.study import Home; from assets.units import run_unit;"
        "from tests.assets.test_units import *; from assets.study import Study;"
        f"run_unit(UNIT, Home(Path({str(killed.root)!r})), Study.model_validate_json({study.model_dump_json()!r}),"
        "{FIRST: 'a', SECOND: 'b'}, quiet=True)"
    )
    environment = {**os.environ, "KILL_AT": "2026-03-03", "MACROMICRO_WORKERS": "1"}
    dead = subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert dead.returncode == -signal.SIGKILL
    assert len(run_unit(UNIT, killed, study, wanted, quiet=True).computed) == 1
    trees = [
        {str(p.relative_to(h.lake)): p.read_bytes() for p in h.lake.rglob("*.*") if p.is_file()}
        for h in (whole, killed)
    ]
    assert trees[0] == trees[1]
