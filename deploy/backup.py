"""Copy a home while its servers run: `python backup.py HOME TARGET`. Needs nothing but Python.

Waits for the night in progress and holds the home's lock while it copies, so that the lake and its ledger belong
together; a night that comes due meanwhile waits in its turn. Databases are copied through SQLite, which is the only
way to have a whole one while servers write. Scratch and text logs are left out.
"""

from __future__ import annotations

import argparse
import fcntl
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

LEFT_OUT = shutil.ignore_patterns(".writing", ".tmp-*", "*.db", "*.db-wal", "*.db-shm", "*.db-journal")
FOLDERS = ("lake", "mlflow", "dagster", "reports")


def backup(home: Path, target: Path, *, inbox: bool = True) -> None:
    """Copy a home to a folder that does not exist yet; it has that name only once it is whole."""
    if not (home / "study.toml").is_file():
        sys.exit(f"{home} is no home of macromicro: it has no study.toml")
    if target.exists():
        sys.exit(f"{target} is there already: name a new folder, such as one with today's date")
    draft = target.with_name(f"{target.name}.incomplete")
    shutil.rmtree(draft, ignore_errors=True)
    with (home / "night.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        draft.mkdir(parents=True, mode=0o700)
        shutil.copy2(home / "study.toml", draft)
        for name in (*FOLDERS, *(("inbox",) if inbox else ())):
            if (home / name).is_dir():
                ignore = None if name == "inbox" else LEFT_OUT
                shutil.copytree(home / name, draft / name, symlinks=True, ignore=ignore)
        for name in ("mlflow", "dagster"):
            for path in sorted((home / name).rglob("*.db")):
                _database(path, draft / path.relative_to(home))
    draft.rename(target)


def _database(path: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=60)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--without-inbox", action="store_true", help="where the inbox is backed up by other means")
    given = parser.parse_args()
    backup(given.home.resolve(), given.target.resolve(), inbox=not given.without_inbox)
