"""`status` and `dumps`: looking at a study without changing it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pipeline.commands.context import Json, options, print_json


class State(StrEnum):
    """What became of a dump."""

    READ = "read"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"
    WITHDRAWN = "withdrawn"


def status(context: typer.Context, *, json: Json = False) -> None:
    """Show the study at a glance: participants, dumps, days, the last night, the champion and its figures.

    Example: [dim]macromicro --home study status --json | jq .champion[/]
    """
    from pipeline.overview import overview
    from pipeline.summary import show_overview

    chosen = options(context)
    found = overview(chosen.home, chosen.home.study())
    if json:
        print_json(found)
    else:
        show_overview(chosen.console, found)


def dumps(
    context: typer.Context,
    *,
    state: Annotated[State | None, typer.Option(help="Only dumps in this state.")] = None,
    participant: Annotated[str | None, typer.Option(help="Only this participant's.")] = None,
    json: Json = False,
) -> None:
    """Show the catalogue: every dump ever seen, what it covers, and why one was refused.

    Example: [dim]macromicro --home study dumps --state quarantined[/]
    """
    from pipeline.overview import catalogue_rows
    from pipeline.summary import show_dumps

    chosen = options(context)
    chosen.home.study()
    rows = catalogue_rows(chosen.home, state=state and state.value, participant=participant)
    if json:
        print_json(rows)
    else:
        show_dumps(chosen.console, rows)
