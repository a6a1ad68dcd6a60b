"""What a model was made with: Python and every installed package by version, so that a fit can be made again.

Versions and the kind of machine only: no path, no host, nobody's name.
"""

from __future__ import annotations

import platform
from importlib.metadata import distributions

SHAPING = ("torch", "scikit-learn", "numpy", "polars")  # packages whose release moves figures


def made_with() -> str:
    """Python and the packages that figures depend on, in a line."""
    found = _versions()
    return ", ".join([f"Python {platform.python_version()}", *(f"{n} {found[n]}" for n in SHAPING if n in found)])


def environment() -> str:
    """Every installed package, as a requirements file that says which Python and machine it was."""
    lines = [f"{name}=={version}" for name, version in sorted(_versions().items())]
    return "\n".join([f"# Python {platform.python_version()}, {platform.system()} {platform.machine()}", *lines, ""])


def _versions() -> dict[str, str]:
    return {d.name.lower().replace("_", "-"): d.version for d in distributions() if d.name}
