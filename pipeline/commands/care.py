"""`promote`, `rollback`, `report`, `doctor` and `clean`: looking after a study that runs by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.context import Json, options, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.decide import Decided

Why = Annotated[str, typer.Option("--why", help="The reason; it is kept with the decision.")]


def promote(
    context: typer.Context,
    version: Annotated[int, typer.Argument(min=1, help="The version of macro-micro that becomes champion.")],
    why: Why = "",
) -> None:
    """Make a version champion by hand, whatever the gate said of it; who, when and why are kept.

    Example: [dim]macromicro --home study promote 12 --why "agreed in the study meeting"[/]
    """
    from pipeline.decide import promote as decide

    chosen = options(context)
    _told(chosen.console, decide(chosen.home, chosen.home.study(), version, why))


def rollback(context: typer.Context, why: Why = "") -> None:
    """Make the champion before the present one champion again; who, when and why are kept.

    Example: [dim]macromicro --home study rollback --why "version 12 drifts"[/]
    """
    from pipeline.decide import rollback as decide

    chosen = options(context)
    _told(chosen.console, decide(chosen.home, chosen.home.study(), why))


def report(context: typer.Context) -> None:
    """Write the report now, on everything as it stands, and say where it is.

    Example: [dim]macromicro --home study report[/]
    """
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    from assets.monitoring.daily import refresh_daily
    from assets.monitoring.operations import operations
    from assets.monitoring.report import gather, write_report
    from pipeline.instance import instance
    from pipeline.lock import lock

    chosen = options(context)
    home, study = chosen.home, chosen.home.study()
    with lock(home, "macromicro report"), instance(home) as storage:
        refresh_daily(home, study)
        now = datetime.now(UTC).astimezone(ZoneInfo(study.timezone))
        path = write_report(home, gather(home, study, now, operations(storage, home, study)))
    chosen.console.print(f"Wrote {path}", highlight=False, soft_wrap=True)


def doctor(context: typer.Context, *, json: Json = False) -> None:
    """Look over the home: what is wrong with it and how to mend it. Changes nothing.

    Example: [dim]macromicro --home study doctor[/]

    Ends with 1 where something is wrong, with 0 where at most something is worth a look.
    """
    from pipeline.doctor import Level, examine

    chosen = options(context)
    found = examine(chosen.home)
    if json:
        print_json([vars(f) for f in found])
    for finding in () if json else found:
        colour = "red" if finding.level is Level.WRONG else "yellow"
        chosen.console.print(f"[bold {colour}]{finding.level}[/] ", end="")
        chosen.console.print(finding.what, markup=False, highlight=False, soft_wrap=True)
        chosen.console.print(f"  → {finding.mend}", markup=False, highlight=False, soft_wrap=True)
    if not found and not json:
        chosen.console.print(f"Nothing is wrong with {chosen.home.root}.", highlight=False, soft_wrap=True)
    raise typer.Exit(int(any(f.level is Level.WRONG for f in found)))


def clean(context: typer.Context, *, json: Json = False) -> None:
    """Do the weekly house-keeping now: remove what the retention in study.toml no longer keeps; the inbox never.

    Example: [dim]macromicro --home study clean[/]
    """
    from pipeline.housekeeping import clean as tidy
    from pipeline.instance import instance
    from pipeline.lock import lock

    chosen = options(context)
    study = chosen.home.study()
    with lock(chosen.home, "macromicro clean"), instance(chosen.home) as storage:
        figures = tidy(chosen.home, study, storage).figures()
    if json:
        print_json(figures)
    else:
        told = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in figures.items())
        chosen.console.print(f"Removed: {told}", highlight=False)


def _told(console: Console, decided: Decided) -> None:
    number = decided.version.number
    if not decided.changed:
        console.print(f"Version {number} is champion already; nothing was changed.", highlight=False)
        return
    before = f", in place of version {decided.before.number}" if decided.before else ""
    console.print(f"Version {number} is champion now{before}. The next predictions are its.", highlight=False)
