"""Rows of the catalogue: one `Entry` a dump and place, and how the table of the lake holds them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from assets.ingest.inbox import Found
from assets.ingest.reading import Coverage, Touch
from assets.lake import Key, Lake
from assets.study import Home
from assets.tables import DUMPS

READ, DUPLICATE, QUARANTINED, WITHDRAWN = "read", "duplicate", "quarantined", "withdrawn"
STATES = (READ, DUPLICATE, QUARANTINED, WITHDRAWN)
GONE = "no longer in the inbox"
REPLACED = "replaced by other content at the same place"
FORGOTTEN = "forgotten by hand; `macromicro dumps remember` takes it back"


@dataclass(frozen=True)
class Entry:
    """What the catalogue knows of one dump at one place in the inbox."""

    dump: str
    path: str
    participant: str | None
    state: str
    reason: str | None
    size_bytes: int
    received_us: int
    signature: str
    read_with: str
    reader: str | None = None
    first_us: int | None = None
    last_us: int | None = None
    touches: tuple[Touch, ...] = ()
    facts: Mapping[str, object] | None = None

    @property
    def present(self) -> bool:
        """Whether it still lies in the inbox and counts there."""
        return self.state != WITHDRAWN

    @property
    def keys(self) -> set[Key]:
        """The participant-days it gives data for now."""
        return {Key(t.participant, t.date) for t in self.touches} if self.state == READ else set()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What its reader remarked."""
        said = (self.facts or {}).get("remarks", ())
        return tuple(str(s) for s in said) if isinstance(said, (list, tuple)) else ()

    def as_read(self) -> Entry:
        """The same, counting: its reason is what the reader remarked."""
        return replace(self, state=READ, reason="; ".join(self.remarks) or None)


def entry_read(found: Found, dump: str, covered: Coverage, fingerprint: str) -> Entry:
    """The entry of a dump that was read."""
    facts = {**covered.facts, "remarks": list(covered.remarks)} if covered.remarks else covered.facts
    return Entry(
        dump, found.path, found.participant, READ, "; ".join(covered.remarks) or None, found.size, found.received_us,
        found.signature, fingerprint, covered.reader, covered.first_us, covered.last_us, covered.touches, facts,
    )  # fmt: skip


def entry_refused(found: Found, dump: str, reason: str, fingerprint: str) -> Entry:
    """The entry of a dump that cannot be read."""
    return Entry(
        dump,
        found.path,
        found.participant,
        QUARANTINED,
        reason,
        found.size,
        found.received_us,
        found.signature,
        fingerprint,
    )


def load(home: Home) -> list[Entry]:
    """The catalogue as it stands."""
    return [_entry(row) for row in Lake(home.lake).read(DUMPS).iter_rows(named=True)]


def store(home: Home, entries: Iterable[Entry]) -> None:
    """Replace the catalogue in one step; the same entries give the same bytes."""
    ordered = sorted(entries, key=lambda e: (e.path, e.dump))
    Lake(home.lake).write(DUMPS, frame(ordered))


def frame(entries: Iterable[Entry]) -> pl.DataFrame:
    """Entries as rows of the table."""
    return DUMPS.frame([_row(e) for e in entries])


def _row(entry: Entry) -> dict[str, Any]:
    row = {c.name: getattr(entry, c.name) for c in DUMPS.columns}
    row["touches"] = [{"participant": t.participant, "date": t.date, "hours": t.hours} for t in entry.touches]
    row["facts"] = json.dumps(entry.facts or {}, sort_keys=True, default=str)
    return row


def _entry(row: dict[str, Any]) -> Entry:
    touches = tuple(Touch(t["participant"], t["date"], t["hours"]) for t in row["touches"] or ())
    return Entry(**{**row, "touches": touches, "facts": json.loads(row["facts"] or "{}")})
