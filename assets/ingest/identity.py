"""What makes two dumps the same: their content, not their names, containers or dates.

A dump of one file is its SHA-256. A session of several files is the hash over its members' hashes, each with the
stream it holds, so that a zip and its unpacked folder are one dump; empty files and Empatica's `info.txt` say nothing
and do not count. A sidecar counts: it can move a clip in time.
"""

from __future__ import annotations

import hashlib

from assets.errors import DumpError
from assets.ingest.archives import units
from assets.ingest.grouping import e4_stream
from assets.ingest.source import Member, Source
from assets.study import Reading

_CHUNK = 1 << 20


def identity(source: Source, limits: Reading) -> str:
    """The dump's identity, a SHA-256 in hex. An archive that cannot be opened is its own bytes."""
    try:
        parts = units(source, limits)
        hashes = sorted(own_bytes(part) for part in parts)
    except DumpError:
        return own_bytes(source)
    return hashes[0] if len(hashes) == 1 else _combined(hashes)


def own_bytes(source: Source) -> str:
    """The identity of a dump as it lies there, unopened; of one without files, of its place."""
    if not source.members:
        return hashlib.sha256(source.path.encode("utf-8", "replace")).hexdigest()
    members = [m for m in source.members if m.size and m.base.lower() != "info.txt"] or list(source.members)
    sidecars = [f"sidecar {_of_member(m)}" for m in source.sidecars]
    if len(members) == 1 and not sidecars and len(source.members) == 1:
        return _of_member(members[0])
    return _combined(sorted([*(f"{e4_stream(m.base) or ''} {_of_member(m)}" for m in members), *sidecars]))


def _of_member(member: Member) -> str:
    found = hashlib.sha256()
    with member.open() as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _combined(hashes: list[str]) -> str:
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()
