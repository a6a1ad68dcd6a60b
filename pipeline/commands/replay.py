"""`replay`: a whole simulated study, night by night, through the real schedule, sensor, daemon and web server."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.context import Options, options

if TYPE_CHECKING:
    from pipeline.replay.ledger import Row
    from pipeline.servers import Addresses


def replay(
    context: typer.Context,
    *,
    nights: Annotated[
        int,
        typer.Option(
            min=3,
            max=180,
            help="How many nights: from 30 on the long story, from 5 one of five nights, else one of three.",
        ),
    ] = 30,
    seed: Annotated[int, typer.Option(help="The same seed lives the same lives.")] = 1,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of a night's training.")] = 3,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write the whole ledger to this file too.", show_default=False)
    ] = None,
) -> None:
    """Play a simulated study through the real daemon on an accelerated clock, and check its ledger.

    Example: [dim]macromicro --home /tmp/replay replay --nights 30[/]

    The home must be new; everything stays in it to be looked at (`ui`, `status`, logs/). Ends with code 1 where the
    pipeline's records and the script disagree. Needs libfaketime (Debian: apt-get install faketime).
    """
    from pipeline.replay.clock import ReplayError, inside

    chosen = options(context)
    if not inside():
        _begin(chosen, nights, epochs)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        rows = _play(chosen, nights, seed, json)
    except KeyboardInterrupt:
        message = (
            f"Interrupted. Every server is ended; {chosen.home.root} stays to be looked at, not to be gone on with."
        )
        raise ReplayError(message) from None
    faults = sum(len(row.faults) for row in rows)
    if faults:
        message = f"The ledger and the script disagree in {faults} places, named above."
        raise ReplayError(message)
    chosen.console.print("The ledger and the script agree on every night.")


def _begin(chosen: Options, nights: int, epochs: int) -> None:
    """Make the home and its clock, and begin this very command anew under that clock."""
    from pipeline.instance import prepare
    from pipeline.replay.clock import Clock, ReplayError, environment
    from pipeline.replay.driver import begins, study_text
    from pipeline.replay.plot import plot

    home, told = chosen.home, plot(nights)
    clock = Clock(home.root / "clock")
    variables = environment(clock, os.environ)
    if home.root.exists() and any(home.root.iterdir()):
        message = f"{home.root} is not empty. A replay makes its own home: name a new one with --home"
        raise ReplayError(message)
    for folder in (home.root, home.inbox, home.lake, home.mlflow):
        folder.mkdir(parents=True, exist_ok=True)
    home.study_file.write_text(study_text(told, epochs))
    prepare(home)
    clock.set(begins(told))
    os.execve(sys.executable, [sys.executable, "-m", "pipeline.cli", *sys.argv[1:]], variables)  # noqa: S606


def _play(chosen: Options, nights: int, seed: int, json: Path | None) -> list[Row]:
    from pipeline.replay.clock import Clock
    from pipeline.replay.deliveries import live
    from pipeline.replay.driver import play
    from pipeline.replay.plot import plot
    from pipeline.replay.show import line, tell, write_json

    home, study, told, rows = chosen.home, chosen.home.study(), plot(nights), list["Row"]()
    chosen.console.print(f"Playing {told.nights} nights from {told.night_date(1)} on, in {home.root}", highlight=False)

    def up(addresses: Addresses) -> None:
        chosen.console.print(f"Look on: {addresses.dagster} and {addresses.mlflow}", highlight=False)

    try:
        for row in play(home, study, live(told, study, seed), Clock(home.root / "clock"), up):
            rows.append(row)
            chosen.console.print(line(row), highlight=False, soft_wrap=True)
    finally:
        if rows:
            tell(chosen.console, rows)
            if json:
                write_json(json, rows, {"seed": seed, "people": told.people, "first_day": told.first_day})
    return rows


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
