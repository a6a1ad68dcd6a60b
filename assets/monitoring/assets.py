"""Dagster's view of the monitoring stage. Thin: what each asset does stands in the file beside this one."""

import dagster as dg

from assets.monitoring.predictions import predictions
from assets.monitoring.report_assets import assets as watching
from assets.study import Home, Study


def assets(home: Home, study: Study) -> list[dg.AssetsDefinition | dg.AssetChecksDefinition]:
    """The assets of this stage for one study."""
    return [predictions(home, study), *watching(home, study)]
