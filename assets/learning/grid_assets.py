"""Dagster's view of experiments: the paper's grid, run when somebody asks for it and never by a night."""

from typing import Any

import dagster as dg

from assets.learning.grid import Ran, load_material, run_grid
from assets.learning.grid_pages import HEADER, grid_picture, summary, table_rows
from assets.metadata import markdown_table, picture
from assets.study import Home, Study

GROUP = "experiments"
SHOWN = 30  # lines of the table in the UI; all of it lies in MLflow and the lake


def assets(home: Home, study: Study) -> list[dg.AssetsDefinition | dg.AssetChecksDefinition]:
    """The asset of this stage for one study."""

    @dg.asset(deps=["moments"], group_name=GROUP, owners=["team:macromicro"], kinds={"torch", "mlflow"})
    def grid(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """The grid of Song et al. 2024 on this study: fusion × personalisation × weighting, beside every baseline.

        Judged under P1 (the last fifth of each person's answers, which nobody sees), with intervals over people. A
        grid that was interrupted goes on where it stopped. Nights wait while it runs here; on the command line
        (`macromicro evaluate --grid paper`) they do not.
        """
        done = run_grid(
            home,
            study,
            "paper",
            load_material(home, study),
            lambda cell, share: context.log.info("%3.0f %%: %s", 100 * share, cell),
        )
        return dg.MaterializeResult(metadata=_metadata(done))

    return [grid]


def _metadata(done: Ran) -> dict[str, Any]:
    best = done.rows[:SHOWN] + [row for row in done.rows[SHOWN:] if not row["seeds"]]
    return {
        "cells": done.cells,
        "run just now": done.fresh,
        "MLflow run": done.run_id,
        "where it stands": summary(done.rows),
        "table": markdown_table(HEADER, table_rows(best)),
        "figure": picture(grid_picture(done.rows), "pooled CCC of every cell beside the personal mean"),
    }
