"""`status` and `dumps`: looking at a study; `dumps forget` and `remember`: whether a dump counts."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from pipeline.commands.context import Group, Json, options, print_json

Hash = Annotated[str, typer.Argument(help="The dump's SHA-256, or its first characters (dumps --json shows it).")]

dumps_commands = typer.Typer(cls=Group, invoke_without_command=True)


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


@dumps_commands.callback()
def dumps(
    context: typer.Context,
    *,
    state: Annotated[State | None, typer.Option(help="Only dumps in this state.")] = None,
    participant: Annotated[str | None, typer.Option(help="Only this participant's.")] = None,
    json: Json = False,
) -> None:
    """Show the catalogue: every dump ever seen, what it covers, and why one was refused; forget and remember dumps.

    Example: [dim]macromicro --home study dumps --state quarantined[/]
    """
    if context.invoked_subcommand:
        return
    from assets.ingest.catalogue import uncatalogued
    from pipeline.dumps_view import show_dumps, show_waiting
    from pipeline.overview import catalogue_rows

    chosen = options(context)
    chosen.home.study()
    rows = catalogue_rows(chosen.home, state=state and state.value, participant=participant)
    if json:
        print_json(rows)
        return
    show_dumps(chosen.console, rows)
    if state is None:
        waiting = uncatalogued(chosen.home)
        show_waiting(chosen.console, [p for p in waiting if participant in {None, p.partition("/")[0]}])


@dumps_commands.command()
def forget(context: typer.Context, dump: Hash) -> None:
    """Let a dump no longer count, although it lies in the inbox; the next run restores the days it touched.

    Example: [dim]macromicro --home study dumps forget 3f9a2c81[/]
    """
    from assets.ingest.catalogue import forget

    _told(context, [e.path for e in forget(options(context).home, dump)], "no longer counts")


@dumps_commands.command()
def remember(context: typer.Context, dump: Hash) -> None:
    """Let a forgotten dump count again; the next run reads it.

    Example: [dim]macromicro --home study dumps remember 3f9a2c81[/]
    """
    from assets.ingest.catalogue import remember

    _told(context, [e.path for e in remember(options(context).home, dump)], "counts again")


def _told(context: typer.Context, paths: Sequence[str], what: str) -> None:
    console = options(context).console
    for path in paths:
        console.print(f"{path} {what}.", markup=False, highlight=False)
    console.print("Next: run", highlight=False)
