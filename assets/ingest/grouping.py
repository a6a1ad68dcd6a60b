"""Which files of a folder or an archive belong together as one dump.

An unpacked Empatica E4 session is one dump although it is seven files, possibly renamed (`tags_S01.csv`); a voice
clip and the JSON beside it are one dump, as are a text file and a small JSON beside it that says only when; every
other file is its own. Looks only at names, and at the first bytes of files that are named like E4 members or sidecars.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

E4_NAME = re.compile(
    r"^(?P<before>.*[_\-. ])?(?P<stream>ACC|BVP|EDA|TEMP|HR|IBI|tags)(?P<after>[_\-. (].*)?\.csv$", re.IGNORECASE
)
E4_STREAMS = ("ACC", "BVP", "EDA", "TEMP", "HR", "IBI", "TAGS")
# A device whose clock was lost begins near 0: it is still an E4, and its clock is told.
E4_HEAD = re.compile(rb"^(?:\xef\xbb\xbf)?\s*\d{1,10}(\.\d+)?(\s*,\s*\d{1,10}(\.\d+)?){0,2}\s*(,\s*IBI\s*)?(\r?\n|$)")
AUDIO = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".3gp", ".mp4", ".amr", ".caf", ".aiff"}
TEXT = {".txt", ".csv", ".tsv", ".rr", ".ibi", ".dat", ".parquet", ".xdf"}
_SAYS_WHEN = re.compile(
    rb'^\s*\{[^{}\[\]]*"(time|start|start_?time|recorded_?at|timestamp|created_?at|datetime|date)"\s*:[^{}\[\]]*\}\s*$',
    re.IGNORECASE,
)
_MOST_SIDECAR = 256
_INFO = "info.txt"


@dataclass(frozen=True)
class Entry:
    """A file seen in a folder or an archive: its path there, its size, and a way to peek at its beginning."""

    path: str
    size: int
    head: Callable[[], bytes]

    @property
    def folder(self) -> str:
        """The folder's path ('' at the top)."""
        return self.path.rpartition("/")[0]

    @property
    def base(self) -> str:
        """The file name."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Group:
    """Files that make one dump: `path` names it (a file, or the folder whose files they are)."""

    path: str
    members: tuple[str, ...]
    sidecars: tuple[str, ...] = ()


def ignorable(path: str) -> bool:
    """Whether a file is a system's own litter: dotfiles, `__MACOSX` twins, `Thumbs.db`, `desktop.ini`."""
    parts = path.split("/")
    return "__MACOSX" in parts or any(p.startswith(".") for p in parts) or parts[-1] in {"Thumbs.db", "desktop.ini"}


def e4_stream(name: str) -> str | None:
    """The E4 stream that a file name says it holds (`ACC` … `TAGS`), or None."""
    match = E4_NAME.match(name)
    return match["stream"].upper() if match else None


def group(entries: Iterable[Entry]) -> list[Group]:
    """Put files together that are one dump; the result is sorted by path and holds every file once."""
    folders: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if not ignorable(entry.path):
            folders[entry.folder].append(entry)
    groups = [g for folder, inside in folders.items() for g in _of_folder(folder, inside)]
    return sorted(groups, key=lambda g: g.path)


def _of_folder(folder: str, entries: list[Entry]) -> list[Group]:
    sessions = _e4_sessions(folder, [e for e in entries if e4_stream(e.base)])
    taken = {path for s in sessions for path in s.members}
    if len(sessions) == 1:
        info = [e.path for e in entries if e.base.lower() == _INFO]
        sessions = [Group(sessions[0].path, (*sessions[0].members, *info))]
        taken.update(info)
    rest = [e for e in entries if e.path not in taken]
    sidecars = _sidecars(rest)
    taken_json = {path for paths in sidecars.values() for path in paths}
    singles = [Group(e.path, (e.path,), tuple(sidecars.get(e.path, ()))) for e in rest if e.path not in taken_json]
    return [*sessions, *singles]


def _e4_sessions(folder: str, named: list[Entry]) -> list[Group]:
    """E4 sessions among files with E4 names: one, where no stream comes twice, else one per shared affix."""
    streams = [e4_stream(e.base) for e in named]
    if len(set(streams)) == len(streams):
        sets = {folder: named}
    else:
        sets = defaultdict(list)
        for entry in named:
            match = E4_NAME.match(entry.base)
            affix = f"{match['before'] or ''}*{match['after'] or ''}" if match else ""
            sets[f"{folder}/{affix}".lstrip("/")].append(entry)
    return [
        Group(path, tuple(sorted(e.path for e in inside)))
        for path, inside in sets.items()
        if len(inside) > 1 and _looks_e4(inside)
    ]


def _looks_e4(entries: list[Entry]) -> bool:
    """Whether one of the files that are not empty begins as E4 streams do (tags begin so too)."""
    return any(E4_HEAD.match(e.head()[:200]) for e in sorted(entries, key=lambda e: -e.size)[:3] if e.size)


def _sidecars(entries: list[Entry]) -> dict[str, list[str]]:
    """For each sound the JSON of its stem (`clip.json`, `clip.wav.json`); for other files one that says when."""
    audio, text = _named(entries, AUDIO), _named(entries, TEXT)
    found: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        if not entry.path.lower().endswith(".json"):
            continue
        stem = entry.path.lower()[:-5]
        if stem in audio:
            found[audio[stem]].append(entry.path)
        elif stem in text and entry.size <= _MOST_SIDECAR and _SAYS_WHEN.match(entry.head()):
            found[text[stem]].append(entry.path)
    return found


def _named(entries: Iterable[Entry], suffixes: set[str]) -> dict[str, str]:
    """Files of some suffixes by their name, and by their name without it."""
    named: dict[str, str] = {}
    for entry in entries:
        stem, dot, suffix = entry.path.lower().rpartition(".")
        if dot + suffix in suffixes:
            named[entry.path.lower()] = entry.path
            named.setdefault(stem, entry.path)
    return named
