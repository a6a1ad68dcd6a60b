"""Every asset check, shown red by the fault that it is for, while the other checks of its stage stay green.

Faults are put where they would arise: a file that stands in the way of a part, a part that somebody changed, dumps
that are refused, days on which nobody gives anything. The rules behind the checks have tests of their own.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import date as Date
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import numpy as np
import polars as pl
import pytest

from assets.features.assets import assets as features
from assets.ingest import catalogue as catalogue_module
from assets.ingest.assets import assets as ingest
from assets.lake import Key, Lake
from assets.ledger import Ledger
from assets.moments.assets import assets as moments
from assets.moments.table import moments_table
from assets.monitoring.report_assets import DATA
from assets.monitoring.report_assets import assets as monitoring
from assets.study import Home, Study
from assets.tables import ACOUSTIC_TABLE, BEATS, DUMPS, HRV_TABLE, SELF_REPORTS, SIGNALS, TEMPERATURE_TABLE, Table
from tests.assets.features.test_unit import DAYS as RECORDED
from tests.assets.features.test_unit import record
from tests.assets.ingest.makers import e4_files, unguarded
from tests.assets.ingest.makers import put as deliver
from tests.assets.moments.rows import START_US, live_in, lived, reports, sources
from tests.assets.monitoring.rows import put, windows
from tests.builders import answer, answers

E4_DAY = Date(2022, 2, 7)
GRAPH = Path(__file__).with_name("graph.json")

Stage = Callable[[Home, Study], Sequence[dg.AssetsDefinition | dg.AssetChecksDefinition]]
Break = Callable[[Home, Study, pytest.MonkeyPatch], None]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units work in this process, dumps are read in it."""
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")
    monkeypatch.setattr(catalogue_module, "isolated", unguarded)


@pytest.fixture
def study(study: Study) -> Study:
    """Pages of single days have tests of their own."""
    return study.model_copy(update={"report": study.report.model_copy(update={"day_pages": 0})})


def verdicts(stage: Stage, home: Home, study: Study, day: Date) -> dict[str, bool]:
    """Run a stage over a day; each of its checks by `asset:name`, and whether it was passed."""
    made = list(stage(home, study))
    there = {key for a in made if isinstance(a, dg.AssetsDefinition) for key in a.keys}
    needed = {key for a in made if isinstance(a, dg.AssetsDefinition) for key in a.dependency_keys} - there
    job = dg.Definitions(
        assets=[*made, *(dg.AssetSpec(key) for key in needed | {dg.AssetKey(n) for n in DATA} - there)],
        jobs=[dg.define_asset_job("stage", dg.AssetSelection.keys(*there))],
    ).resolve_job_def("stage")
    tags = {f"dagster/asset_partition_range_{end}": str(day) for end in ("start", "end")}
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    found = result.get_asset_check_evaluations()
    return {f"{e.asset_key.to_user_string()}:{e.check_name}": e.passed for e in found}


def in_the_way(home: Home, table: Table, key: Key) -> None:
    """Something stands where a part should be: what writes it fails."""
    day = f"date={key.date}" if key.date else ""
    part = home.lake / table.name / day / f"participant={key.participant}" / "part.parquet"
    shutil.rmtree(part, ignore_errors=True)
    part.unlink(missing_ok=True)
    (part / "stone").mkdir(parents=True)


def changed(home: Home, table: Table, key: Key, how: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """A part whose content somebody changed, with its stamp as it was."""
    lake = Lake(home.lake)
    lake.write(table, how(lake.read(table, key)), key)


# Faults: each takes a home in which all is well after one run of its stage, and breaks it.


def a_reader_that_gives_a_segment_twice(home: Home, _study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    from assets.ingest import day

    whole = day._signals
    monkeypatch.setattr(day, "_signals", lambda *given: pl.concat([whole(*given)] * 2))
    another_session(home)


def a_day_that_cannot_be_written(home: Home, _study: Study, _: pytest.MonkeyPatch) -> None:
    another_session(home)
    in_the_way(home, SIGNALS, Key("P01", E4_DAY))


def another_session(home: Home) -> None:
    deliver(home.inbox / "P01" / "later", e4_files(start=1_644_230_000))


def a_heart_of_three_hundred(home: Home, _study: Study, _: pytest.MonkeyPatch) -> None:
    racing = pl.when(pl.col("hr_bpm").is_not_null()).then(300.0).alias("hr_bpm")
    changed(home, HRV_TABLE, Key("P001", RECORDED[0]), lambda part: part.with_columns(racing))


def a_day_of_beats_that_cannot_be_written(home: Home, _study: Study, _: pytest.MonkeyPatch) -> None:
    Ledger(Lake(home.lake), "physiology").forget("P001", [RECORDED[0]])
    in_the_way(home, BEATS, Key("P001", RECORDED[0]))


def clips_that_cannot_be_written(home: Home, _study: Study, _: pytest.MonkeyPatch) -> None:
    Ledger(Lake(home.lake), "acoustic").forget("P001", [RECORDED[0]])
    in_the_way(home, ACOUSTIC_TABLE, Key("P001", RECORDED[0]))


def a_moment_that_stands_twice(home: Home, study: Study, _: pytest.MonkeyPatch) -> None:
    changed(home, moments_table(study), Key("P1"), lambda part: pl.concat([part.head(1), part]))


def an_answer_off_its_scale(home: Home, study: Study, _: pytest.MonkeyPatch) -> None:
    live_in(home, study, "P2", sources(reports([START_US], value=101.0)))


def a_moment_that_knows_its_future(home: Home, study: Study, _: pytest.MonkeyPatch) -> None:
    centred = pl.col("hrv.hr_bpm") - pl.col("hrv.hr_bpm").mean()
    changed(home, moments_table(study), Key("P1"), lambda part: part.with_columns(centred))


def a_person_whose_moments_cannot_be_written(home: Home, study: Study, _: pytest.MonkeyPatch) -> None:
    live_in(home, study, "P2", lived(1))
    in_the_way(home, moments_table(study), Key("P2"))


def nobody_for_half_a_week(home: Home, study: Study, _: pytest.MonkeyPatch) -> None:
    lake = Lake(home.lake)
    late = [k for k in lake.keys(SELF_REPORTS) if k.date and today(study) - k.date <= timedelta(days=4)]
    assert late
    for key in late:
        Ledger(lake, "recordings").forget(str(key.participant), [key.date or Date.min])
        Ledger(lake, "physiology").forget(str(key.participant), [key.date or Date.min])
        lake.remove(SELF_REPORTS, key)
        lake.remove(TEMPERATURE_TABLE, key)


def five_dumps_refused(home: Home, _study: Study, _: pytest.MonkeyPatch) -> None:
    now = int(datetime.now(UTC).timestamp() * 1e6)
    rows = [
        {"dump": str(n), "path": f"{n}.zip", "state": "quarantined", "reason": "a cut zip", "received_us": now - 1}
        for n in range(5)
    ]
    Lake(home.lake).write(DUMPS, DUMPS.frame(rows))


def two_degrees_more_for_everybody(home: Home, study: Study, _: pytest.MonkeyPatch) -> None:
    lives(home, study, warmer_by=2.0)


def a_dump_that_nobody_computed(home: Home, study: Study, _: pytest.MonkeyPatch) -> None:
    another_session(home)
    catalogue_module.catalogue(home, study)


# Homes in which all is well, and the day that a run is about.


def nothing(home: Home, _study: Study) -> Date:
    home.inbox.mkdir(parents=True)
    return E4_DAY


def one_session(home: Home, _study: Study) -> Date:
    deliver(home.inbox / "P01" / "e4", e4_files())
    return E4_DAY


def one_recorded_day(home: Home, _study: Study) -> Date:
    record(home, "P001", 0, clips=True)
    return RECORDED[0]


def one_life(home: Home, study: Study) -> Date:
    live_in(home, study, "P1", lived(0))
    return E4_DAY  # moments belong to no day


def lives(home: Home, study: Study, warmer_by: float = 0.0) -> Date:
    """Six people up to yesterday, with their thermometers and one answer a day."""
    rng = np.random.default_rng(1)
    for person in range(6):
        for n in range(24):
            warm = 33 + 0.2 * rng.standard_normal() + (warmer_by if n >= 20 else 0.0)
            on = today(study) - timedelta(days=24 - n)
            rows = [{"coverage": 1.0, "temp_c": warm}] * 24
            put(home, "physiology", f"P{person}", on, {TEMPERATURE_TABLE: windows(TEMPERATURE_TABLE, *rows)})
            put(home, "recordings", f"P{person}", on, {SELF_REPORTS: answers(answer(n))})
    return E4_DAY


def today(study: Study) -> Date:
    return datetime.now(UTC).astimezone(ZoneInfo(study.timezone)).date()


Well = Callable[[Home, Study], Date]
FAULTS: Mapping[str, tuple[Well, Stage, Break]] = {
    "signals:signals_are_sound": (one_session, ingest, a_reader_that_gives_a_segment_twice),
    "signals:every_read_dump_arrived": (one_session, ingest, a_day_that_cannot_be_written),
    "hrv:heart_rate_plausible": (one_recorded_day, features, a_heart_of_three_hundred),
    "beats:every_day_computed": (one_recorded_day, features, a_day_of_beats_that_cannot_be_written),
    "acoustic:every_clip_computed": (one_recorded_day, features, clips_that_cannot_be_written),
    "moments:one_moment_a_time": (one_life, moments, a_moment_that_stands_twice),
    "moments:answers_on_their_scale": (one_life, moments, an_answer_off_its_scale),
    "moments:nothing_from_after_the_answer": (one_life, moments, a_moment_that_knows_its_future),
    "moments:everyone_computed": (one_life, moments, a_person_whose_moments_cannot_be_written),
    "data_yield:somebody_gives": (lives, monitoring, nobody_for_half_a_week),
    "data_yield:dumps_are_read": (lives, monitoring, five_dumps_refused),
    "drift:nothing_drifted": (lives, monitoring, two_degrees_more_for_everybody),
    "report:nothing_waits": (nothing, monitoring, a_dump_that_nobody_computed),
}
# A part that was changed is also not what its sources, built anew, give.
ALSO = {"moments:one_moment_a_time": {"moments:nothing_from_after_the_answer"}}


def test_every_check_has_its_fault_here() -> None:
    assert sorted(FAULTS) == json.loads(GRAPH.read_text())["checks"]


@dataclass(frozen=True)
class Before:
    """A home in which all is well, and what its checks said."""

    home: Home
    day: Date
    said: Mapping[str, bool]


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Well, Stage, Study], Before]:
    """Homes in which all is well, each made and run once."""
    made: dict[Well, Before] = {}

    def prepared(well: Well, stage: Stage, study: Study) -> Before:
        if well not in made:
            home = Home(tmp_path_factory.mktemp(well.__name__) / "home")
            day = well(home, study)
            made[well] = Before(home, day, verdicts(stage, home, study, day))
        return made[well]

    return prepared


@pytest.mark.parametrize("check", FAULTS)
def test_a_check_turns_red_for_the_fault_it_is_for_and_no_other_does(
    check: str,
    home: Home,
    study: Study,
    homes: Callable[[Well, Stage, Study], Before],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    well, stage, broken = FAULTS[check]
    before = homes(well, stage, study)
    shutil.copytree(before.home.root, home.root)
    broken(home, study, monkeypatch)
    after = verdicts(stage, home, study, before.day)
    assert before.said[check]
    assert {name for name, passed in after.items() if before.said[name] and not passed} == {check} | ALSO.get(
        check, set()
    )
