from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from assets.days import SECOND_US
from assets.ingest.reading import AHEAD_US, EARLIEST_US
from assets.partitions import daily
from assets.study import Study
from pipeline.requests import range_tags


def study_in(zone: str) -> Study:
    return Study.model_validate({"study": {"timezone": zone}, "items": {"happy": {}}})


@pytest.mark.parametrize("study_zone", ["Pacific/Kiritimati", "Europe/Berlin", "Etc/GMT+12"])
@pytest.mark.parametrize("own_zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_every_day_that_a_reader_accepts_has_a_partition(study_zone: str, own_zone: str) -> None:
    earliest, days = datetime.fromtimestamp(EARLIEST_US / SECOND_US, UTC), daily(study_in(study_zone))
    for hour in range(1, 24, 2):  # whatever the clock says
        now = datetime(2026, 11, 23, hour, 30, tzinfo=UTC)
        there = set(days.get_partition_keys(current_time=now))
        for moment in (earliest, now + timedelta(microseconds=AHEAD_US)):
            assert moment.astimezone(ZoneInfo(own_zone)).date().isoformat() in there


def test_a_band_east_of_the_study_does_not_end_the_night() -> None:
    """What Dagster does with a range that ends after today, on the study's clock."""
    study = study_in("Etc/GMT+12")

    @dg.asset(partitions_def=daily(study), backfill_policy=dg.BackfillPolicy.single_run())
    def signals(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"days": len(context.partition_keys)})

    job = dg.Definitions(assets=[signals], jobs=[dg.define_asset_job("days", [signals])]).resolve_job_def("days")
    tomorrow = datetime.now(ZoneInfo("Pacific/Kiritimati")).date()
    assert tomorrow > datetime.now(ZoneInfo(study.timezone)).date()
    done = job.execute_in_process(tags=range_tags((tomorrow - timedelta(days=1), tomorrow)))
    [first, second] = done.asset_materializations_for_node("signals")
    assert [first.partition, second.partition] == [str(tomorrow - timedelta(days=1)), str(tomorrow)]
