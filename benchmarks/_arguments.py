"""What a benchmark may be told: its `--help` shows what it measures, how to run it, and the sizes it takes."""

from __future__ import annotations

import argparse
from typing import Any


def asking(description: str | None, **sizes: tuple[Any, str]) -> argparse.ArgumentParser:
    """A parser whose help is the script's own docstring, as it stands.

    Each of `sizes` may be given by its place: what it is by default, whose type it has, and of what it is the size.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, (default, of) in sizes.items():
        parser.add_argument(name, nargs="?", type=type(default), default=default, help=f"{of} ({default} by default)")
    return parser
