"""What has been computed, from what, by which code: one small file per unit of work and participant.

A unit (`recordings`, `physiology`, …) is a piece of code that turns a participant-day's inputs into parts of some
tables. Its stamp is written after its parts, so a stamp is a promise that they are all there: a run that was killed
between the two computes that day again, with the same bytes. Only the parent process of a run writes stamps.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date as Date

from assets.lake import Lake


@dataclass(frozen=True)
class Stamp:
    """`inputs` and `code` decide whether to compute again; `outputs` maps each table to its content hash."""

    inputs: str
    code: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)

    def fits(self, inputs: str, code: str) -> bool:
        """Whether these inputs under this code have been computed already."""
        return self.inputs == inputs and self.code == code


def digest(*values: object) -> str:
    """A short stable hash of plain values (strings, numbers, lists, mappings)."""
    text = json.dumps(values, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Ledger:
    """The stamps of one unit of work; each participant's days lie in one file."""

    def __init__(self, lake: Lake, unit: str) -> None:
        self._lake, self._unit = lake, unit
        self._days: dict[str, dict[Date, Stamp]] = {}

    def participants(self) -> list[str]:
        """Everyone with at least one stamped day."""
        files = self._lake.list_files(f"ledger/{self._unit}")
        return [p.rsplit("/", 1)[1].removesuffix(".json") for p in files if self.days(_code(p))]

    def days(self, participant: str) -> Mapping[Date, Stamp]:
        """A participant's stamped days."""
        if participant not in self._days:
            data = self._lake.read_bytes(self._path(participant))
            raw = json.loads(data) if data else {}
            self._days[participant] = {Date.fromisoformat(day): Stamp(**stamp) for day, stamp in raw.items()}
        return self._days[participant]

    def stamp(self, participant: str, day: Date) -> Stamp | None:
        """The stamp of one participant-day, or None where it was never computed."""
        return self.days(participant).get(day)

    def record(self, participant: str, stamps: Mapping[Date, Stamp]) -> None:
        """Add or replace some days' stamps, in one step."""
        self._save(participant, {**self.days(participant), **stamps})

    def forget(self, participant: str, days: Iterable[Date]) -> None:
        """Take days out, as when the dumps they came from were withdrawn."""
        gone = set(days)
        self._save(participant, {d: s for d, s in self.days(participant).items() if d not in gone})

    def _save(self, participant: str, days: Mapping[Date, Stamp]) -> None:
        ordered = {day.isoformat(): asdict(days[day]) for day in sorted(days)}
        self._lake.write_bytes(self._path(participant), json.dumps(ordered, sort_keys=True).encode())
        self._days[participant] = dict(days)

    def _path(self, participant: str) -> str:
        return f"ledger/{self._unit}/{participant}.json"


def _code(path: str) -> str:
    return path.rsplit("/", 1)[1].removesuffix(".json")
