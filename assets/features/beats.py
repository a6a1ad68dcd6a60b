"""A day's heart beats: one list from ECG, pulse and the device's own intervals, each interval judged.

Beats are found once per contiguous segment (`pulse.py`). An interval is null after a gap and kept but not `valid`
where it is no normal-to-normal interval: outside physiological limits, far from its neighbours, or ended by a pulse
that looks like none. While the wrist moves a pulse must look more like one. Nothing is corrected or inserted: HRV
works around what is not valid.

Sources are reconciled by quality. ECG goes before the pulse, and both before what the device reported; but in each
half minute in which our valid intervals fill less than half and the device's fill at least half, and a fifth of the
half minute more, the device's stand instead. Where one source takes over from another there is no interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from assets.features.acceleration import spread_at
from assets.features.artefacts import RR_HIGH_MS, RR_LOW_MS, normal
from assets.features.pulse import find_pulses
from assets.features.segments import Floats, Ints, Mask, Segment, Span, inside, spans_of
from assets.tables import BEATS

QUALITY, QUALITY_MOVING = 0.5, 0.8
MOVING_G = 0.03  # spread of the acceleration's norm within two seconds; a resting wrist shows 5 to 15 mg
CELL_US = 30_000_000
ENOUGH, MARGIN = 0.5, 0.2  # shares of a cell


@dataclass(frozen=True)
class _Run:
    """Beats of one source: times (UTC µs), the interval each ends (ms, NaN none), quality, whether it is normal."""

    source: str
    times_us: Floats
    rr_ms: Floats
    quality: Floats
    valid: Mask

    def kept(self, mask: Mask) -> _Run:
        """These beats only; an interval whose first beat is gone goes with it."""
        rr = np.where(np.r_[False, mask[:-1]], self.rr_ms, np.nan)[mask]
        return _Run(self.source, self.times_us[mask], rr, self.quality[mask], self.valid[mask] & np.isfinite(rr))


def find_beats(segments: Mapping[str, Sequence[Segment]], events: pl.DataFrame) -> pl.DataFrame:
    """All beats of a day as a BEATS frame, in order of time.

    Args:
        segments: signals of the day (`ecg`, `bvp` and, for movement, `acc_x`, `acc_y`, `acc_z` are used).
        events: EVENTS rows of the day (`beat` is used).
    """
    own: list[_Run] = []
    covered: list[Span] = []
    for signal in ("ecg", "bvp"):
        runs = [_found(segment, signal, segments) for segment in segments.get(signal, ())]
        own += [run.kept(~inside(run.times_us, covered)) for run in runs]
        covered += spans_of(segments.get(signal, ()))
    device = device_beats(events)
    better = better_cells(own, device)
    runs = [run.kept(~np.isin(_cells(run.times_us), better)) for run in own]
    uncovered = ~inside(device.times_us, covered)
    return _frame([*runs, device.kept(uncovered | np.isin(_cells(device.times_us), better))])


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
    rr, quality = all_rr[order], np.full(len(order), np.nan)
    return _Run("device", all_times[order], rr, quality, normal(rr, trusted(quality)))


def trusted(quality: Floats, spread_g: Floats | None = None) -> Mask:
    """Whether both beats of each interval look like beats, (beats,); unknown quality or movement is no reproach.

    Args:
        quality: agreement of each beat with its neighbours (0–1), (beats,).
        spread_g: how much the wrist moves at each (g), (beats,).
    """
    needed = QUALITY if spread_g is None else np.where(spread_g > MOVING_G, QUALITY_MOVING, QUALITY)
    poor = quality < needed
    return np.asarray(~poor & ~np.r_[False, poor[:-1]][: len(poor)])


def better_cells(own: Sequence[_Run], device: _Run) -> Ints:
    """Numbers of the half minutes (of UTC) in which the device's intervals are good and ours are poor."""
    cells, share = _filled([device])
    if not len(cells):
        return cells
    ours = dict(zip(*(a.tolist() for a in _filled(own)), strict=True))
    mine = np.array([ours.get(cell, 0.0) for cell in cells.tolist()])
    return np.asarray(cells[(mine < ENOUGH) & (share >= ENOUGH) & (share >= mine + MARGIN)])


def _found(segment: Segment, signal: str, segments: Mapping[str, Sequence[Segment]]) -> _Run:
    """Beats of a segment; movement of the wrist says nothing of an ECG's electrodes."""
    found = find_pulses(segment, signal)
    rr = np.r_[np.nan, np.diff(found.times_us) / 1e3][: len(found.times_us)]
    rr = np.where(rr <= RR_HIGH_MS, rr, np.nan)
    spread = spread_at(found.times_us, segments) if signal == "bvp" else None
    return _Run(signal, found.times_us, rr, found.quality, normal(rr, trusted(found.quality, spread)))


def _cells(times_us: Floats) -> Ints:
    return np.asarray(times_us // CELL_US, dtype=np.int64)


def _filled(runs: Sequence[_Run]) -> tuple[Ints, Floats]:
    """The cells in which runs have beats, and the share of each that valid intervals fill."""
    if not runs:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    seconds = np.concatenate([np.where(r.valid, r.rr_ms, 0.0) / 1e3 for r in runs])
    cells, place = np.unique(np.concatenate([_cells(r.times_us) for r in runs]), return_inverse=True)
    return cells, np.bincount(place, weights=seconds, minlength=len(cells)) * 1e6 / CELL_US


def _frame(runs: Sequence[_Run]) -> pl.DataFrame:
    times = np.round(np.concatenate([r.times_us for r in runs])).astype(np.int64)
    rr = np.concatenate([r.rr_ms for r in runs])
    quality = np.concatenate([r.quality for r in runs])
    source = [r.source for r in runs for _ in range(len(r.times_us))]
    valid = np.concatenate([r.valid for r in runs])
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
