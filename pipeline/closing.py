"""The asset that ends a night: it notes what was learnt from, so that an idle night can tell at once that it is idle.

The note is a promise that everything after moments was brought up to date from these inputs; it is written last, and
only by a run that made all of it.
"""

import dagster as dg

from assets.study import Home, Study
from pipeline.facts import learnable, note_learnt
from pipeline.overview import dump_states

NEEDED = ("moments", "champion", "predictions", "report")


def assets(home: Home, study: Study) -> list[dg.AssetsDefinition | dg.AssetChecksDefinition]:
    """The closing asset of one study."""

    @dg.asset(
        deps=[name for name in NEEDED if name != "moments"],
        group_name="monitoring",
        owners=["team:macromicro"],
        kinds={"python"},
    )
    def night(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads the bare name
        """The end of a night: what the study holds now, and the inputs that everything was learnt from.

        With the same inputs the next night has nothing to learn and says so.
        """
        made = {key.to_user_string() for key in context.job_def.asset_layer.selected_asset_keys}
        whole = made.issuperset(NEEDED)
        if whole:
            note_learnt(home, study)
        return dg.MaterializeResult(
            metadata={
                "learnt from": learnable(home, study) or "nothing: no answers yet",
                "noted": whole,
                **{f"dumps {state}": number for state, number in dump_states(home).items()},
            }
        )

    return [night]
