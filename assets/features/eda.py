"""Electrodermal activity per window: validity, tonic and phasic parts, responses.

Samples are judged by the rules of Kleckner et al. 2018 (range, speed, skin temperature, five seconds around each);
only valid stretches are filtered, each on its own. The temperature rule stands for "not worn"; its 30 °C would throw
out wrists that are merely cool (four of twelve real sessions), so skin from 25 °C on counts where a regular pulse
shows that the band is worn. The low-pass suits 4 Hz, where NeuroKit2's own is skipped.
Telling tonic from phasic belongs to `decompose.py`, finding responses to `responses.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from assets.features.decompose import Method, butterworth, decomposed
from assets.features.responses import Responses, find_responses
from assets.features.segments import Floats, Ints, Mask, Segment, samples_within
from assets.features.sympathetic import sympathetic
from assets.features.windows import Grid, Reason, window_frame
from assets.tables import EDA_TABLE

LOW_US, HIGH_US, FASTEST_US_PER_S = 0.05, 60.0, 10.0
SKIN_C = (30.0, 40.0)
COOL_SKIN_C = 25.0
AROUND_S = 5.0
SPEED_OVER_S = 0.25
SLOWEST_HZ = 1.0  # below, a device gives the level alone
PULSE_WITHIN_US, PULSE_BEATS = 60e6, 30
NO_BEATS: Ints = np.zeros(0, dtype=np.int64)
LOWPASS_HZ = 1.0
SHORTEST_S = 15.0
FEWEST_COVERED = 0.2  # share of a window that must be valid


@dataclass(frozen=True)
class Stretch:
    """A valid stretch of skin conductance: cleaned signal, its two parts (all (samples,), µS) and its responses."""

    start_us: int
    rate_hz: float
    clean: Floats
    tonic: Floats
    phasic: Floats
    responses: Responses

    @property
    def end_us(self) -> float:
        """Where the sample after the last one would lie."""
        return self.start_us + len(self.clean) * 1e6 / self.rate_hz

    def slice_of(self, start_us: int, end_us: int) -> slice:
        """Samples at start ≤ t < end."""
        return samples_within(self.start_us, self.rate_hz, len(self.clean), start_us, end_us)


def eda_features(
    eda: Sequence[Segment],
    temperature: Sequence[Segment],
    grid: Grid,
    beats_us: Ints = NO_BEATS,
    method: Method = "highpass",
) -> pl.DataFrame:
    """EDA_TABLE rows for each window.

    Args:
        eda: segments of skin conductance (µS).
        temperature: segments of skin temperature (°C); without them that rule is not applied.
        grid: the windows.
        beats_us: times of beats with a valid interval (UTC µs), in order.
        method: how tonic and phasic part are told apart.
    """
    if not eda:
        return EDA_TABLE.empty()
    stretches = [s for segment in eda for s in valid_stretches(segment, temperature, beats_us, method)]
    rows, coverage, reasons = [], [], []
    for start, end in zip(grid.start_us.tolist(), grid.end_us.tolist(), strict=True):
        row, share = _window(stretches, start, end)
        covered = share >= FEWEST_COVERED
        rows.append(row if covered else {})
        coverage.append(share)
        whole = covered and row["scr_per_min"]
        reasons.append(None if whole else _why_covered(eda, row) if covered else _why(eda, start, end))
    return window_frame(EDA_TABLE, grid, rows, coverage, reasons)


def valid_samples(segment: Segment, temperature: Sequence[Segment], beats_us: Ints = NO_BEATS) -> Mask:
    """Which samples may be used (Kleckner et al. 2018, rules 1 to 4), (samples,)."""
    values = segment.samples.astype(np.float64)
    # Speed over a quarter of a second, the sample of an Empatica: a faster device's noise is no movement.
    lag = max(1, round(SPEED_OVER_S * segment.rate_hz))
    speed = np.zeros(len(values))
    speed[lag:] = np.abs(values[lag:] - values[:-lag]) * segment.rate_hz / lag
    wrong = (values < LOW_US) | (values > HIGH_US) | (speed > FASTEST_US_PER_S)
    times = segment.times_us()
    for skin in temperature:
        near = np.flatnonzero((times >= skin.start_us) & (times < skin.end_us))
        if len(near):
            place = ((times[near] - skin.start_us) * skin.rate_hz / 1e6).astype(np.int64)
            celsius = skin.samples[np.minimum(place, len(skin.samples) - 1)]  # the end is rounded to a whole µs
            lowest = np.where(_pulse_seen(times[near], beats_us), COOL_SKIN_C, SKIN_C[0])
            wrong[near] |= (celsius < lowest) | (celsius > SKIN_C[1])
    return ~_widened(wrong, round(AROUND_S * segment.rate_hz))


def _pulse_seen(times_us: Floats, beats_us: Ints) -> Mask:
    """Whether a regular pulse was seen within a minute of each time."""
    first, last = (np.searchsorted(beats_us, times_us + shift) for shift in (-PULSE_WITHIN_US, PULSE_WITHIN_US))
    return np.asarray(last - first >= PULSE_BEATS)


def valid_stretches(
    segment: Segment, temperature: Sequence[Segment], beats_us: Ints = NO_BEATS, method: Method = "highpass"
) -> list[Stretch]:
    """The valid parts of a segment that are long enough to filter, cleaned and split."""
    good = valid_samples(segment, temperature, beats_us)
    edges = np.flatnonzero(np.diff(np.r_[False, good, False].astype(np.int8))).reshape(-1, 2)
    shortest = SHORTEST_S * segment.rate_hz
    return [_stretch(segment, int(a), int(b), method) for a, b in edges if b - a >= shortest]


def lowpass(values: Floats, rate_hz: float) -> Floats:
    """Zero-phase fourth-order Butterworth low-pass at 1 Hz; a signal too slow to hold 1 Hz passes as it is."""
    from scipy.signal import sosfiltfilt

    if rate_hz <= 2 * LOWPASS_HZ:
        return values
    return np.asarray(sosfiltfilt(butterworth(4, LOWPASS_HZ, "lowpass", rate_hz), values))


def _stretch(segment: Segment, first: int, last: int, method: Method) -> Stretch:
    rate = segment.rate_hz
    clean = lowpass(segment.samples[first:last].astype(np.float64), rate)
    tonic, phasic = decomposed(clean, rate, method) if rate >= SLOWEST_HZ else (clean, np.full(len(clean), np.nan))
    start = segment.start_us + round(first * 1e6 / rate)
    return Stretch(start, rate, clean, tonic, phasic, find_responses(phasic, rate))


def _window(stretches: Sequence[Stretch], start: int, end: int) -> tuple[dict[str, float | None], float]:
    parts = [(s, s.slice_of(start, end)) for s in stretches if s.start_us < end and s.end_us > start]
    parts = [(s, p) for s, p in parts if p.stop > p.start]
    seconds = sum((p.stop - p.start) / s.rate_hz for s, p in parts)
    if not parts:
        return {}, 0.0
    clean, tonic, phasic = (
        np.concatenate([getattr(s, name)[p] for s, p in parts]) for name in ("clean", "tonic", "phasic")
    )
    minutes = np.concatenate(
        [(s.start_us - start) / 60e6 + np.arange(p.start, p.stop) / s.rate_hz / 60 for s, p in parts]
    )
    amplitude, rise, recovery = (
        np.concatenate([getattr(s.responses, name)[s.responses.within(p)] for s, p in parts])
        for name in ("amplitude_us", "rise_s", "recovery_s")
    )
    recovery = recovery[np.isfinite(recovery)]
    power = sympathetic([(s.clean[p], s.rate_hz) for s, p in parts])
    spread = minutes - minutes.mean()
    row: dict[str, float | None] = {
        "eda_mean_us": float(clean.mean()),
        "eda_tonic_us": float(tonic.mean()),
        "eda_tonic_slope_us_per_min": float(spread @ tonic / (spread @ spread)) if len(tonic) > 2 else None,
        "eda_phasic_sd_us": float(phasic.std()),
        "scr_per_min": len(amplitude) / seconds * 60 if np.isfinite(phasic).all() else None,
        "scr_amplitude_us": float(amplitude.mean()) if len(amplitude) else None,
        "scr_rise_s": float(rise.mean()) if len(rise) else None,
        "scr_recovery_s": float(recovery.mean()) if len(recovery) else None,
        "eda_sympathetic_us2": power[0] if power else None,
        "eda_sympathetic_share": power[1] if power else None,
    }
    return row, seconds * 1e6 / (end - start)


def _why_covered(eda: Sequence[Segment], row: dict[str, float | None]) -> Reason:
    """Why a window with enough valid samples has no responses."""
    if min(s.rate_hz for s in eda) < SLOWEST_HZ:
        return Reason.RATE_TOO_LOW
    return Reason.NO_RESPONSES if row["scr_per_min"] == 0 else Reason.NOT_DECOMPOSED


def _why(eda: Sequence[Segment], start: int, end: int) -> Reason:
    """Why a window has too few valid samples."""
    values = np.concatenate([s.samples[s.slice_of(start, end)] for s in eda])
    if len(values) == 0:
        return Reason.NO_DATA
    if float(np.mean(values < LOW_US)) > 0.5:
        return Reason.NOT_WORN
    if float(np.mean(values > HIGH_US)) > 0.5:
        return Reason.OUT_OF_RANGE
    short = len(values) < FEWEST_COVERED * eda[0].rate_hz * (end - start) / 1e6
    return Reason.TOO_SHORT if short else Reason.TOO_MANY_ARTEFACTS


def _widened(mask: Mask, by: int) -> Mask:
    """The mask with `by` samples around each true one."""
    marks = np.zeros(len(mask) + 1, dtype=np.int64)
    index = np.flatnonzero(mask)
    np.add.at(marks, np.maximum(index - by, 0), 1)
    np.add.at(marks, np.minimum(index + by + 1, len(mask)), -1)
    return np.asarray(np.cumsum(marks[:-1]) > 0)
