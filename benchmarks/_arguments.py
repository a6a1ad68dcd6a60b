"""What a benchmark may be told: its `--help` shows what it measures, how to run it, and the sizes it takes."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any


def asking(description: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the script's own docstring, as it stands."""
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def size(to: argparse.ArgumentParser, name: str, default: Any, of: str, kind: Callable[[str], Any] = int) -> None:
    """Let a number (or what `kind` makes of it) be given by place; `of` says of what."""
    to.add_argument(name, nargs="?", type=kind, default=default, help=f"{of} ({default} by default)")
