"""A night with all layers anew, as somebody asked for it: noted in the lake until a night has done so.

Kept apart from `schedule.py`, because every look at a home asks for it. A killed night leaves the wish standing.
"""

from __future__ import annotations

import json

from assets.lake import Lake
from assets.study import Home

FILE = "learning/macro_wished.json"
MACRO_TAG = "macromicro/training"
"""On a Dagster run: with the value `macro` it fits all layers anew."""


def wish_macro(home: Home, *, wished: bool = True) -> None:
    """Ask that the next night fits everything anew, or say that one has."""
    if wished or macro_wished(home):
        Lake(home.lake).write_bytes(FILE, json.dumps({"wished": wished}).encode())


def macro_wished(home: Home) -> bool:
    """Whether a macro night was asked for and has not ended yet."""
    data = Lake(home.lake).read_bytes(FILE)
    return bool(data and json.loads(data)["wished"])
