"""When an undated dump begins: said by a JSON sidecar, or by the file's name.

A sidecar is the small JSON beside the file (`clip.json` or `clip.wav.json`) with `time`, `start` or `timestamp`; a
name holds the time as `2026-01-31T09-15-00Z`, `20260131_091500` (on the participant's clock) or an epoch. What a
file says of itself belongs to its reader.
"""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import Any

from assets.errors import DumpError
from assets.ingest.readers.base import Context
from assets.ingest.source import Source
from assets.ingest.times import parse, to_us

SIDECAR_KEYS = ("time", "start", "starttime", "recordedat", "timestamp", "createdat", "datetime", "date")
_NAME_TIMES = (
    re.compile(
        r"(?<!\d)(?P<y>(?:19|20)\d{2})-(?P<m>\d{2})-(?P<d>\d{2})[T_ ]+(?:at )?(?P<H>\d{2})[-.:_h](?P<M>\d{2})"
        r"(?:[-.:_m](?P<S>\d{2})(?:[.,]\d+)?)?\s?(?P<zone>Z|[+-]\d{2}[-:]?\d{2})?(?!\d)"
    ),
    re.compile(
        r"(?<!\d)(?P<y>(?:19|20)\d{2})(?P<m>\d{2})(?P<d>\d{2})[T_ -]?(?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2})?(?:[.,]\d+)?"
        r"(?P<zone>Z|[+-]\d{2}[-:]?\d{2})?(?!\d)"
    ),
)
_NAME_EPOCH = re.compile(r"(?<!\d)(1\d{9}|1\d{12})(?!\d)")


def told_start(source: Source, context: Context) -> int | None:
    """The start that a sidecar or the name gives, UTC µs; None where neither does.

    Raises:
        DumpError: a sidecar is no JSON, or gives something that is no time.
    """
    found = from_sidecar(source, context)
    return found if found is not None else from_name(source, context)


def undated(what: str, source: Source) -> DumpError:
    """The reason for a dump that nothing dates, saying how to date it."""
    stem, suffix = PurePosixPath(source.name).stem, PurePosixPath(source.name).suffix
    return DumpError(
        f"nothing says when {what} was recorded: put the start into its name (2026-01-31T09-15-00Z{suffix}), or put "
        f'{stem}.json beside it with {{"time": "2026-01-31T09:15:00+01:00"}}'
    )


def from_sidecar(source: Source, context: Context) -> int | None:
    """The start that a sidecar gives."""
    for sidecar in source.sidecars:
        try:
            told: Any = json.loads(sidecar.read(1_000_000).decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            message = f"its sidecar {sidecar.base} is no JSON: {error}"
            raise DumpError(message) from error
        keys = {re.sub(r"[^a-z]", "", str(k).lower()): v for k, v in told.items()} if isinstance(told, dict) else {}
        for key in SIDECAR_KEYS:
            if key in keys:
                when = parse(str(keys[key]))
                if when is None:
                    message = f"its sidecar {sidecar.base} gives {key!r} as {str(keys[key])[:40]!r}, which is no time"
                    raise DumpError(message)
                return to_us(when, context.calendar)
    return None


def from_name(source: Source, context: Context) -> int | None:
    """The start that the file name gives."""
    stem = PurePosixPath(source.name.rsplit("!", 1)[-1]).stem
    for pattern in _NAME_TIMES:
        for match in pattern.finditer(stem):
            zone = (match["zone"] or "").replace("-", "-", 1)
            zone = zone[0] + zone[1:].replace("-", ":") if zone else ""
            clock = f"{match['H']}:{match['M']}:{match['S'] or '00'}"
            when = parse(f"{match['y']}-{match['m']}-{match['d']} {clock}{zone}")
            if when is not None:
                return to_us(when, context.calendar)
    epoch = _NAME_EPOCH.search(stem)
    return to_us(int(epoch[1]) * (1_000_000 if len(epoch[1]) == 10 else 1000), context.calendar) if epoch else None
