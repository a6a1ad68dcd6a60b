"""One study as a Dagster code location: its assets, checks, jobs, schedule and sensor.

Which study and which home is the caller's decision (`definitions.py` for the pages and the daemon, `night.py` for the
command line). Building it imports no heavy library; a test holds that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import dagster as dg

from assets.study import Home, Study
from pipeline.jobs import JOBS, executor
from pipeline.schedules import nightly
from pipeline.sensors import inbox
from pipeline.watching import REPORT, Watching, watching

Factory = Callable[[Home, Study], Sequence[dg.AssetsDefinition | dg.AssetChecksDefinition]]


def definitions(home: Home, study: Study, stages: Sequence[Factory] | None = None) -> dg.Definitions:
    """Everything Dagster may know of a study: assets, checks, jobs, the schedule and the sensor.

    Args:
        home: the data home.
        study: its settings.
        stages: the factories of the stages' assets; those of the whole line by default.
    """
    if stages is None:
        from pipeline.stages import STAGES

        stages = STAGES
    made = [thing for stage in stages for thing in stage(home, study)]
    daily = sorted(key for a in made if isinstance(a, dg.AssetsDefinition) and a.partitions_def for key in a.keys)
    reported = any(dg.AssetKey(REPORT) in a.keys for a in made if isinstance(a, dg.AssetsDefinition))
    watched = watching(home, study) if reported else Watching((), (), ())
    return dg.Definitions(
        assets=[a for a in made if not isinstance(a, dg.AssetChecksDefinition)],
        asset_checks=[a for a in made if isinstance(a, dg.AssetChecksDefinition)],
        jobs=[*JOBS, *watched.jobs],
        schedules=[nightly(home, study, daily), *watched.schedules],
        sensors=[inbox(home, study, daily), *watched.sensors],
        executor=executor(home),
    )
