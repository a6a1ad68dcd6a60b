"""A device's clock put right: one dump's times, moved as `[corrections]` in `study.toml` says.

A correction names a dump by its place in the inbox or by its SHA-256 (its first characters, eight or more). It moves
every time in the dump by the same amount, after reading, so that the days it touches, the catalogue and the lake agree.
Daily values carry dates and no times, and stay. Which dumps are read again when a correction changes is decided by the
catalogue, through the fingerprint that `correction_of` is part of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl

from assets.errors import StudyError
from assets.ingest.recording import Recording
from assets.study import Correction, Study

SHORTEST_HASH = 8


def correction_of(study: Study, path: str, dump: str) -> Correction | None:
    """What the study says of a dump's clock, or None.

    Raises:
        StudyError: two corrections mean the same dump.
    """
    meant = [
        (key, correction)
        for key, correction in study.corrections.items()
        if key == path or (len(key) >= SHORTEST_HASH and dump.startswith(key.lower()))
    ]
    if len(meant) > 1:
        message = f"[corrections] {' and '.join(key for key, _ in meant)} mean the same dump; keep one"
        raise StudyError(message)
    return meant[0][1] if meant else None


def corrected(recording: Recording, correction: Correction | None) -> Recording:
    """The recording with its times moved, and a remark that says by how much."""
    starts = list(_starts(recording))
    if correction is None or not starts:
        return recording
    shift_us = _shift_us(correction, min(starts))
    return replace(
        recording,
        segments=[replace(s, start_us=s.start_us + shift_us) for s in recording.segments],
        events=[replace(e, time_us=e.time_us + shift_us) for e in recording.events],
        clips=[replace(c, time_us=c.time_us + shift_us) for c in recording.clips],
        answers=recording.answers.with_columns(pl.col("time_us") + shift_us),
        remarks=[*recording.remarks, f"its times were moved by {shift_us / 1e6:+.0f} s ([corrections] in study.toml)"],
    )


def _shift_us(correction: Correction, first_us: int) -> int:
    if correction.starts is None:
        return round(correction.shift_seconds * 1e6)
    start: datetime = correction.starts.astimezone(UTC)
    return round((start - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6) - first_us


def _starts(recording: Recording) -> Iterator[int]:
    yield from (s.start_us for s in recording.segments if len(s.samples))
    yield from (int(e.time_us.min()) for e in recording.events if len(e.time_us))
    yield from (c.time_us for c in recording.clips)
    first = recording.answers["time_us"].min()
    if isinstance(first, int):
        yield first
