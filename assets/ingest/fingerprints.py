"""What a dump was read with: the readers and settings that reading it depended on, as one short text.

Another fingerprint means that the dump would be read differently now, and is read again. The part behind the slash
stands for the mappings of `study.toml` that might give a dump to another reader than the one that took it: where only
that part differs, a look at the dump's columns (`mapped_anew`) says whether it is read again.
"""

from __future__ import annotations

from collections.abc import Sequence

from assets.errors import DumpError
from assets.ingest.archives import units
from assets.ingest.corrections import correction_of
from assets.ingest.entries import Entry
from assets.ingest.inbox import Found
from assets.ingest.readers.base import Reader
from assets.ingest.readers.registry import mapped_reader, reader_named, readers
from assets.ingest.source import Source
from assets.ledger import digest
from assets.study import Correction, Study


def read_with(study: Study, participant: str | None, reader: str | None, correction: Correction | None = None) -> str:
    """A fingerprint of everything but the dump that reading depends on.

    Args:
        study: the settings.
        participant: whose zones matter; None for tables of many.
        reader: the names that read it; None for a dump that was refused, which any change might help.
        correction: what the study says of its clock.
    """
    used = [r for r in (reader_named(n) for n in reader.split("+")) if r] if reader else readers()
    who = [participant] if participant else sorted(study.participants)
    zones = {p: s.model_dump(mode="json") for p in who if (s := study.participants.get(p))}
    limits = None if reader else study.reading.model_dump(exclude={"settle_seconds"})
    clock = correction and correction.model_dump(mode="json")
    own = digest(
        [(r.name, r.version, r.depends(study)) for r in used], study.timezone, zones, limits, *filter(None, [clock])
    )
    mappings = _mappings(study, used)
    return f"{own}/{digest(mappings)}" if mappings else own


def essence(fingerprint: str) -> str:
    """The part of a fingerprint that says how a dump was read."""
    return fingerprint.partition("/")[0]


def mapped_anew(source: Source, study: Study, reader: str | None) -> bool:
    """Whether the study's mappings give a dump, or a part of it, to a reader that had no part in reading it."""
    had = (reader or "").split("+")
    try:
        found = [mapped_reader(part, study) for part in units(source, study.reading)]
    except DumpError:
        return False
    return any(r is not None and r.name not in had for r in found)


class Signatures:
    """What a listing alone tells."""

    def due(self, found: Found, entry: Entry | None) -> bool:
        """Whether a dump is to be looked at: it is new, or its files changed."""
        return entry is None or entry.signature != found.signature


class Fingerprints(Signatures):
    """Fingerprints of settings and readers, each computed once a look."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._kept: dict[tuple[str | None, str | None, Correction | None], str] = {}

    def of(self, found: Found, dump: str, reader: str | None) -> str:
        """That of a dump at its place, when these readers read it."""
        key = found.participant, reader, correction_of(self._study, found.path, dump)
        if key not in self._kept:
            self._kept[key] = read_with(self._study, *key)
        return self._kept[key]

    def due(self, found: Found, entry: Entry | None) -> bool:
        """Whether a dump is to be looked at: it is new, changed, or would perhaps be read differently now."""
        if entry is None or super().due(found, entry):
            return True
        return entry.present and entry.read_with != self.of(found, entry.dump, entry.reader)

    def only_mappings(self, found: Found, entry: Entry | None) -> bool:
        """Of a dump that is due: whether nothing but the study's mappings changed since it was read."""
        if entry is None or entry.signature != found.signature:
            return False
        return essence(entry.read_with) == essence(self.of(found, entry.dump, entry.reader))


def _mappings(study: Study, used: Sequence[Reader]) -> list[tuple[str, str, object]]:
    """Settings that give dumps to readers other than these."""
    others = [r for r in readers() if r.maps and r not in used]
    return [(r.name, r.version, said) for r in others if (said := r.depends(study))]
