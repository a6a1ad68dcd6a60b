"""How much room a home takes: each part of it, and each table of its lake. One listing, no file is opened."""

from __future__ import annotations

import os

from assets.study import Home

FOLDER = "reports"
BESIDE = "(beside)"  # files that lie in the lake's folder itself


def home_sizes(home: Home) -> dict[str, int]:
    """Bytes below each part of the home that is there."""
    parts = (home.inbox, home.lake, home.dagster, home.mlflow, home.scratch, home.root / FOLDER, home.root / "logs")
    return {folder.name: size(str(folder)) for folder in parts if folder.exists()}


def lake_sizes(home: Home) -> dict[str, int]:
    """Bytes of each table of the lake (and of its ledger), the largest first."""
    found: dict[str, int] = {}
    if home.lake.is_dir():
        with os.scandir(home.lake) as entries:
            for entry in entries:
                folder = entry.is_dir(follow_symlinks=False)
                name = entry.name if folder else BESIDE
                found[name] = found.get(name, 0) + (size(entry.path) if folder else _bytes(entry))
    return dict(sorted(((n, b) for n, b in found.items() if b), key=lambda pair: (-pair[1], pair[0])))


def size(folder: str) -> int:
    """Bytes of all files below; links are not followed, and what vanishes while looking is left out."""
    total, todo = 0, [folder]
    while todo:
        try:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    else:
                        total += _bytes(entry)
        except FileNotFoundError:
            continue
    return total


def human_size(count: int) -> str:
    """Bytes for people."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def _bytes(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0
