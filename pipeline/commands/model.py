"""`predict` and `evaluate`: what the champion says, and how good it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.context import Json, options, print_json


def predict(
    context: typer.Context,
    participant: Annotated[str, typer.Argument(help="The participant's study code.")],
    *,
    frame: Annotated[
        Path | None, typer.Option(help="Also write the row that the model was asked with, as Parquet.")
    ] = None,
    json: Json = False,
) -> None:
    """Show the champion's estimate of every item for the coming day, with its interval.

    Example: [dim]macromicro --home study predict P001[/]

    The champion is looked up in the MLflow registry. Someone the model never saw gets what people in general say.
    """
    from pipeline.estimates import estimate
    from pipeline.summary import show_estimate

    chosen = options(context)
    said, asked = estimate(chosen.home, chosen.home.study(), participant)
    if frame is not None:
        asked.write_parquet(frame)
    if json:
        print_json(said)
    else:
        show_estimate(chosen.console, said)


def evaluate(
    context: typer.Context,
    json: Annotated[
        Path | None, typer.Option(help="Write the table to this file as JSON: protocol, model, figure.")
    ] = None,
) -> None:
    """Show how good the model is beside every baseline, by protocol.

    Example: [dim]macromicro --home study evaluate --json table.json[/]

    P2: every later answer from everything strictly before it. P2N: from what was known at the end of the day before.
    """
    from pipeline.overview import evaluation
    from pipeline.summary import show_evaluation

    chosen = options(context)
    chosen.home.study()
    table = evaluation(chosen.home)
    if json is not None:
        import json as text

        json.write_text(text.dumps(table, indent=2))
        chosen.console.print(f"Wrote {json}", highlight=False)
    show_evaluation(chosen.console, table)
