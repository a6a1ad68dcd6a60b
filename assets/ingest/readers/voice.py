"""Voice clips of any phone, as 16 kHz mono: one rate for all, or openSMILE's features would not compare.

A clip's samples stay a little below full scale, where openSMILE would wrap them; how it came (its peak, how much of
it was clipped) is kept beside it. Silent, too short, truncated and clipped clips are kept with that reason. When
the clip begins is said, in this order, by a JSON sidecar (`clip.json` or `clip.wav.json` with `time`, `start` or
`timestamp`), by the file name (`2026-01-31T09-15-00Z.wav`, `20260131_091500.wav` on the participant's clock, or an
epoch), or by the file's own metadata; a clip that nothing dates cannot be used and says so.
"""

from __future__ import annotations

import numpy as np

from assets.errors import DumpError
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.sounds import decode, flac, is_sound, mono_16k
from assets.ingest.readers.starts import told_start
from assets.ingest.recording import Clip, Recording
from assets.ingest.source import Source
from assets.ingest.times import parse, to_us

SILENT_PEAK = 1e-3
SHORTEST_S = 0.5
CLIPPED_SHARE = 0.001
_KNOWN_SINCE_US = 1_000_000_000_000_000


def _claims(source: Source) -> bool:
    return source.single and is_sound(source.head()[:64])


def read(source: Source, context: Context) -> Recording:
    """Read one clip.

    Raises:
        DumpError: no sound can be decoded, or nothing says when it was recorded.
    """
    data = source.only.read(context.most_bytes)
    sound = decode(data)
    frames = len(sound.samples)
    if not frames:
        message = "the sound file holds no samples: the recording failed or the copy was cut off"
        raise DumpError(message)
    time_us = _time(source, data, sound.created, context)
    peak = float(np.abs(sound.samples).max())
    clipped = float((np.abs(sound.samples) >= sound.full_scale).any(axis=1).mean())
    duration = frames / sound.rate_hz
    clip = Clip(
        time_us,
        duration,
        min(peak, 1e6),
        clipped,
        flac(mono_16k(sound)),
        remark_of(duration, peak, clipped, truncated=sound.truncated),
    )
    facts = {"device": "voice", "rate_hz": sound.rate_hz, "channels": sound.samples.shape[1]}
    return Recording(clips=[clip], facts=facts, remarks=[clip.reason] if clip.reason else [])


def remark_of(duration: float, peak: float, clipped: float, *, truncated: bool) -> str | None:
    """What is worth knowing of a clip: its reason (`assets/features/windows.py`) in words, a colon, and more."""
    if peak < SILENT_PEAK:
        return "silent: no sample above −60 dB of full scale"
    if duration < SHORTEST_S:
        return f"too short: {duration:.2f} s, at least {SHORTEST_S} s are needed"
    if truncated:
        return "truncated: the file ends before its header says"
    return f"clipped: {clipped:.1%} of samples at full scale" if clipped > CLIPPED_SHARE else None


def _time(source: Source, data: bytes, created: str | None, context: Context) -> int:
    for found in (told_start(source, context), _from_metadata(data, created, context)):
        if found is not None:
            return found
    message = (
        "nothing says when this clip was recorded: name it by its start (2026-01-31T09-15-00Z.wav), or put a "
        'clip.json beside it with {"time": "2026-01-31T09:15:00+01:00"}'
    )
    raise DumpError(message)


def _from_metadata(data: bytes, created: str | None, context: Context) -> int | None:
    """What a container says (`creation_time`, UTC), or a broadcast WAV's `bext` chunk on the recorder's own clock."""
    when = parse(created) if created else None
    start = data.find(b"bext", 12, 4096) if data[:4] == b"RIFF" else -1
    if when is None and start > 0:
        stamp = data[start + 328 : start + 346].decode("ascii", "replace")
        when = parse(f"{stamp[:10].replace('_', '-').replace(':', '-')} {stamp[10:18].replace('-', ':')}")
    # A container that does not know the time says the epoch its clock begins with: 1904 or 1970.
    known = to_us(when, context.calendar) if when is not None else 0
    return known if known > _KNOWN_SINCE_US else None


READER = Reader("voice", "2", _claims, read)
