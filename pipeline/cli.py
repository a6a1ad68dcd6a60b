"""The command `macromicro`: the study from a terminal.

Only names, help and options live here and in `commands/`; the work is elsewhere and imported when a command runs, so
that `--help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands import care, look, model, night, replay, show, study
from pipeline.commands.context import Group, make_options

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "[bold]A study from nothing:[/]\n\n"
        "macromicro --home study init --timezone Europe/Berlin\n\n"
        "macromicro --home study simulate --participants 10 --days 12   [dim](or copy dumps into study/inbox)[/]\n\n"
        "macromicro --home study run\n\n"
        "macromicro --home study predict P001"
    ),
)


@app.callback()
def start(
    context: typer.Context,
    *,
    home: Annotated[
        Path | None,
        typer.Option(help="The study's folder. Default: MACROMICRO_HOME, else ./home.", show_default=False),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show the traceback of an error.")] = False,
) -> None:
    """Personal, daily estimates of how people feel, from wristbands, voice and self-reports, rebuilt every night."""
    context.obj = make_options(home, verbose=verbose)


app.command()(study.init)
app.command()(study.simulate)
app.command()(night.run)
app.command()(night.ui)
app.command()(look.status)
app.add_typer(look.dumps_commands, name="dumps")
app.command()(show.show)
app.command()(model.predict)
app.command()(model.evaluate)
app.command()(care.promote)
app.command()(care.rollback)
app.command()(care.report)
app.command()(care.doctor)
app.command()(care.clean)
app.command()(replay.replay)


def main() -> None:
    """Entry point of the installed command."""
    app(prog_name="macromicro")


if __name__ == "__main__":
    main()
