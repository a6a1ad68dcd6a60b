"""One participant-day's tables, cut out of the recordings that touch it.

Pure: recordings and the day's borders in, frames of the lake's tables out. Which dumps those are, and reading them,
belongs to `recordings.py`; what counts where they overlap, to `overlap.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date as Date

import numpy as np
import polars as pl
import pyarrow as pa

from assets.ingest.overlap import events_once, segments_once
from assets.ingest.recording import Clip, Events, Recording, Samples, Segment
from assets.tables import DAILY_VALUES, EVENTS, SELF_REPORTS, SIGNALS, VOICE_CLIPS, Table

MINUTE_US = 60_000_000
MARGIN_US = MINUTE_US  # beats this far outside a day still decide whether one inside follows on another
_EMPTY = {table: table.empty() for table in (SIGNALS, EVENTS, VOICE_CLIPS, SELF_REPORTS, DAILY_VALUES)}


def frames(
    read: Sequence[tuple[str, Recording]], span: tuple[int, int], day: Date | None = None
) -> Mapping[Table, pl.DataFrame]:
    """One day's tables out of the recordings that touch it.

    Args:
        read: each dump's identity with what it holds of the participant, answers in order of time.
        span: the day's first and last moment (UTC µs), the last one not included.
        day: its date, for values that come by date.
    """
    segments = segments_once([(dump, s) for dump, r in read for s in r.segments if _meets(s, span)])
    wide = (span[0] - MARGIN_US, span[1] + MARGIN_US)
    events = events_once([(dump, len(e.time_us), e.between(*wide)) for dump, r in read for e in r.events])
    return {
        SIGNALS: _signals(segments, span),
        EVENTS: _events(events, span),
        VOICE_CLIPS: _clips([(dump, c) for dump, r in read for c in r.clips], span),
        SELF_REPORTS: _answers([(dump, r.answers) for dump, r in read], span),
        DAILY_VALUES: _daily([(dump, r.daily) for dump, r in read if r.daily.height], day),
    }


def faults(signals: pl.DataFrame, span: tuple[int, int]) -> list[str]:
    """What is wrong with a day's signals: samples outside the day, in two segments at once, or not finite."""
    length = pl.col("samples").list.len()
    end = pl.col("start_us") + (length / pl.col("rate_hz") * 1e6)
    told = signals.select(
        "signal",
        "start_us",
        end=end,
        outside=(pl.col("start_us") < span[0]) | (end - 1e6 / pl.col("rate_hz") >= span[1]),
        infinite=~pl.col("samples").list.eval(pl.element().is_finite()).list.all(),
    ).sort("signal", "start_us")
    twice = told.filter(pl.col("end").shift(1).over("signal") > pl.col("start_us") + 1e6)
    counts = {
        "segments outside the day": int(told["outside"].sum()),
        "segments with samples that are no number": int(told["infinite"].sum()),
        "segments overlapping the one before": twice.height,
    }
    return [f"{count} {what}" for what, count in counts.items() if count]


def _meets(segment: Segment, span: tuple[int, int]) -> bool:
    return segment.start_us < span[1] and segment.end_us > span[0]


def _signals(segments: Iterable[tuple[str, Segment]], span: tuple[int, int]) -> pl.DataFrame:
    kept = []
    for dump, segment in segments:
        first, last = segment.first_index(span[0]), segment.first_index(span[1])
        if last > first:
            kept.append((dump, segment.part(first, last)))
    if not kept:
        return _EMPTY[SIGNALS]
    return pl.DataFrame(
        {
            "signal": [s.signal for _, s in kept],
            "unit": [s.unit for _, s in kept],
            "start_us": [s.start_us for _, s in kept],
            "rate_hz": [s.rate_hz for _, s in kept],
            "samples": _lists([s.samples for _, s in kept]),
            "dump": [dump for dump, _ in kept],
        },
        schema=_EMPTY[SIGNALS].schema,
    )


def _lists(arrays: Sequence[Samples]) -> pl.Series:
    """Arrays as one column of lists, without touching the samples one by one."""
    offsets = np.cumsum([0, *(len(a) for a in arrays)], dtype=np.int64)
    values = pa.array(np.concatenate(arrays), type=pa.float32())
    return pl.Series("samples", pa.LargeListArray.from_arrays(pa.array(offsets), values))


def _events(events: Iterable[tuple[str, Events]], span: tuple[int, int]) -> pl.DataFrame:
    kept = [(dump, inside) for dump, e in events if len((inside := e.between(*span)).time_us)]
    parts = [
        pl.DataFrame(
            {
                "time_us": e.time_us,
                "kind": [e.kind] * len(e.time_us),
                "value": pl.Series(e.value).fill_nan(None),
                "valid": e.valid,
                "dump": [dump] * len(e.time_us),
            },
            schema=_EMPTY[EVENTS].schema,
        )
        for dump, e in kept
    ]
    return pl.concat(parts) if parts else _EMPTY[EVENTS]


def _clips(clips: Iterable[tuple[str, Clip]], span: tuple[int, int]) -> pl.DataFrame:
    """The day's clips, each once; of those that begin at one moment the longest and what may stand beside it."""
    inside = [(dump, clip) for dump, clip in clips if span[0] <= clip.time_us < span[1]]
    inside.sort(key=lambda x: (x[1].duration_s, x[0]))
    longest = {clip.time_us: clip for _, clip in inside}
    kept = {
        (clip.time_us, clip.flac): (dump, clip)
        for dump, clip in inside
        if clip is longest[clip.time_us] or _stands_beside(clip)
    }
    if not kept:
        return _EMPTY[VOICE_CLIPS]
    names = ("time_us", "duration_s", "peak", "clipped", "flac", "reason")
    return VOICE_CLIPS.frame([{n: getattr(c, n) for n in names} | {"dump": d} for d, c in kept.values()])


def _stands_beside(clip: Clip) -> bool:
    """Whether a longer clip of the same moment may be another one: names often tell no seconds, and it is whole."""
    return clip.time_us % MINUTE_US == 0 and not (clip.reason or "").startswith("truncated")


def _daily(values: Iterable[tuple[str, pl.DataFrame]], day: Date | None) -> pl.DataFrame:
    """The day's values, one a name; where tables differ, the one with more values counts."""
    parts = []
    for dump, frame in values:
        today = frame.filter(date=day) if day else frame.clear()
        if today.height:
            parts.append((-frame.height, dump, today.with_columns(pl.lit(dump).alias("dump"))))
    if not parts:
        return _EMPTY[DAILY_VALUES]
    best_first = pl.concat(part for _, _, part in sorted(parts, key=lambda p: p[:2]))
    return best_first.unique(["name"], keep="first", maintain_order=True).select(_EMPTY[DAILY_VALUES].columns)


def _answers(answers: Iterable[tuple[str, pl.DataFrame]], span: tuple[int, int]) -> pl.DataFrame:
    """The day's answers, one a time and item; where exports differ, the one with more answers counts."""
    parts = []
    for dump, frame in answers:
        first, last = np.searchsorted(frame["time_us"].to_numpy(), span)
        if last > first:
            parts.append((-frame.height, dump, frame[int(first) : int(last)].with_columns(pl.lit(dump).alias("dump"))))
    if not parts:
        return _EMPTY[SELF_REPORTS]
    best_first = pl.concat(part for _, _, part in sorted(parts, key=lambda p: p[:2]))
    single = best_first.unique(["time_us", "item"], keep="first", maintain_order=True) if len(parts) > 1 else best_first
    return single.select(_EMPTY[SELF_REPORTS].columns)
