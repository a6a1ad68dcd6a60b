"""What every command shares: the home it works on, the terminal, and how errors are told."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from assets.study import Home
from models.errors import MacromicroError

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program instead of a table for a person.")]

UNFORESEEN = "This was not foreseen; --verbose before the command shows where it happened."


def writable(path: Path | None) -> Path | None:
    """Refuse a file that could not be written in the end, before the work begins."""
    if path is not None and not path.absolute().parent.is_dir():
        message = f"there is no folder {path.parent}"
        raise typer.BadParameter(message)
    return path


class Terminal(Console):
    """Standard output, which may lose its reader (`run | head`): what is under way then goes on unseen."""

    def on_broken_pipe(self) -> None:
        """Say nothing more, where rich would end the program."""
        with suppress(SystemExit):
            super().on_broken_pipe()


@dataclass(frozen=True)
class Options:
    """The options that stand before a command's name."""

    home: Home
    verbose: bool
    console: Console = field(default_factory=lambda: Terminal(soft_wrap=False))


def options(context: typer.Context) -> Options:
    """The options of this call."""
    found = context.find_object(Options)
    if found is None:  # a command called without the group: its own defaults
        found = Options(Home.find(), verbose=False)
    return found


def make_options(home: Path | None, *, verbose: bool) -> Options:
    """From what was typed."""
    return Options(Home.find(home), verbose)


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output; dates and paths as text."""
    sys.stdout.write(json.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n")


class Group(TyperGroup):
    """A group whose commands end with one clear message and code 1 where macromicro refuses something."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command whose help fills the terminal's lines, wherever those of the source end."""
        command = super().get_command(ctx, cmd_name)
        if command is not None and command.help:
            paragraphs = cleandoc(command.help).split("\n\n")
            command.help = "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)
        return command

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error made on purpose is shown as it stands, any other by name, with no traceback."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except KeyboardInterrupt:
            _say(ctx, "Interrupted. What was done before stays; the same command goes on from there.")
            raise typer.Exit(1) from None
        except Exception as error:
            if _verbose(ctx):
                raise
            if isinstance(error, MacromicroError):
                _say(ctx, str(error))
            else:
                _say(ctx, f"{type(error).__name__}: {error}\n{UNFORESEEN}")
            raise typer.Exit(1) from None


def _verbose(ctx: typer.Context) -> bool:
    return isinstance(ctx.obj, Options) and ctx.obj.verbose


def _say(ctx: typer.Context, text: str) -> None:
    Console(stderr=True).print(f"[bold red]{ctx.info_name}:[/] ", end="")
    Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)
