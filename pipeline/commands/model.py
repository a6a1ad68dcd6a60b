"""`predict` and `evaluate`: what the champion says, and how good it is."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.context import Json, options, print_json, writable


class Protocol(StrEnum):
    """What a model may see of those it is tested on."""

    P1 = "P1"
    P2 = "P2"
    P2N = "P2N"
    P3 = "P3"


class Grid(StrEnum):
    """How much of the paper's grid is run."""

    SMALL = "small"
    PAPER = "paper"
    LOSSES = "losses"


def predict(
    context: typer.Context,
    participant: Annotated[str, typer.Argument(help="The participant's study code.")],
    *,
    frame: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False, callback=writable, help="Also write the row that the model was asked with, as Parquet."
        ),
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
    *,
    json: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            callback=writable,
            help="Write the table to this file as JSON: protocol, model, figure; of several seeds a list.",
        ),
    ] = None,
    protocol: Annotated[
        list[Protocol] | None, typer.Option(help="Which protocol; may be given several times.", show_default="P2 P2N")
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Fit with so many seeds, and show how far the figures lie apart.",
            show_default="1; of the grid training.seeds",
        ),
    ] = None,
    permuted: Annotated[
        bool, typer.Option("--permuted", help="A control: each person's answers in random order.")
    ] = False,
    items: Annotated[bool, typer.Option("--items", help="The model item by item, in place of models.")] = False,
    grid: Annotated[
        Grid | None, typer.Option(help="Run the paper's grid instead, a small part of it, or its losses.")
    ] = None,
) -> None:
    """Show how good the model is beside every baseline, by protocol.

    Example: [dim]macromicro --home study evaluate --protocol P3 --json table.json[/]

    P2: every later answer from everything strictly before it. P2N: from what was known at the end of the day before.
    Both come from the last night. P1 (the last fifth unseen) and P3 (new people after 0 to 28 answers) are computed
    when asked for, which takes as long as a night's training, or five of them; so does each further seed, and
    --permuted, after which nothing is left to find but each person's mean. What was computed is kept until answers,
    settings or code change. --grid takes minutes to hours and goes on where it stopped.
    """
    from assets.learning.evaluation import read_evaluation
    from pipeline import experiments
    from pipeline.summary import show_evaluation, show_items

    chosen = options(context)
    study, show = chosen.home.study(), show_items if items else show_evaluation
    several = (seeds or 1) > 1
    _refuse_both(grid=grid is not None, items=items, several=several, others=bool(protocol) or permuted)
    if grid is not None:
        rows = experiments.grid(chosen.home, study, grid.value, chosen.console, seeds=seeds)
        experiments.show_grid(chosen.console, rows)
        found: object = rows
    elif protocol or several or permuted:
        asked = [p.value for p in protocol or (Protocol.P2, Protocol.P2N)]
        tables = experiments.protocols(chosen.home, study, asked, chosen.console, seeds=seeds or 1, permuted=permuted)
        found = tables if several else tables[0]
        experiments.show_protocols(chosen.console, tables, show, permuted=permuted)
    else:
        found = table = read_evaluation(chosen.home)
        show(chosen.console, table)
    if json is not None:
        import json as text

        json.write_text(text.dumps(found, indent=2))
        chosen.console.print(f"Wrote {json}", highlight=False)


def _refuse_both(*, grid: bool, items: bool, several: bool, others: bool) -> None:
    """Refuse options of `evaluate` that cannot be meant together."""
    if items and several:
        message = "--items shows one fit; give it or --seeds, not both"
        raise typer.BadParameter(message)
    if grid and (items or others):
        message = "--grid is judged under P1 alone, design by design; give --grid or the other options, not both"
        raise typer.BadParameter(message)
