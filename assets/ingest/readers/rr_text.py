"""RR intervals as plain text: one interval a line (`812` or `0.812`), or `elapsed rr` pairs, in ms or in s.

Whether numbers are ms or s is decided by what a heart can do: 0.2 to 3 s. Lines of words before the first interval
are a header, and one of them may be the start. Such files say no time of their own: a sidecar or the file's name
must. The intervals are one unbroken list; one that is no number, or is out of reach of a heart, is a place where
nothing is known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assets.errors import DumpError
from assets.ingest.encodings import decoded
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.intervals import LONGEST_MS, beats_from_arrivals
from assets.ingest.readers.starts import told_start, undated
from assets.ingest.recording import Events, Recording
from assets.ingest.source import Source
from assets.ingest.times import parse, to_us

_MOST_HEADER = 12
_FEWEST = 5
_SHARE = 0.8
_SPLIT = re.compile(r"[;,\t ]+")
_SHORTEST_S, _LONGEST_S = 0.2, 3.0
_PAIR_SLACK_S = 0.05
# A wave's steps follow their neighbours; those of intervals turn back (paced breathing comes to 0.8).
_SMOOTH, _FEW = 0.9, 20
_RELATIVE_TIME = re.compile(r"^\d{1,2}:\d{2}")


def _claims(source: Source) -> bool:
    head = source.head() if source.single else b""
    if b"\0" in head or len(head) < _FEWEST:
        return False
    text = decoded(head if len(head) == source.only.size else head[: head.rfind(b"\n") + 1])
    _, rows = _parts(text.splitlines())
    return len(rows) >= _FEWEST and _columns(rows) is not None


def read(source: Source, context: Context) -> Recording:
    """Read one file.

    Raises:
        DumpError: nothing says when it was recorded; the message tells how to date it.
    """
    header, rows = _parts(decoded(source.only.read(context.most_bytes)).splitlines())
    found = _columns(rows)
    if found is None:
        message = "its lines begin as RR intervals do, but most of them are none"
        raise DumpError(message)
    elapsed_ms, rr_ms = found
    start = told_start(source, context)
    start = _from_header(header, context) if start is None else start
    if start is None:
        what = "this list of RR intervals"
        raise undated(what, source)
    bad = int((~(rr_ms > 0) | (rr_ms > LONGEST_MS)).sum())
    said = [f"{bad} of {len(rr_ms)} lines are no intervals; nothing is known there"] if bad else []
    beats = _unbroken(start, rr_ms) if elapsed_ms is None else _at(start, elapsed_ms, rr_ms)
    return Recording(events=[beats], facts={"device": "RR intervals"}, remarks=said)


def _parts(lines: Sequence[str]) -> tuple[list[str], list[list[float]]]:
    """The header's lines, and the numbers of each line after it; NaN where a field is none."""
    rows = [[_number(f) for f in _SPLIT.split(line.strip().strip(";,"))] for line in lines if line.strip()]
    texts = [line.strip() for line in lines if line.strip()]
    first = next((n for n, row in enumerate(rows) if not np.isnan(row).any()), len(rows))
    if first > _MOST_HEADER:
        return texts, []
    return texts[:first], rows[first:]


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return float("nan")
    return value if abs(value) < 1e12 else float("nan")


def _columns(rows: Sequence[Sequence[float]]) -> tuple[NDArray[np.float64] | None, NDArray[np.float64]] | None:
    """Elapsed time (None where there is none) and intervals in ms; None where these are no RR intervals."""
    width = len(rows[0]) if rows else 0
    if width not in {1, 2}:
        return None
    table = np.array([r if len(r) == width else [np.nan] * width for r in rows], np.float64)
    rr = _in_ms(table[:, -1])
    if rr is None:
        return None
    if width == 1:
        return None if _is_wave(rr) else (None, rr)
    for factor in (1e3, 1.0):
        elapsed = table[:, 0] * factor
        steps = np.diff(elapsed) - rr[1:]
        if len(steps) and float((np.abs(steps) < _PAIR_SLACK_S * 1e3).mean()) >= _SHARE:
            return elapsed, rr
    return None


def _is_wave(values: NDArray[np.float64]) -> bool:
    """Whether the numbers are samples of a wave (a pulse, an ECG) that lie where intervals do."""
    steps = np.diff(values[np.isfinite(values)])
    if len(steps) < _FEW or not steps[:-1].any() or not steps[1:].any():
        return False
    before, after = steps[:-1] - steps.mean(), steps[1:] - steps.mean()
    power = float(np.sqrt((before**2).sum() * (after**2).sum()))
    return power > 0 and float((before * after).sum()) > _SMOOTH * power


def _in_ms(values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    for factor in (1e3, 1.0):
        within = (values * factor >= _SHORTEST_S * 1e3) & (values * factor <= _LONGEST_S * 1e3)
        if float(within.mean()) >= _SHARE:
            return values * factor
    return None


def _from_header(header: Sequence[str], context: Context) -> int | None:
    for line in header:
        for text in (line, line.lstrip("#% "), line.partition("=")[2], line.partition(":")[2]):
            told = text.strip().strip('"')
            when = parse(told) if told and not _RELATIVE_TIME.match(told) else None
            if when is not None:
                return to_us(when, context.calendar)
    return None


def _unbroken(start_us: int, rr_ms: NDArray[np.float64]) -> Events:
    """Beats by running sum; what is no interval takes no time and breaks the run."""
    known = np.isfinite(rr_ms) & (rr_ms > 0) & (rr_ms <= LONGEST_MS)
    ends = start_us + np.round(np.cumsum(np.where(known, rr_ms, 0.0)) * 1e3).astype(np.int64)
    return beats_from_arrivals(ends, rr_ms)


def _at(start_us: int, elapsed_ms: NDArray[np.float64], rr_ms: NDArray[np.float64]) -> Events:
    """Beats at their elapsed times; the list begins where its first interval does."""
    known = np.isfinite(elapsed_ms)
    first = elapsed_ms[known][0]
    ends = start_us + np.round((elapsed_ms[known] - min(first - rr_ms[known][0], 0.0)) * 1e3).astype(np.int64)
    return beats_from_arrivals(ends, rr_ms[known])


READER = Reader("rr_text", "2", _claims, read)
