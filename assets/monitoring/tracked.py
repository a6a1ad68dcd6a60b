"""The night's report beside the version that the night made: as artifacts of its MLflow run.

Once a version, so that a morning that only looks again adds nothing. The page there has no links to single days, which
stay in the home.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from assets.monitoring import charts
from assets.monitoring.curves import night_curves
from assets.monitoring.days import SHOWN_DAYS, DayPages
from assets.monitoring.drawing import ON_WHITE
from assets.monitoring.report import Material, render
from assets.monitoring.tables import YIELDS
from assets.monitoring.yields import grid
from assets.study import Home, Study
from models.registry import Registry

FOLDER = "report"


def keep_with_version(home: Home, study: Study, material: Material) -> int | None:
    """Add report, curves and heat maps to the newest version's run, where it has none yet.

    Returns:
        The version that has them now; None where there is none or it had them before.
    """
    registry = Registry(home.mlflow, study.study.name)
    newest = next(iter(registry.versions()), None) if registry.exists() else None
    if newest is None:
        return None
    client = registry.client()
    if any(found.path == f"{FOLDER}/report.html" for found in client.list_artifacts(newest.run_id, FOLDER)):
        return None
    figures = night_curves(material.nights, study.gate.coverage, ON_WHITE)
    for modality, (column, _) in YIELDS.items():
        if material.daily[column].sum():
            shown = grid(material.daily, modality, material.until - timedelta(days=1), SHOWN_DAYS)
            figures[f"yield {modality}"] = charts.heat_map(shown, f"{modality}, {shown.unit} a day")
    for title, figure in figures.items():
        client.log_figure(newest.run_id, figure, f"{FOLDER}/{title.lower().replace(' ', '-')}.png")
    # The page comes last: a night that was killed on the way adds everything again.
    client.log_text(newest.run_id, render(replace(material, days=DayPages())), f"{FOLDER}/report.html")
    return newest.number
