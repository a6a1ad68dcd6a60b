"""Beat list of a Holter ECG: a line of eight digits, then `seconds label` for each beat.

N is a normal beat, S, V and the like are others; X marks a stretch that the software could not read and is no beat.
An interval is valid between two neighbouring normal beats. The list says no date: a sidecar or the file's name must.
"""

from __future__ import annotations

import re

import numpy as np

from assets.errors import DumpError
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.series import plausible_rr
from assets.ingest.readers.starts import told_start, undated
from assets.ingest.recording import Events, Recording, Times
from assets.ingest.source import Source

_ROW = rb"[ \t]*(?P<seconds>\d{1,8}(?:\.\d+)?)[ \t]+(?P<label>[A-Za-z?])[ \t]*\r?(?:\n|$)"
_HEAD = re.compile(
    rb"^\s*\d{8}[ \t]*\r?\n(?:" + _ROW.replace(b"?P<seconds>", b"?:").replace(b"?P<label>", b"?:") + b"){2,}"
)
_LINE = re.compile(_ROW, re.MULTILINE)
_UNREADABLE = "X"
_NORMAL = "N"


def _claims(source: Source) -> bool:
    return source.single and bool(_HEAD.match(source.head()))


def read(source: Source, context: Context) -> Recording:
    """Read one list.

    Raises:
        DumpError: it holds no beat, or nothing dates it.
    """
    data = source.only.read(context.most_bytes)
    body = data[data.find(b"\n") + 1 :]
    rows = [(float(m["seconds"]), m["label"].decode().upper()) for m in _LINE.finditer(body)]
    lines = sum(1 for line in body.splitlines() if line.strip())
    seconds = np.array([s for s, _ in rows], np.float64)
    labels = np.array([label for _, label in rows])
    if not (labels != _UNREADABLE).any():
        message = "a Holter beat list without a beat: the software marked all of it as unreadable"
        raise DumpError(message)
    start = told_start(source, context)
    if start is None:
        what = "this Holter beat list"
        raise undated(what, source)
    others = {str(k): int((labels == k).sum()) for k in np.unique(labels) if k not in {_NORMAL, _UNREADABLE}}
    said = [
        f"{n} beats labelled {label}: intervals beside them are not normal-to-normal" for label, n in others.items()
    ]
    said += [f"{lines - len(rows)} lines unreadable, left out"] if lines > len(rows) else []
    return Recording(events=[_beats(start, seconds, labels)], facts={"device": "Holter"}, remarks=said)


def _beats(start_us: int, seconds: np.ndarray, labels: np.ndarray) -> Events:
    """Beats in order; each with the interval since the row before, valid between normal neighbours."""
    order = np.argsort(seconds, kind="stable")
    seconds, labels = seconds[order], labels[order]
    times: Times = start_us + np.round(seconds * 1e6).astype(np.int64)
    after_beat = np.r_[False, labels[:-1] != _UNREADABLE]
    rr_ms = np.where(after_beat, np.r_[np.nan, np.round(np.diff(seconds) * 1e3, 3)], np.nan)
    normal = labels == _NORMAL
    valid = normal & np.r_[False, normal[:-1]] & plausible_rr(rr_ms)
    beat = labels != _UNREADABLE
    beat &= np.r_[True, np.diff(times) > 0]
    return Events("beat", times[beat], rr_ms[beat], valid[beat])


READER = Reader("holter", "1", _claims, read)
