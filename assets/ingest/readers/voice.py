"""Voice clips of any phone, as 16 kHz mono: one rate for all, or openSMILE's features would not compare.

A clip's samples stay a little below full scale, where openSMILE would wrap them; how it came (its peak, how much of
it was clipped) is kept beside it. Silent, too short, truncated and clipped clips are kept with that reason. When
the clip begins is said, in this order, by a JSON sidecar (`clip.json` or `clip.wav.json` with `time`, `start` or
`timestamp`), by the file name (`2026-01-31T09-15-00Z.wav`, `20260131_091500.wav` on the participant's clock, or an
epoch), or by the file's own metadata; a clip that nothing dates cannot be used and says so.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assets.errors import DumpError
from assets.ingest.readers.base import Context, Reader
from assets.ingest.recording import Clip, Recording
from assets.ingest.source import Source
from assets.ingest.times import parse, to_us

if TYPE_CHECKING:
    from datetime import datetime

RATE_HZ = 16_000
HEADROOM = 0.999
SILENT_PEAK = 1e-3
SHORTEST_S = 0.5
CLIPPED_SHARE = 0.001
LONGEST_S = 4 * 3600
_SIDECAR_KEYS = ("time", "start", "starttime", "recordedat", "timestamp", "createdat", "datetime", "date")
_NAME_TIMES = (
    re.compile(
        r"(?<!\d)(?P<y>(?:19|20)\d{2})-(?P<m>\d{2})-(?P<d>\d{2})[T_ ]+(?:at )?(?P<H>\d{2})[-.:_h](?P<M>\d{2})"
        r"(?:[-.:_m](?P<S>\d{2})(?:[.,]\d+)?)?\s?(?P<zone>Z|[+-]\d{2}[-:]?\d{2})?(?!\d)"
    ),
    re.compile(
        r"(?<!\d)(?P<y>(?:19|20)\d{2})(?P<m>\d{2})(?P<d>\d{2})[T_ -]?(?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2})?(?:[.,]\d+)?"
        r"(?P<zone>Z|[+-]\d{2}[-:]?\d{2})?(?!\d)"
    ),
)
_NAME_EPOCH = re.compile(r"(?<!\d)(1\d{9}|1\d{12})(?!\d)")


@dataclass(frozen=True)
class Sound:
    """Decoded samples (frames, channels), and whether the file ends before its header says."""

    samples: NDArray[np.float32]
    rate_hz: int
    full_scale: float
    truncated: bool


def _claims(source: Source) -> bool:
    head = source.head()[:64]
    return (
        (head[:4] in {b"RIFF", b"RIFX", b"RF64"} and head[8:12] == b"WAVE")
        or head.startswith((b"fLaC", b"OggS", b"ID3", b"caff"))
        or (head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"})
        or (len(head) > 2 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2 and head[2] & 0xF0 != 0xF0)
    )


def read(source: Source, context: Context) -> Recording:
    """Read one clip.

    Raises:
        DumpError: no sound can be decoded, or nothing says when it was recorded.
    """
    data = source.only.read(context.most_bytes)
    sound = _decode(data)
    frames = len(sound.samples)
    if not frames:
        message = "the sound file holds no samples: the recording failed or the copy was cut off"
        raise DumpError(message)
    time_us = _time(source, data, context)
    peak = float(np.abs(sound.samples).max())
    clipped = float((np.abs(sound.samples) >= sound.full_scale).any(axis=1).mean())
    mono = _resampled(_mono(sound.samples), sound.rate_hz)
    duration = frames / sound.rate_hz
    clip = Clip(
        time_us, duration, min(peak, 1e6), clipped, _flac(mono), _reason(duration, peak, clipped, sound.truncated)
    )
    facts = {"device": "voice", "rate_hz": sound.rate_hz, "channels": sound.samples.shape[1]}
    return Recording(clips=[clip], facts=facts, remarks=[clip.reason] if clip.reason else [])


def _decode(data: bytes) -> Sound:
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.frames > LONGEST_S * file.samplerate:
                message = f"the clip lasts {file.frames / file.samplerate / 3600:.0f} h; no self-report is that long"
                raise DumpError(message)
            samples = file.read(dtype="float32", always_2d=True)
            rate, subtype, expected = file.samplerate, file.subtype, file.frames
    except (soundfile.LibsndfileError, RuntimeError, ValueError, OverflowError) as error:
        message = f"the sound cannot be decoded ({error}): copy it again, or convert it to WAV"
        raise DumpError(message) from error
    full_scale = {"PCM_16": 32767 / 32768, "PCM_24": 0.9999, "PCM_32": 0.9999, "PCM_U8": 126 / 128, "PCM_S8": 126 / 128}
    samples = np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0)
    return Sound(samples, rate, full_scale.get(subtype, 0.99), len(samples) < expected or _wav_cut(data))


def _wav_cut(data: bytes) -> bool:
    """Whether a WAV's data chunk claims more bytes than follow (0 and all ones mean 'unknown': streamed)."""
    if data[:4] != b"RIFF":
        return False
    position = 12
    while position + 8 <= len(data):
        name, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        if name == b"data":
            return 0 < size < 0xFFFFFF00 and size > len(data) - position - 8
        position += 8 + size + size % 2
    return False


def _mono(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of the channels, or the loudest one where they differ much or cancel each other."""
    mean = samples.mean(axis=1, dtype=np.float32)
    loud = np.sqrt((samples.astype(np.float64) ** 2).mean(axis=0))
    level = float(np.sqrt((mean.astype(np.float64) ** 2).mean()))
    return mean if level >= 0.7 * loud.max() else np.ascontiguousarray(samples[:, int(loud.argmax())])


def _resampled(mono: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    if rate_hz == RATE_HZ:
        return mono
    from scipy.signal import resample_poly

    common = int(np.gcd(rate_hz, RATE_HZ))
    if RATE_HZ // common > 1000 or rate_hz // common > 10_000:
        rate_hz, common = round(rate_hz, -2), 100
    return np.asarray(resample_poly(mono, RATE_HZ // common, rate_hz // common), dtype=np.float32)


def _flac(mono: NDArray[np.float32]) -> bytes:
    import soundfile

    sink = io.BytesIO()
    soundfile.write(sink, np.clip(mono, -HEADROOM, HEADROOM), RATE_HZ, format="FLAC", subtype="PCM_16")
    return sink.getvalue()


def _reason(duration: float, peak: float, clipped: float, truncated: bool) -> str | None:  # noqa: FBT001 (a fact)
    if peak < SILENT_PEAK:
        return "silent: no sample above −60 dB of full scale"
    if duration < SHORTEST_S:
        return f"too short: {duration:.2f} s, at least {SHORTEST_S} s are needed"
    if truncated:
        return "truncated: the file ends before its header says"
    return f"clipped: {clipped:.1%} of samples at full scale" if clipped > CLIPPED_SHARE else None


def _time(source: Source, data: bytes, context: Context) -> int:
    for found in (_from_sidecar(source, context), _from_name(source, context), _from_metadata(data, context)):
        if found is not None:
            return found
    message = (
        "nothing says when this clip was recorded: name it by its start (2026-01-31T09-15-00Z.wav), or put a "
        'clip.json beside it with {"time": "2026-01-31T09:15:00+01:00"}'
    )
    raise DumpError(message)


def _from_sidecar(source: Source, context: Context) -> int | None:
    for sidecar in source.sidecars:
        try:
            told: Any = json.loads(sidecar.read(1_000_000).decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            message = f"its sidecar {sidecar.base} is no JSON: {error}"
            raise DumpError(message) from error
        keys = {re.sub(r"[^a-z]", "", str(k).lower()): v for k, v in told.items()} if isinstance(told, dict) else {}
        for key in _SIDECAR_KEYS:
            if key in keys:
                when = parse(str(keys[key]))
                if when is None:
                    message = f"its sidecar {sidecar.base} gives {key!r} as {str(keys[key])[:40]!r}, which is no time"
                    raise DumpError(message)
                return to_us(when, context.calendar)
    return None


def _from_name(source: Source, context: Context) -> int | None:
    stem = PurePosixPath(source.name.rsplit("!", 1)[-1]).stem
    for pattern in _NAME_TIMES:
        for match in pattern.finditer(stem):
            zone = (match["zone"] or "").replace("-", "-", 1)
            zone = zone[0] + zone[1:].replace("-", ":") if zone else ""
            clock = f"{match['H']}:{match['M']}:{match['S'] or '00'}"
            when = parse(f"{match['y']}-{match['m']}-{match['d']} {clock}{zone}")
            if when is not None:
                return to_us(when, context.calendar)
    epoch = _NAME_EPOCH.search(stem)
    return to_us(int(epoch[1]) * (1_000_000 if len(epoch[1]) == 10 else 1000), context.calendar) if epoch else None


def _from_metadata(data: bytes, context: Context) -> int | None:
    """Origination time of a broadcast WAV (`bext`), on the recorder's own clock; other kinds hold none here."""
    start = data.find(b"bext", 12, 4096)
    if data[:4] != b"RIFF" or start < 0:
        return None
    stamp = data[start + 8 + 320 : start + 8 + 338].decode("ascii", "replace")
    when: datetime | int | None = parse(
        f"{stamp[:10].replace('_', '-').replace(':', '-')} {stamp[10:18].replace('-', ':')}"
    )
    return to_us(when, context.calendar) if when is not None else None


READER = Reader("voice", "1", _claims, read)
