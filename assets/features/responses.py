"""Skin-conductance responses by an absolute threshold.

A response is a rise of the phasic part from a trough to the next peak of at least 0.05 µS. NeuroKit2's threshold is
a share of the largest response, so that one artefact hides all others and noise without any response gives a hundred;
an absolute one asks the same of every minute.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assets.features.segments import Floats, Ints, Mask

THRESHOLD_US = 0.05
RISE_S = (0.5, 10.0)


@dataclass(frozen=True)
class Responses:
    """Responses of one stretch, each (responses,): peak (sample index), amplitude (µS), rise and recovery time (s).

    Recovery is from the peak to half the amplitude below it; NaN where the next response or the end comes first.
    """

    peak: Ints
    amplitude_us: Floats
    rise_s: Floats
    recovery_s: Floats

    def within(self, part: slice) -> Mask:
        """Which responses peak in a part of the stretch."""
        return np.asarray((self.peak >= part.start) & (self.peak < part.stop))


def find_responses(phasic: Floats, rate_hz: float, threshold_us: float = THRESHOLD_US) -> Responses:
    """Responses in the phasic part of a valid stretch.

    Args:
        phasic: phasic skin conductance (µS), (samples,).
        rate_hz: its sampling rate.
        threshold_us: smallest rise from trough to peak that counts (µS).
    """
    turn = np.sign(np.diff(phasic))
    rising, falling = turn[:-1] > 0, turn[1:] <= 0
    peaks = np.flatnonzero(rising & falling) + 1
    troughs = np.flatnonzero((turn[:-1] <= 0) & (turn[1:] > 0)) + 1
    place = np.searchsorted(troughs, peaks) - 1
    peaks, place = peaks[place >= 0], place[place >= 0]
    onset = troughs[place] if len(place) else np.zeros(0, dtype=np.int64)
    amplitude = phasic[peaks] - phasic[onset]
    rise = (peaks - onset) / rate_hz
    counts = (amplitude >= threshold_us) & (rise >= RISE_S[0]) & (rise <= RISE_S[1])
    peaks, amplitude = peaks[counts], amplitude[counts]
    return Responses(peaks, amplitude, rise[counts], _recovery(phasic, peaks, onset[counts], amplitude) / rate_hz)


def _recovery(phasic: Floats, peaks: Ints, onset: Ints, amplitude: Floats) -> Floats:
    """Samples from each peak to where half its amplitude is gone, between samples; NaN where that is not reached."""
    ends = np.r_[onset[1:], len(phasic) - 1][: len(peaks)]
    found = np.full(len(peaks), np.nan)
    for n, (peak, end, half) in enumerate(zip(peaks.tolist(), ends.tolist(), (amplitude / 2).tolist(), strict=True)):
        level = phasic[peak] - half
        below = np.flatnonzero(phasic[peak + 1 : end + 1] <= level)
        if len(below):
            after = int(below[0]) + 1
            before, there = phasic[peak + after - 1], phasic[peak + after]
            found[n] = after - 1 + (before - level) / (before - there)
    return found
