"""The ledger of a replay names whatever a night did otherwise than the script says, and nothing else."""

import io
import json
from dataclasses import replace
from datetime import date as Date
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.replay.ledger import Drifted, Due, Row, Seen, Version, due, row, totals
from pipeline.replay.script import UNITS, Expected
from pipeline.replay.show import line, tell, write_json
from pipeline.replay.watch import covered_s

NIGHT = Date(2026, 3, 10)
DAY = ("P001", Date(2026, 3, 9))
CHANGED = {unit: frozenset({DAY}) for unit in UNITS}
ONCE = dict.fromkeys(UNITS, 1)
OWED = Due({"read": 3}, ONCE, CHANGED, delivered=3, taken=0)
SEEN = Seen(
    states={"read": 3},
    computed=ONCE,
    changed=CHANGED,
    failed_runs=(),
    waiting=0,
    versions=(Version(1, "promoted", champion=True, training="macro"),),
    coverage=0.9,
    drift=(),
    idle=False,
    runs=2,
    work_s=20.0,
    orchestration_s=9.0,
    real_s=40.0,
)
NOTHING = dict.fromkeys(UNITS, 0)
NOBODY: dict[str, frozenset[tuple[str, Date]]] = dict.fromkeys(UNITS, frozenset())


def night(owed: Due = OWED, seen: Seen = SEEN, before: Row | None = None, *, learns: bool = True) -> Row:
    return row(1, NIGHT, (), owed, seen, before, learns=learns)


def test_a_night_that_did_what_was_due_has_no_fault() -> None:
    first = night()
    assert first.faults == ()
    assert (first.new_versions, first.champion) == ((1,), 1)


def test_an_empty_night_that_was_skipped_has_no_fault() -> None:
    quiet = replace(SEEN, computed=NOTHING, changed=NOBODY, idle=True)
    owed = replace(OWED, computed=NOTHING, changed=NOBODY)
    assert night(owed, quiet, night()).faults == ()
    assert night(owed, replace(quiet, idle=False), night()).faults == ("the night ran although nothing was new",)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (replace(SEEN, computed={**ONCE, "physiology": 2}), "physiology: 2 participant-days computed where 1"),
        (replace(SEEN, changed={**CHANGED, "acoustic": frozenset()}), "acoustic: 1 participant-days changed without"),
        (replace(SEEN, states={"read": 2, "quarantined": 1}), "catalogue: 1 quarantined, 2 read where the script has"),
        (replace(SEEN, waiting=2), "2 participant-days still wait"),
        (replace(SEEN, failed_runs=("nightly",)), "a run of nightly failed"),
        (replace(SEEN, idle=True), "the night had work to do and skipped it"),
        (replace(SEEN, versions=(Version(1, "declined", champion=True),)), "champion 1 has no decision"),
        (replace(SEEN, versions=(Version(1, "promoted", champion=False),)), "0 champions where the gate has promoted"),
        (replace(SEEN, versions=(*SEEN.versions, Version(2, "declined", champion=False))), "2 versions registered"),
        (replace(SEEN, coverage=None), "no coverage was measured"),
        (replace(SEEN, drift=(Drifted("hrv.hr_bpm", "everyone", NIGHT),)), "drift of hrv.hr_bpm (everyone) since"),
    ],
)
def test_each_difference_is_named(seen: Seen, said: str) -> None:
    assert any(fault.startswith(said) for fault in night(seen=seen).faults), night(seen=seen).faults


def test_there_is_no_champion_before_the_gate_has_promoted_one() -> None:
    declined = night(seen=replace(SEEN, versions=(Version(1, "declined", champion=False),)))
    assert declined.faults == ()
    assert declined.champion is None


def test_a_champion_that_goes_back_is_named() -> None:
    two = (Version(1, "promoted", champion=False), Version(2, "promoted", champion=True))
    before = night(seen=replace(SEEN, versions=two))
    back = (Version(1, "promoted", champion=True), Version(2, "promoted", champion=False))
    three = (*back, Version(3, "declined", champion=False))
    assert night(seen=replace(SEEN, versions=three), before=before).faults == (
        "the champion went back from version 2 to 1",
    )


def test_drift_must_be_told_of_its_feature_and_its_day() -> None:
    owed = replace(OWED, drift_since=Date(2026, 3, 9), drift_tells=("eda.",))
    found = replace(SEEN, drift=(Drifted("eda.eda_tonic_us", "everyone", Date(2026, 3, 9)),))
    assert night(owed, found).faults == ()
    assert night(owed).faults == ("the change since 2026-03-09 was not found",)
    micro = replace(found, versions=(Version(1, "promoted", champion=True, training="micro"),))
    assert night(owed, micro).faults == ("drift asks for a macro night, and it was none",)
    early = replace(SEEN, drift=(Drifted("eda.eda_tonic_us", "everyone", Date(2026, 3, 6)),))
    assert night(owed, early).faults == ("the change since 2026-03-09 was not found",)
    assert len(night(seen=found).faults) == 1  # before the firmware came
    later = (*SEEN.versions, Version(2, "declined", champion=False, training="micro"))
    assert night(owed, replace(SEEN, versions=later), before=night(owed, found)).faults == ()  # told once is enough


def test_what_is_due_is_copied_so_that_later_arrivals_leave_it_alone() -> None:
    expected = Expected()
    owed = due(expected, 0, 0, None, ())
    expected.changes["recordings"] += 1
    expected.changed["recordings"].add(DAY)
    assert owed.computed == NOTHING
    assert owed.changed == NOBODY


def test_the_table_shows_due_beside_computed_where_they_differ_and_names_the_fault() -> None:
    terminal = Console(file=io.StringIO(), width=220)
    bad = night(seen=replace(SEEN, computed={**ONCE, "physiology": 2}))
    tell(terminal, [night(), bad])
    said = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "1 2(1) 1 1" in said
    assert "physiology: 2 participant-days computed where 1 inputs changed" in said
    assert "faults 1" in said
    assert "! physiology" in line(bad)


def test_the_json_holds_every_night_and_counts_days_without_naming_them(tmp_path: Path) -> None:
    write_json(tmp_path / "ledger.json", [night()], {"seed": 1})
    ledger = json.loads((tmp_path / "ledger.json").read_text())
    assert ledger["nights"][0]["seen"]["changed"] == ONCE
    assert ledger["totals"]["recordings computed"] == totals([night()])["recordings computed"] == 1
    assert "P001" not in (tmp_path / "ledger.json").read_text()


def test_a_run_that_waits_for_another_costs_its_waiting_once() -> None:
    assert covered_s([(0, 10), (2, 15), (20, 21)]) == 16
    assert covered_s([(0, 10), (2, 5)]) == 10
    assert covered_s([]) == 0
