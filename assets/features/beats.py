"""A day's heart beats: one list from ECG, pulse and the device's own intervals, each interval judged.

Beats are found once per contiguous segment (`pulse.py`). Where several sources cover a time the best is taken: ECG,
then the pulse, then what the device reported. An interval is null after a gap and kept but not `valid` where it is
no normal-to-normal interval: outside physiological limits, far from its neighbours, or ended by a pulse that looks
like none. Nothing is corrected or inserted: HRV works around what is not valid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from assets.features.artefacts import RR_HIGH_MS, RR_LOW_MS, normal
from assets.features.pulse import find_pulses
from assets.features.segments import Floats, Ints, Mask, Segment, Span, inside, spans_of
from assets.tables import BEATS

QUALITY = 0.5


@dataclass(frozen=True)
class _Run:
    """Beats of one source without a break: times (UTC µs), the interval each ends (ms, NaN none), quality."""

    source: str
    times_us: Floats
    rr_ms: Floats
    quality: Floats

    def kept(self, mask: Mask) -> _Run:
        """These beats only; an interval whose first beat is gone goes with it."""
        rr = np.where(np.r_[False, mask[:-1]], self.rr_ms, np.nan)
        return _Run(self.source, self.times_us[mask], rr[mask], self.quality[mask])


def find_beats(segments: Mapping[str, Sequence[Segment]], events: pl.DataFrame) -> pl.DataFrame:
    """All beats of a day as a BEATS frame, in order of time.

    Args:
        segments: signals of the day (`ecg` and `bvp` are used).
        events: EVENTS rows of the day (`beat` is used).
    """
    runs: list[_Run] = []
    covered: list[Span] = []
    for signal in ("ecg", "bvp"):
        for segment in segments.get(signal, ()):
            found = find_pulses(segment, signal)
            rr = np.r_[np.nan, np.diff(found.times_us) / 1e3][: len(found.times_us)]
            run = _Run(signal, found.times_us, np.where(rr <= RR_HIGH_MS, rr, np.nan), found.quality)
            runs.append(run.kept(~inside(run.times_us, covered)))
        covered += spans_of(segments.get(signal, ()))
    device = device_beats(events)
    runs.append(device.kept(~inside(device.times_us, covered)))
    return _frame(runs)


def device_beats(events: pl.DataFrame) -> _Run:
    """The device's own beats; where an interval stands alone, the beat that began it is put before it."""
    rows = events.filter((pl.col("kind") == "beat") & (pl.col("value") > 0)).sort("time_us")
    times = rows["time_us"].to_numpy().astype(np.float64)
    rr = rows["value"].to_numpy().astype(np.float64)
    follows = rows["valid"].fill_null(False).to_numpy()
    begun = times - rr * 1e3
    before = np.r_[-np.inf, times[:-1]][: len(times)]
    alone = ~follows & (begun - before > RR_LOW_MS * 1e3)
    known = follows | alone
    all_times = np.r_[times, begun[alone]]
    all_rr = np.r_[np.where(known & (rr <= RR_HIGH_MS), rr, np.nan), np.full(alone.sum(), np.nan)]
    order = np.argsort(all_times, kind="stable")
    return _Run("device", all_times[order], all_rr[order], np.full(len(order), np.nan))


def trusted(quality: Floats) -> Mask:
    """Whether both beats of each interval look like beats; unknown quality is believed, (beats,)."""
    poor = quality < QUALITY
    return np.asarray(~poor & ~np.r_[False, poor[:-1]][: len(poor)])


def _frame(runs: Sequence[_Run]) -> pl.DataFrame:
    times = np.round(np.concatenate([r.times_us for r in runs])).astype(np.int64)
    rr = np.concatenate([r.rr_ms for r in runs])
    quality = np.concatenate([r.quality for r in runs])
    source = [r.source for r in runs for _ in range(len(r.times_us))]
    valid = np.concatenate([normal(r.rr_ms, trusted(r.quality)) for r in runs])
    order: Ints = np.argsort(times, kind="stable")
    frame = pl.DataFrame(
        {
            "time_us": times[order],
            "rr_ms": rr[order],
            "source": pl.Series(source, dtype=pl.String)[order],
            "quality": quality[order],
            "valid": valid[order],
        }
    )
    return frame.with_columns(pl.col("rr_ms", "quality").fill_nan(None)).select(BEATS.empty().columns)
