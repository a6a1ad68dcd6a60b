"""openSMILE on voice clips: our unit beside bare `opensmile.Smile`, and two workers beside one.

Run: `python benchmarks/features_voice.py [clips]` (40 by default; 3 to 30 s each, made of the real `nemo` clips).
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assets.features.acoustic import RATE_HZ, _preload, clip_features
from assets.workers import workers


def clips(count: int) -> list[NDArray[np.float32]]:
    """Clips of 3 to 30 s at 16 kHz."""
    import soundfile
    from scipy.signal import resample_poly

    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    files = sorted((Path(os.environ.get("MACROMICRO_REAL_DATA", default)) / "speech" / "nemo").glob("*.wav"))
    speech = np.concatenate([resample_poly(soundfile.read(f, dtype="float32")[0], 2, 3) for f in files])
    random = np.random.default_rng(0)
    sizes = random.integers(3, 31, count) * RATE_HZ
    starts = [int(random.integers(0, len(speech) - size)) for size in sizes]
    return [speech[a : a + size].astype(np.float32) for a, size in zip(starts, sizes, strict=True)]


def paired(audio: list[NDArray[np.float32]]) -> tuple[float, float]:
    """Processor seconds of the library alone and of our function, clip by clip in turns."""
    import opensmile

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    spent = [0.0, 0.0]
    for clip in [audio[0], *audio]:
        for n, work in enumerate((lambda c: smile.process_signal(c, RATE_HZ), clip_features)):
            start = time.process_time()
            work(clip)
            spent[n] += time.process_time() - start
    return spent[0], spent[1]


def pooled(audio: list[NDArray[np.float32]], count: int) -> float:
    """Seconds in a pool of `count` processes, their start not counted."""
    os.environ["MACROMICRO_WORKERS"] = str(count)
    with workers(len(audio), _preload) as pool:
        list(pool.map(clip_features, audio[: 2 * count]))
        start = time.perf_counter()
        list(pool.map(clip_features, audio))
        return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    audio = clips(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
    seconds = sum(len(a) for a in audio) / RATE_HZ
    alone, mine = paired(audio)
    one, two = pooled(audio, 1), pooled(audio, 2)
    print(f"{len(audio)} clips, {seconds:.0f} s of sound")
    print(f"processor time: bare opensmile {alone:.1f} s, ours {mine:.1f} s: {alone / mine:.2f} of its pace")
    print(f"wall time: one worker {one:.1f} s, two workers {two:.1f} s: {one / two:.2f}×")


if __name__ == "__main__":
    main()
