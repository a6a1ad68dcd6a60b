"""openSMILE on voice clips: our unit of work beside bare `opensmile.Smile` processes, and two workers beside one.

Run: `OMP_NUM_THREADS=1 python -m benchmarks.features_acoustic [clips]` (200 by default; 3 to 30 s each, cut from the
real `nemo` clips, or simulated where those are absent). Bare and ours take turns on the same small batches, with one
process and with two, each process warm: what else runs on the machine then slows both alike. Processor seconds are
what the processes themselves spent; wall seconds are told beside the load, since they need free cores.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assets.features.acoustic import RATE_HZ, _preload, clip_features
from benchmarks._arguments import REAL, asking
from benchmarks._timing import timed

BATCH = 20
KINDS = ("bare", "ours")
_SMILE: list[Any] = []


def clips(count: int) -> list[NDArray[np.float32]]:
    """Clips of 3 to 30 s at 16 kHz."""
    speech = _real()
    if speech is None:
        speech = _simulated()
    random = np.random.default_rng(0)
    sizes = random.integers(3, 31, count) * RATE_HZ
    starts = [int(random.integers(0, len(speech) - size)) for size in sizes]
    return [speech[a : a + size].astype(np.float32) for a, size in zip(starts, sizes, strict=True)]


def _real() -> NDArray[np.float32] | None:
    import soundfile
    from scipy.signal import resample_poly

    folder = REAL / "speech" / "nemo"
    parts = [soundfile.read(f, dtype="float32") for f in sorted(folder.glob("*.wav"))]
    return np.concatenate([resample_poly(s, RATE_HZ // 8000, rate // 8000) for s, rate in parts]) if parts else None


def _simulated() -> NDArray[np.float32]:
    from assets.simulated.persons import VoiceTraits  # a sketch of a voice serves as well for timing
    from assets.simulated.voice import speak

    random = np.random.default_rng(0)
    traits = VoiceTraits(pitch_hz=120.0, level_db=-22.0, syllables_per_s=4.0, jitter=0.01, tract=1.0)
    return np.concatenate([speak(random, np.zeros(4), traits) for _ in range(40)]).astype(np.float32)


def ready() -> None:
    """Make both ready once in each process."""
    import opensmile

    _SMILE.append(opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals))
    _preload()


def work(kind: str, audio: NDArray[np.float32]) -> float:
    """Processor seconds of one clip."""
    if kind == "bare":
        return timed(lambda: _SMILE[0].process_signal(audio, RATE_HZ))[0]
    return timed(lambda: clip_features(audio))[0]


def turns(pool: Executor, audio: list[NDArray[np.float32]]) -> dict[str, tuple[float, float]]:
    """Wall and processor seconds of both kinds over all clips, batch by batch in turns."""
    spent = {kind: [0.0, 0.0] for kind in KINDS}
    for n, first in enumerate(range(0, len(audio), BATCH)):
        batch = audio[first : first + BATCH]
        for kind in KINDS if n % 2 else KINDS[::-1]:
            start = time.perf_counter()
            processor = sum(pool.map(work, [kind] * len(batch), batch))
            spent[kind][0] += time.perf_counter() - start
            spent[kind][1] += processor
    return {kind: (wall, processor) for kind, (wall, processor) in spent.items()}


def main() -> None:
    """Print the table."""
    audio = clips(asking(__doc__, clips=(200, "how many clips")).parse_args().clips)
    print(f"{len(audio)} clips, {sum(map(len, audio)) / RATE_HZ:.0f} s of sound; load {os.getloadavg()[0]:.1f}")
    found = {}
    for count in (1, 2):
        with ProcessPoolExecutor(count, get_context("spawn"), ready) as pool:
            turns(pool, audio[: 2 * count])
            found[count] = turns(pool, audio)
        (bare, bare_cpu), (ours, ours_cpu) = found[count]["bare"], found[count]["ours"]
        print(f"{count} process(es): bare {bare:.1f} s (processor {bare_cpu:.1f}), ours {ours:.1f} s ({ours_cpu:.1f}):")
        print(f"  {bare / ours:.2f} of its pace by the clock, {bare_cpu / ours_cpu:.2f} by the processor")
    for n, what in enumerate(("by the clock", "if both cores were free (from processor seconds)")):
        one, two = found[1]["ours"][n], found[2]["ours"][n] / (2 if n else 1)
        print(f"two workers: {one / two:.2f}× one, {what}")
    bare_gain = found[1]["bare"][0] / found[2]["bare"][0]
    print(f"two bare processes: {bare_gain:.2f}× one by the clock; load now {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
