"""Every stage's factory of assets, in the order of the line; the one list that grows with a new stage."""

from __future__ import annotations

from assets.features.assets import assets as features
from assets.ingest.assets import assets as ingest
from assets.learning.assets import assets as learning
from assets.learning.grid_assets import assets as experiments
from assets.moments.assets import assets as moments
from assets.monitoring.assets import assets as monitoring
from pipeline.closing import assets as closing
from pipeline.location import Factory

STAGES: tuple[Factory, ...] = (ingest, features, moments, learning, monitoring, experiments, closing)
