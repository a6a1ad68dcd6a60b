"""The whole catalogue after a look: what was read afresh, what is withdrawn, and which of several copies counts.

Pure: entries in, entries out. What is looked at, and how a dump is read, belongs to `catalogue.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from assets.errors import InboxError
from assets.ingest.entries import DUPLICATE, FORGOTTEN, GONE, READ, REPLACED, WITHDRAWN, Entry
from assets.ingest.fingerprints import essence
from assets.ingest.inbox import Found
from assets.study import Home, Study

FEW = 10  # of so few dumps any number may be taken away at once


def settled(known: Iterable[Entry], found: Mapping[str, Found], fresh: Mapping[str, Entry]) -> list[Entry]:
    """The whole catalogue: what was known, as the inbox now says, with what was read afresh."""
    entries = {(e.path, e.dump): e for e in fresh.values()}
    forgotten = {e.dump for e in known if e.reason == FORGOTTEN}
    for entry in known:
        if (entry.path, entry.dump) in entries:
            continue
        here = found.get(entry.path)
        if entry.present and (here is None or here.signature != entry.signature):
            reason = REPLACED if here else GONE
            entries[entry.path, entry.dump] = replace(entry, state=WITHDRAWN, reason=reason)
        else:
            entries[entry.path, entry.dump] = entry
    for key, entry in entries.items():
        if entry.dump in forgotten and entry.present:
            entries[key] = replace(entry, state=WITHDRAWN, reason=FORGOTTEN)
    return sorted(_once(entries.values()), key=lambda e: (e.path, e.dump))


def copy_of(entry: Entry) -> tuple[str, int, int]:
    """What a dump that was read shares with its copies: content, and the time it covers, which only a name may tell."""
    return entry.dump, entry.first_us or 0, entry.last_us or 0


def _once(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The same content of the same time counts once: where it came first (then by path)."""
    same: dict[tuple[str, int, int], list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.state in {READ, DUPLICATE}:
            same[copy_of(entry)].append(entry)
        else:
            yield entry
    for copies in same.values():
        first, *others = sorted(copies, key=lambda e: (e.received_us, e.path))
        yield first.as_read()
        for other in others:
            reason = f"same content as {first.path}"
            if other.participant != first.participant:
                reason += ", of another participant, where it counts: take the wrong copy out of the inbox"
            yield replace(other, state=DUPLICATE, reason=reason)


def news(before: Entry | None, now: Entry) -> bool:
    """Whether an entry says something new of its dump; under which mappings it was looked at is none."""
    if before is None:
        return True
    return replace(before, read_with=essence(before.read_with)) != replace(now, read_with=essence(now.read_with))


def refuse_lost_inbox(home: Home, study: Study, known: Iterable[Entry], found: Mapping[str, Found]) -> None:
    """Withdraw nothing where most dumps seem gone at once.

    Raises:
        InboxError: they do.
    """
    present = {e.path for e in known if e.present}
    gone = present.difference(found)
    if len(present) > FEW and len(gone) > study.reading.most_vanished * len(present):
        message = (
            f"{len(gone)} of {len(present)} dumps are gone from {home.inbox}: is its disk there? Nothing was changed. "
            "If they were taken away on purpose, set [reading] most_vanished = 1.0 for one run"
        )
        raise InboxError(message)
