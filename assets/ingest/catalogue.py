"""The catalogue: every dump ever seen, what it covers, and what became of it.

A look compares the inbox with what is known, reads what is new or changed in guarded worker processes, and writes
the table in one step, so a run that is killed leaves the old catalogue and the next one the same bytes as a run
never killed. Which dump counts where the same content lies twice is decided in `settling.py`; what its samples become
in the lake, in `recordings.py`.
"""

from __future__ import annotations

import fcntl
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import monotonic, time

from rich.progress import Progress

from assets.errors import DumpError
from assets.ingest.corrections import corrected, correction_of
from assets.ingest.entries import (
    FORGOTTEN,
    GONE,
    WITHDRAWN,
    Entry,
    entry_read,
    entry_refused,
    load,
    store,
)
from assets.ingest.fingerprints import Fingerprints, Signatures, mapped_anew
from assets.ingest.identity import identity, own_bytes
from assets.ingest.inbox import Found, scan
from assets.ingest.isolation import Limits, isolated
from assets.ingest.readers.base import Context
from assets.ingest.reading import Coverage, coverage, read_dump
from assets.ingest.settling import news, refuse_lost_inbox, settled
from assets.ingest.source import Source
from assets.lake import Key
from assets.study import Home, Study

SAVE_EVERY_S = 60.0


@dataclass(frozen=True)
class CatalogueReport:
    """What a look at the inbox did: dumps by state, which entries changed, which files were still growing."""

    states: Mapping[str, int]
    changed: tuple[Entry, ...] = ()
    growing: tuple[str, ...] = ()
    touched: frozenset[Key] = field(default_factory=frozenset)

    @property
    def idle(self) -> bool:
        """Whether nothing in the inbox was new."""
        return not self.changed and not self.growing


@dataclass(frozen=True)
class _Task:
    """`took` names the readers of a dump of which only the study's mappings could change how it is read."""

    found: Found
    study: Study
    took: str | None = None


@dataclass(frozen=True)
class _Outcome:
    """What became of a dump; a `result` of None leaves it as it was."""

    dump: str
    result: Coverage | str | None
    growing: bool = False


def catalogue(home: Home, study: Study, *, quiet: bool = False) -> CatalogueReport:
    """Bring the catalogue up to date with the inbox.

    A dump is looked at again when its files' sizes or times changed, or when readers or settings that matter did.

    Raises:
        InboxError: most dumps are gone at once; nothing is withdrawn.
    """
    with _locked(home):
        known = load(home)
        found = {f.path: f for f in scan(home.inbox)}
        refuse_lost_inbox(home, study, known, found)
        current = {e.path: e for e in known if e.present or e.reason == FORGOTTEN}
        prints = Fingerprints(study)
        tasks = list(_tasks(found.values(), current, study, prints))
        fresh: dict[str, Entry] = {}
        growing: list[str] = []
        saved = monotonic()
        for task, outcome in _looked_at(tasks, study, quiet=quiet):
            if outcome.growing:
                growing.append(task.found.path)
            else:
                fresh[task.found.path] = _entry(task, outcome, current, prints)
            if monotonic() - saved > SAVE_EVERY_S:
                store(home, settled(known, found, fresh))
                saved = monotonic()
        entries = settled(known, found, fresh)
        before = {(e.path, e.dump): e for e in known}
        changed = tuple(e for e in entries if news(before.get((e.path, e.dump)), e))
        if entries != known or not known:
            store(home, entries)
    was = [before[e.path, e.dump] for e in changed if (e.path, e.dump) in before]
    touched = frozenset(k for e in (*changed, *was) for k in e.keys)
    return CatalogueReport(Counter(e.state for e in entries), changed, tuple(sorted(growing)), touched)


def uncatalogued(home: Home, settle_seconds: float = 0.0, study: Study | None = None) -> list[str]:
    """Places in the inbox that the catalogue should look at again, from a listing alone.

    Args:
        home: the data home.
        settle_seconds: leave out files changed more recently than this; they may still be growing.
        study: with it, also dumps that were read with other settings or another version of their reader.
    """
    known = {e.path: e for e in load(home) if e.present or e.reason == FORGOTTEN}
    found = {f.path: f for f in scan(home.inbox)}
    now_us = time() * 1e6
    prints = Fingerprints(study) if study else Signatures()
    growing = {p for p, f in found.items() if 0 <= now_us - f.received_us < settle_seconds * 1e6}
    due = {p for p, f in found.items() if prints.due(f, known.get(p))}
    gone = {p for p, e in known.items() if p not in found and e.present}
    return sorted((due - growing) | gone)


def forget(home: Home, dump: str) -> list[Entry]:
    """Withdraw a dump (a SHA-256 or its beginning) although it lies in the inbox; gives the entries withdrawn.

    Raises:
        DumpError: no dump, or more than one, begins so.
    """
    return _mark(home, dump, lambda e: replace(e, state=WITHDRAWN, reason=FORGOTTEN))


def remember(home: Home, dump: str) -> list[Entry]:
    """Take a forgotten dump back; the next look reads it again.

    Raises:
        DumpError: no dump, or more than one, begins so.
    """
    return _mark(home, dump, lambda e: replace(e, reason=GONE) if e.reason == FORGOTTEN else e)


def work(task: _Task) -> _Outcome:
    """Identify and read one dump (runs in a guarded worker)."""
    found, study = task.found, task.study
    result: Coverage | str
    try:
        source, context = found.source(), Context(study, found.participant)
        if task.took and not mapped_anew(source, study, task.took):
            return _Outcome("", None, growing=_changed_since(found))
        if found.problem:
            return _Outcome(own_bytes(source), found.problem)
        dump = identity(source, study.reading)
        try:
            reader, recording = read_dump(source, context)
            recording = corrected(recording, correction_of(study, found.path, dump))
            result = coverage(reader, recording, context, found.received_us)
        except DumpError as error:
            result = str(error)
    except FileNotFoundError:
        return _Outcome("", "", growing=True)
    except PermissionError:
        return _Outcome(own_bytes(Source(found.path, ())), "cannot be opened: check its permissions")
    return _Outcome(dump, result, growing=_changed_since(found))


def _looked_at(tasks: list[_Task], study: Study, *, quiet: bool) -> Iterator[tuple[_Task, _Outcome]]:
    limits = Limits(study.reading.max_seconds, study.reading.max_memory_mb)
    with Progress(disable=quiet or not tasks, transient=True) as progress:
        bar = progress.add_task("reading new dumps", total=len(tasks))
        for task, result in isolated(work, tasks, limits):
            progress.advance(bar)
            if isinstance(result, _Outcome):
                yield task, result
            else:
                dump = own_bytes(task.found.source())
                yield task, _Outcome(dump, _failure(result), growing=_changed_since(task.found))


def _failure(error: Exception) -> str:
    """Why a reader failed in a way it should not: where in the code, and nothing of the data."""
    if isinstance(error, DumpError):
        return str(error)
    where = getattr(error, "__notes__", [""])[0]
    return f"its reader failed on it ({type(error).__name__}{where}); please report this. The file was not changed"


def _tasks(found: Iterable[Found], current: Mapping[str, Entry], study: Study, prints: Fingerprints) -> Iterator[_Task]:
    """The dumps to look at, and of which a glance may be enough."""
    for here in found:
        entry = current.get(here.path)
        if prints.due(here, entry):
            glance = entry is not None and prints.only_mappings(here, entry)
            yield _Task(here, study, entry.reader if entry and glance else None)


def _entry(task: _Task, outcome: _Outcome, current: Mapping[str, Entry], prints: Fingerprints) -> Entry:
    found, result = task.found, outcome.result
    if result is None:
        known = current[found.path]
        return replace(known, read_with=prints.of(found, known.dump, known.reader))
    if isinstance(result, str):
        return entry_refused(found, outcome.dump, result, prints.of(found, outcome.dump, None))
    return entry_read(found, outcome.dump, result, prints.of(found, outcome.dump, result.reader))


def _changed_since(found: Found) -> bool:
    """Whether any of its files changed since the inbox was listed."""
    try:
        return any(
            (s.st_size, s.st_mtime_ns) != (f.size, f.mtime_ns)
            for f in (*found.files, *found.sidecars)
            for s in [f.real.stat()]
        )
    except OSError:
        return True


def _mark(home: Home, dump: str, change: Callable[[Entry], Entry]) -> list[Entry]:
    with _locked(home):
        known = load(home)
        meant = {e.dump for e in known if e.dump.startswith(dump.lower())}
        if len(meant) != 1:
            message = f"{len(meant) or 'no'} dumps in the catalogue begin with {dump!r}; give more of its SHA-256"
            raise DumpError(message)
        changed = [change(e) for e in known if e.dump in meant]
        store(home, [*(e for e in known if e.dump not in meant), *changed])
    return changed


@contextmanager
def _locked(home: Home) -> Iterator[None]:
    """One look at a time on this machine: a second one waits, so that no rows are lost."""
    home.scratch.mkdir(parents=True, exist_ok=True)
    with (home.scratch / "catalogue.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
