"""Setting the champion by hand, with a trail: `macromicro promote` and `macromicro rollback`.

The decision is written down before the alias moves: as a row of the lake's table `decisions` and as tags of the
version. A command killed between the two leaves a decision that the next one repeats, never a champion without one.
The gate's own decisions are made in `assets/learning/champion.py`.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from assets.lake import Lake
from assets.monitoring.tables import DECISIONS
from assets.study import Home, Study
from models.errors import RegistryError
from models.registry import CHAMPION, Registry, Version
from pipeline.lock import lock

PROMOTE, ROLLBACK = "promote", "rollback"
PROMOTED = "promoted"


@dataclass(frozen=True)
class Decided:
    """The champion from now on, and the one before; `changed` is false where it was champion already."""

    version: Version
    before: Version | None
    changed: bool


def promote(home: Home, study: Study, number: int, why: str = "") -> Decided:
    """Make a version champion, whatever the gate said of it.

    Raises:
        RegistryError: there is no such version, or nothing was ever registered.
        BusyError: a night is running.
    """
    with lock(home, "macromicro promote"):
        registry = Registry(home.mlflow, study.study.name)
        return _decide(home, registry, PROMOTE, registry.version(number), why)


def rollback(home: Home, study: Study, why: str = "") -> Decided:
    """Make the champion before the present one champion again.

    Raises:
        RegistryError: there is no champion, or none before it that is still registered.
        BusyError: a night is running.
    """
    with lock(home, "macromicro rollback"):
        registry = Registry(home.mlflow, study.study.name)
        champion = registry.aliased(CHAMPION)
        decisions = Lake(home.lake).read(DECISIONS)
        earlier = previous(champion, registry.versions(), decisions)
        if earlier is None:
            message = (
                f"version {champion.number} has no champion before it to go back to. "
                "`macromicro promote VERSION` makes any registered version champion."
            )
            raise RegistryError(message)
        return _decide(home, registry, ROLLBACK, earlier, why)


def previous(champion: Version, versions: Sequence[Version], decisions: pl.DataFrame) -> Version | None:
    """The champion before the present one: by the last decision that made it champion, else by the gate's tags.

    Args:
        champion: the present one.
        versions: every registered version.
        decisions: rows of `decisions`, oldest first.
    """
    by_number = {v.number: v for v in versions}
    # A rollback says where it came from, which is the very version to stay away from.
    made = decisions.filter((pl.col("version") == champion.number) & (pl.col("action") == PROMOTE))
    if made.height:
        before = made["before"][-1]
        return by_number.get(before) if before is not None else None
    gated = [v for v in versions if v.tags.get("gate") == PROMOTED and v.number < champion.number]
    return max(gated, key=lambda v: v.number, default=None)


def _decide(home: Home, registry: Registry, action: str, version: Version, why: str) -> Decided:
    before = registry.champion()
    if before is not None and before.number == version.number:
        return Decided(version, before, changed=False)
    now = datetime.now(UTC)
    row = {
        "time_us": int(now.timestamp() * 1e6),
        "action": action,
        "version": version.number,
        "before": before.number if before else None,
        "who": _who(),
        "why": why,
    }
    lake = Lake(home.lake)
    lake.write(DECISIONS, pl.concat([lake.read(DECISIONS), DECISIONS.frame([row])]))
    said = f"{action} by {row['who']} at {now:%Y-%m-%d %H:%M} UTC" + (f": {why}" if why else "")
    registry.tag(version, {"decided": said, "decided_before": str(row["before"] or "none")})
    registry.point(CHAMPION, version)
    return Decided(registry.version(version.number), before, changed=True)


def _who() -> str:
    """The login name; machines without one (containers) give the user's number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
