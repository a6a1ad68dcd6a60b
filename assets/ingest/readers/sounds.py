"""Sounds of any container and codec, decoded to samples, and back to 16 kHz mono FLAC.

libsndfile decodes WAV, FLAC, OGG (Vorbis, Opus), MP3, AIFF and CAF; FFmpeg, through PyAV, what phones record: M4A,
AAC, 3GP, AMR, MP4, WebM. Which of them a file is, its first bytes say. What a clip means belongs to `voice.py`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assets.errors import DumpError

RATE_HZ = 16_000
HEADROOM = 0.999
LONGEST_S = 4 * 3600
LOWEST_HZ, HIGHEST_HZ = 2_000, 768_000
_SNDFILE_MAGIC = (b"fLaC", b"OggS", b"ID3", b"caff")
_FFMPEG_MAGIC = (b"#!AMR", b"\x1a\x45\xdf\xa3", b"ADIF")


@dataclass(frozen=True)
class Sound:
    """Decoded samples (frames, channels), and whether the file ends before its header says.

    `full_scale` is the level at which a sample counts as clipped; `created` what the container says of its time.
    """

    samples: NDArray[np.float32]
    rate_hz: int
    full_scale: float
    truncated: bool
    created: str | None = None


def is_sound(head: bytes) -> bool:
    """Whether a file's first bytes are those of a sound or a film."""
    return _by_sndfile(head) or _by_ffmpeg(head)


def decode(data: bytes) -> Sound:
    """Decode a whole file.

    Raises:
        DumpError: it is damaged, holds no sound, or lasts longer than any self-report.
    """
    if _by_ffmpeg(data[:64]) and not _by_sndfile(data[:64]):
        return _ffmpeg(data)
    return _sndfile(data)


def _by_sndfile(head: bytes) -> bool:
    return (
        (head[:4] in {b"RIFF", b"RIFX", b"RF64"} and head[8:12] == b"WAVE")
        or head.startswith(_SNDFILE_MAGIC)
        or (head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"})
        or _mpeg_layer(head) in {1, 2}
    )


def _by_ffmpeg(head: bytes) -> bool:
    return head[4:8] == b"ftyp" or head.startswith(_FFMPEG_MAGIC) or _mpeg_layer(head) == 0


def _mpeg_layer(head: bytes) -> int | None:
    """The layer bits of an MPEG audio frame (0 is AAC in ADTS), or None where the head is no frame."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer = (head[1] >> 1) & 3
    if layer == 0:
        return 0 if head[1] & 0xF6 == 0xF0 else None
    version, bitrate, rate = (head[1] >> 3) & 3, head[2] >> 4, (head[2] >> 2) & 3
    return layer if version != 1 and bitrate not in {0, 15} and rate != 3 else None


def _sndfile(data: bytes) -> Sound:
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            _refuse_rate(file.samplerate)
            _refuse_long(file.frames / file.samplerate)
            samples = file.read(dtype="float32", always_2d=True)
            rate, subtype, expected = file.samplerate, file.subtype, file.frames
    except (soundfile.LibsndfileError, RuntimeError, ValueError, OverflowError) as error:
        told = getattr(error, "error_string", None) or error
        message = f"the sound cannot be decoded ({told}): copy it again, or convert it to WAV"
        raise DumpError(message) from error
    full_scale = {"PCM_16": 32767 / 32768, "PCM_24": 0.9999, "PCM_32": 0.9999, "PCM_U8": 126 / 128, "PCM_S8": 126 / 128}
    samples = np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0)
    return Sound(samples, rate, full_scale.get(subtype, 0.99), len(samples) < expected or _wav_cut(data))


def _ffmpeg(data: bytes) -> Sound:
    import av

    try:
        with av.open(io.BytesIO(data), "r", metadata_errors="replace") as file:
            stream = _audio(file)
            expected = float(file.duration or 0) / 1e6
            _refuse_long(expected)
            created = file.metadata.get("creation_time") or stream.metadata.get("creation_time")
            rate = int(stream.rate or stream.codec_context.sample_rate)
            _refuse_rate(rate)
            frames, cut = _frames(file, stream, rate)
    except DumpError:
        raise
    except (av.FFmpegError, ValueError, TypeError, RuntimeError) as error:
        told = getattr(error, "strerror", None) or error
        message = f"the sound cannot be decoded ({told}): copy it again, or convert it to WAV"
        raise DumpError(message) from error
    samples = np.concatenate(frames) if frames else np.zeros((0, 1), np.float32)
    truncated = cut or len(samples) < (expected - 0.5) * rate
    return Sound(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), rate, 0.99, truncated, created)


def _audio(file: Any) -> Any:
    if not file.streams.audio:
        message = "the film holds no sound"
        raise DumpError(message)
    return file.streams.audio[0]


def _frames(file: Any, stream: Any, rate: int) -> tuple[list[NDArray[np.float32]], bool]:
    """Every frame that can be decoded as (frames, channels) floats, and whether some could not."""
    import av

    found: list[NDArray[np.float32]] = []
    converter = av.AudioResampler(format="fltp", rate=rate)
    total = 0
    try:
        for frame in file.decode(stream):
            for part in converter.resample(frame):
                found.append(np.asarray(part.to_ndarray().T, np.float32))
                total += len(found[-1])
            _refuse_long(total / rate)
    except av.FFmpegError:
        if not found:
            raise
        return found, True
    return found, False


def _refuse_rate(rate_hz: int) -> None:
    if not LOWEST_HZ <= rate_hz <= HIGHEST_HZ:
        message = f"its header is damaged: it says {rate_hz:,} samples a second; copy it again"
        raise DumpError(message)


def _refuse_long(seconds: float) -> None:
    if seconds > LONGEST_S:
        message = f"the clip lasts {seconds / 3600:.0f} h; no self-report is that long"
        raise DumpError(message)


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


def mono_16k(sound: Sound) -> NDArray[np.float32]:
    """The sound as one channel at 16 kHz."""
    return _resampled(_mono(sound.samples), sound.rate_hz)


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


def flac(mono: NDArray[np.float32]) -> bytes:
    """16-bit FLAC, kept a little below full scale, where openSMILE would wrap."""
    import soundfile

    sink = io.BytesIO()
    soundfile.write(sink, np.clip(mono, -HEADROOM, HEADROOM), RATE_HZ, format="FLAC", subtype="PCM_16")
    return sink.getvalue()
