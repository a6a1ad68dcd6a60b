"""What the wrist did, minute by minute: the ground on which wear, sleep and the day's summary stand.

Minutes are those of UTC. Posture is judged as actigraphy does it (van Hees et al. 2015, 2018): the angle of the arm in
each five seconds, and how far it is from the one before. A minute without samples has no row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from assets.features.acceleration import Axes, norm, triples
from assets.features.segments import Floats, Ints, Segment, Span
from assets.features.wear import Skin, worn_minutes
from assets.tables import MINUTES

MINUTE_US, EPOCH_US = 60_000_000, 5_000_000
EPOCHS = MINUTE_US // EPOCH_US
SLOWEST_HZ = 1.0
CHANGE_OVER = 5 * EPOCHS  # epochs of the running median: five minutes


@dataclass(frozen=True)
class _Still:
    """Acceleration of a day per five seconds: sums, squares and extremes of the axes (3, epochs), ENMO (g)."""

    mean: Floats
    square: Floats
    low: Floats
    high: Floats
    enmo: Floats
    share: Floats


def minute_frame(
    segments: Mapping[str, Sequence[Segment]], events: pl.DataFrame, beats: pl.DataFrame, day: Span
) -> pl.DataFrame:
    """MINUTES rows of a day.

    Args:
        segments: signals of the day (`acc_x`, `acc_y`, `acc_z`, `temp`, `eda` are used).
        events: EVENTS rows of the day (`steps` is used).
        beats: BEATS rows of the day.
        day: start and end of the local day (UTC µs).
    """
    first = day[0] // MINUTE_US
    count = -(-day[1] // MINUTE_US) - first
    still = _epochs(triples(segments, EPOCH_US / 1e6), first * EPOCHS, count * EPOCHS)
    spread, low, high = _axes(still, count)
    temp, eda = (_means(segments.get(name, ()), first, count) for name in ("temp", "eda"))
    hr, filled = _heart(beats, first, count)
    steps = _steps(events, first, count)
    change = _angle_change(still)
    columns = {
        "enmo_mg": _mean(still.enmo.reshape(count, EPOCHS), still.share.reshape(count, EPOCHS)) * 1e3,
        "angle_change_deg": _quiet_median(_running_median(change).reshape(count, EPOCHS)),
        "angle_largest_deg": _quiet_max(change.reshape(count, EPOCHS)),
        "hr_bpm": hr,
        "temp_c": temp,
        "steps": steps,
    }
    seen = np.isfinite(np.stack([*columns.values(), eda])).any(axis=0)
    worn = worn_minutes(spread, low, high, Skin(temp, eda, filled))
    frame = pl.DataFrame(
        {"time_us": (first + np.arange(count)) * MINUTE_US, "worn": worn, **columns},
        schema_overrides={"worn": pl.Float64()},
    )
    frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None)).with_columns(pl.col("worn").cast(pl.Boolean()))
    return frame.filter(pl.Series(seen)).select(MINUTES.empty().columns)


def _epochs(axes: Sequence[Axes], first: int, count: int) -> _Still:
    mean, square, low, high = (np.full((3, count), np.nan) for _ in range(4))
    enmo, share = np.full(count, np.nan), np.zeros(count)
    for three in axes:
        frame = three[0]
        if frame.rate_hz < SLOWEST_HZ:
            continue
        borders, epoch = _borders(frame, first, count)
        if not len(epoch):
            continue
        sizes = np.diff(np.r_[borders, _last(frame, first, count)])
        for n, axis in enumerate(three):
            values = axis.samples[: borders[0] + int(sizes.sum())]
            mean[n, epoch] = np.add.reduceat(values, borders, dtype=np.float64) / sizes
            square[n, epoch] = np.add.reduceat(values**2, borders, dtype=np.float64) / sizes
            low[n, epoch], high[n, epoch] = (f.reduceat(values, borders) for f in (np.minimum, np.maximum))
        over = np.maximum(norm(three)[: borders[0] + int(sizes.sum())] - np.float32(1), np.float32(0))
        enmo[epoch] = np.add.reduceat(over, borders, dtype=np.float64) / sizes
        share[epoch] = sizes
    return _Still(mean, square, low, high, enmo, share)


def _borders(frame: Segment, first: int, count: int) -> tuple[Ints, Ints]:
    """Index of each epoch's first sample, and the number of the epoch in the day."""
    inside = frame.slice_of(first * EPOCH_US, (first + count) * EPOCH_US)
    if inside.stop <= inside.start:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    epochs = np.arange(first, first + count, dtype=np.int64)
    at = np.ceil((epochs * EPOCH_US - frame.start_us) * (frame.rate_hz / 1e6) - 1e-3).astype(np.int64)
    ends = np.minimum(np.r_[at[1:], inside.stop], inside.stop)
    at = np.maximum(at, inside.start)
    kept = ends > at
    return at[kept], np.flatnonzero(kept)


def _last(frame: Segment, first: int, count: int) -> int:
    """Index after the last sample of the day."""
    return frame.slice_of(first * EPOCH_US, (first + count) * EPOCH_US).stop  # type: ignore[no-any-return]


def _axes(still: _Still, count: int) -> tuple[Floats, Floats, Floats]:
    """Each axis' SD, lowest and highest value (g) in each minute, all (3, minutes)."""
    shape = (3, count, EPOCHS)
    weight = np.broadcast_to(still.share.reshape(count, EPOCHS), shape)
    mean, square = (_mean(x.reshape(shape), weight) for x in (still.mean, still.square))
    low, high = (x.reshape(shape) for x in (still.low, still.high))
    lowest = np.where(np.isnan(low).all(axis=2), np.nan, np.where(np.isnan(low), np.inf, low).min(axis=2))
    highest = np.where(np.isnan(high).all(axis=2), np.nan, np.where(np.isnan(high), -np.inf, high).max(axis=2))
    return np.sqrt(np.maximum(square - mean**2, 0)), lowest, highest


def _angle_change(still: _Still) -> Floats:
    """How far the arm's angle is from that of the five seconds before (°), NaN beside gaps, (epochs,)."""
    x, y, z = still.mean
    angle = np.degrees(np.arctan2(z, np.hypot(x, y)))
    return np.asarray(np.abs(np.diff(angle, prepend=np.nan)))


def _running_median(change: Floats) -> Floats:
    import pandas as pd

    around = pd.Series(change).rolling(CHANGE_OVER, center=True, min_periods=CHANGE_OVER // 2).median()
    return np.where(np.isfinite(change), np.asarray(around, dtype=np.float64), np.nan)


def _means(segments: Sequence[Segment], first: int, count: int) -> Floats:
    """Mean of a signal in each minute, NaN where it has no samples."""
    total, size = np.zeros(count), np.zeros(count)
    for segment in segments:
        minute = (segment.times_us() // MINUTE_US).astype(np.int64) - first
        kept = (minute >= 0) & (minute < count)
        total += np.bincount(minute[kept], weights=segment.samples[kept], minlength=count)
        size += np.bincount(minute[kept], minlength=count)
    return np.asarray(np.divide(total, size, out=np.full(count, np.nan), where=size > 0))


def _heart(beats: pl.DataFrame, first: int, count: int) -> tuple[Floats, Floats]:
    """Heart rate (bpm) of valid intervals that end in each minute, and the share of it that they fill."""
    valid = beats.filter(pl.col("valid") & pl.col("rr_ms").is_not_null())
    minute = valid["time_us"].to_numpy() // MINUTE_US - first
    kept = (minute >= 0) & (minute < count)
    total = np.bincount(minute[kept], weights=valid["rr_ms"].to_numpy()[kept], minlength=count)
    number = np.bincount(minute[kept], minlength=count)
    rate = np.divide(60_000 * number, total, out=np.full(count, np.nan), where=number >= 10)
    return rate, np.minimum(total / 60_000, 1.0)


def _steps(events: pl.DataFrame, first: int, count: int) -> Floats:
    """Steps that a device counted in each minute; NaN where it counted none, which may mean that it does not count."""
    rows = events.filter((pl.col("kind") == "steps") & pl.col("value").is_not_null())
    minute = rows["time_us"].to_numpy() // MINUTE_US - first
    kept = (minute >= 0) & (minute < count)
    found = np.bincount(minute[kept], weights=rows["value"].to_numpy()[kept], minlength=count)
    return np.where(found > 0, found, np.nan)


def _mean(values: Floats, weight: Floats) -> Floats:
    """Weighted mean over the last axis, NaN left out."""
    there = np.isfinite(values) * weight
    total = there.sum(axis=-1)
    summed = (np.nan_to_num(values) * there).sum(axis=-1)
    return np.asarray(np.divide(summed, total, out=np.full(total.shape, np.nan), where=total > 0))


def _quiet_median(values: Floats) -> Floats:
    there = np.isfinite(values).any(axis=1)
    out = np.full(len(values), np.nan)
    out[there] = np.nanmedian(values[there], axis=1)
    return out


def _quiet_max(values: Floats) -> Floats:
    there = np.isfinite(values).any(axis=1)
    out = np.full(len(values), np.nan)
    out[there] = np.nanmax(values[there], axis=1)
    return out
