"""`run` and `ui`: a night now, and the pages with their nightly schedule."""

from __future__ import annotations

import signal
from typing import Annotated, Any

import typer

from pipeline.commands.context import Json, Terminal, options, print_json


def run(
    context: typer.Context,
    *,
    macro: Annotated[
        bool, typer.Option("--macro", help="Fit all layers anew, also on an ordinary night and with nothing new.")
    ] = False,
    json: Json = False,
) -> None:
    """Run a night now: ingest what is new, compute what it touches, learn, evaluate, promote or decline, predict.

    Example: [dim]macromicro --home study run[/]

    With nothing new it does nothing and says so. A run that was interrupted or killed is taken up by the next one. On
    ordinary nights new answers move the parameters of those who gave them; the whole model is fitted anew weekly, for
    many new people, for drift (as study.toml says), or with --macro.
    """
    from rich.markup import escape

    from assets.learning.evaluation import read_evaluation
    from pipeline.night import run_night
    from pipeline.overview import overview
    from pipeline.summary import show_night

    chosen = options(context)
    study = chosen.home.study()
    console = Terminal(stderr=True) if json else chosen.console
    outcome = run_night(chosen.home, study, console, macro=macro)
    if outcome.nothing:
        console.print("Nothing new, nothing to do: every dump is catalogued, every day computed, everything learnt.")
    elif not json:
        found = overview(chosen.home, study)
        show_night(console, chosen.home, outcome, found, read_evaluation(chosen.home) if found["versions"] else {})
    if outcome.said_of_failed:
        console.print(f"[yellow]{escape(outcome.said_of_failed)}[/]", highlight=False, soft_wrap=True)
    if json:
        failed = {unit: [f"{k.participant} {k.date}" for k in keys] for unit, keys in outcome.failed.items()}
        done = {"nothing_new": outcome.nothing, "computed": outcome.computed, "failed": failed}
        print_json({**done, **overview(chosen.home, study)})


def ui(
    context: typer.Context,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65_535, help="Port of Dagster's pages; else the first free one from 3000.", show_default=False
        ),
    ] = None,
    mlflow_port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65_535, help="Port of MLflow's pages; else the first free one from 5000.", show_default=False
        ),
    ] = None,
) -> None:
    """Open the pages: Dagster (with its daemon: schedule and inbox sensor) and MLflow, on this machine only.

    Example: [dim]macromicro --home study ui[/], then Ctrl-C to end everything it started.

    From another machine: [dim]ssh -L 3000:localhost:3000 -L 5000:localhost:5000 server[/]
    """
    from pipeline.servers import serve, watch

    chosen = options(context)
    study = chosen.home.study()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    chosen.console.print("Starting Dagster and MLflow …")
    try:
        with serve(chosen.home, port, mlflow_port) as (addresses, servers):
            chosen.console.print(f"[bold]Dagster[/]  {addresses.dagster}   assets, runs, schedule")
            chosen.console.print(f"[bold]MLflow[/]   {addresses.mlflow}   runs, the registered model macro-micro")
            plan = f"at '{study.schedule.nightly}' in {study.timezone}" if study.schedule.enabled else "switched off"
            chosen.console.print(f"The nightly schedule is {plan}. Ctrl-C ends everything.", highlight=False)
            watch(servers)
    except KeyboardInterrupt:
        chosen.console.print("Ended.")


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
