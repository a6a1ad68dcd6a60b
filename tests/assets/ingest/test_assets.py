from collections.abc import Iterator
from datetime import date as Date
from datetime import timedelta
from typing import Any

import dagster as dg
import numpy as np
import pytest
from dagster._core.errors import DagsterAssetCheckFailedError

from assets.ingest import catalogue as catalogue_module
from assets.ingest.assets import assets, of_catalogue
from assets.ingest.entries import Entry
from assets.ingest.reading import Touch
from assets.lake import Lake
from assets.study import Home, Study
from assets.tables import SIGNALS
from tests.assets.ingest.makers import START, e4_files, put, unguarded


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_module, "isolated", unguarded)
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")


def materialized(home: Home, study: Study) -> Iterator[tuple[str, dict[str, Any]]]:
    definitions: list[Any] = assets(home, study)
    with dg.instance_for_test() as instance:
        tags = {"dagster/asset_partition_range_start": "2022-02-06", "dagster/asset_partition_range_end": "2022-02-08"}
        job = dg.Definitions(definitions, jobs=[dg.define_asset_job("all", "*")]).resolve_job_def("all")
        result = job.execute_in_process(instance=instance, tags=tags)
        assert result.success
        for event in result.get_asset_materialization_events():
            found = event.step_materialization_data.materialization
            yield found.asset_key.to_user_string(), {k: v.value for k, v in found.metadata.items()}
        for check in result.get_asset_check_evaluations():
            yield check.check_name, {"passed": check.passed}


def test_the_stage_runs_and_says_what_it_did(home: Home, study: Study) -> None:
    put(home.inbox / "P01/e4", e4_files())
    put(home.inbox / "P01/bad.zip", b"PK\3\4 broken")
    put(home.inbox / "self_reports/a.csv", "participant,time,happy\nP01,2022-02-07 12:00,31.25\n")
    told = dict(materialized(home, study))
    assert told["dumps"]["read"] == 2
    assert told["dumps"]["quarantined"] == 1
    assert "P01/bad.zip" in told["dumps"]["refused"]
    row = "| P01 | 2 | 1 | 0 | 1 | 2022-02-07 | 2022-02-07 | 0.0 |"  # read, refused, copies, days, span, hours
    assert row in told["dumps"]["participants and what came"]
    assert len(told["dumps"]["data yield"]) < 100_000
    assert told["dumps"]["data yield"].startswith("![hours recorded a day](data:image/png;base64,")
    assert told["signals"]["dagster/row_count"] == 7
    assert told["signals"]["participant-days computed"] == 1
    assert told["self_reports"]["dagster/row_count"] == 1
    assert told["signals_are_sound"]["passed"]
    assert told["every_read_dump_arrived"]["passed"]
    assert not any("31.25" in str(v) for facts in told.values() for v in facts.values())
    assert Lake(home.lake).read_all(SIGNALS)["start_us"].min() == START * 1_000_000


def test_unsound_signals_stop_the_line(home: Home, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home.inbox / "P01/e4", e4_files())
    monkeypatch.setattr("assets.ingest.assets.faults", lambda *_: ["3 segments outside the day"])
    with pytest.raises(DagsterAssetCheckFailedError, match="signals_are_sound"):
        dict(materialized(home, study))


def test_an_empty_inbox_is_no_error(home: Home, study: Study) -> None:
    assert dict(materialized(home, study))["dumps"]["dagster/row_count"] == 0


def test_the_picture_of_a_large_study_stays_small_and_says_what_it_leaves_out() -> None:
    rng = np.random.default_rng(0)
    entries = []
    for n in range(230):
        days = [Date(2026, 1, 1) + timedelta(days=d) for d in range(60)]
        touches = tuple(Touch(f"P{n:03}", day, float(rng.uniform(0, 24))) for day in days)
        common = (1, 1_770_000_000_000_000, "signature", "fingerprint")
        entries.append(Entry(f"{n:064x}", f"P{n:03}/a.zip", f"P{n:03}", "read", None, *common, touches=touches))
        entries.append(Entry(f"{n + 500:064x}", f"P{n:03}/b.zip", f"P{n:03}", "quarantined", "a cut zip", *common))
    facts = of_catalogue(entries, ["P001/c.zip"])
    sizes = {name: len(value.md_str) for name, value in facts.items() if isinstance(value, dg.MarkdownMetadataValue)}
    assert sizes.keys() == {"participants and what came", "refused", "still being written", "data yield"}
    assert sizes["data yield"] < 100_000
    assert sum(sizes.values()) < 125_000
    assert "and 30 more: macromicro dumps shows them" in facts["participants and what came"].md_str
    assert "and 180 more: macromicro dumps shows them" in facts["refused"].md_str
    assert "| P229 |" not in facts["participants and what came"].md_str
