"""What a benchmark may be told, and where real recordings lie.

Its `--help` shows what it measures, how to run it, and the sizes it takes. A benchmark on real recordings ends with one
sentence where there are none.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

REAL = Path(os.environ.get("MACROMICRO_REAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
"""Where real recordings lie, if there are any."""


def real_data(part: str = "") -> Path:
    """A file or folder of the real recordings; without it the benchmark ends here."""
    if not (REAL / part).exists():
        sys.exit(f"no {REAL / part}: let MACROMICRO_REAL_DATA name a folder of real recordings (docs/results.md)")
    return REAL / part


def asking(description: str | None, **sizes: tuple[Any, str]) -> argparse.ArgumentParser:
    """A parser whose help is the script's own docstring, as it stands.

    Each of `sizes` may be given by its place: what it is by default, whose type it has, and of what it is the size.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, (default, of) in sizes.items():
        parser.add_argument(name, nargs="?", type=type(default), default=default, help=f"{of} ({default} by default)")
    return parser
