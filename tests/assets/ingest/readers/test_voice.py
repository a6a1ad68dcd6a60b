import io
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import soundfile

from assets.errors import DumpError
from assets.ingest.readers import voice
from assets.ingest.readers.base import Context
from assets.ingest.recording import Clip
from assets.study import Study
from tests.assets.ingest.makers import sound, source

NAMED = "2026-01-31T09-15-00Z.wav"
NINE_FIFTEEN = int(datetime(2026, 1, 31, 9, 15, tzinfo=UTC).timestamp()) * 1_000_000


def clip(name: str, data: bytes, study: Study, sidecar: bytes | None = None) -> Clip:
    return voice.read(source(name, data, sidecar), Context(study, "P01")).clips[0]


def samples(found: Clip) -> np.ndarray:
    heard, rate = soundfile.read(io.BytesIO(found.flac), dtype="float32")
    assert rate == 16_000
    assert heard.ndim == 1
    return np.asarray(heard)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_rate_and_channels_become_the_same_tone(study: Study, rate: int, channels: int) -> None:
    found = clip(NAMED, sound(1.0, rate, channels=channels), study)
    heard = samples(found)
    assert abs(len(heard) - 16_000) <= 2
    spectrum = np.abs(np.fft.rfft(heard[:16_000]))
    assert int(spectrum.argmax()) == 200
    assert np.abs(heard[1000:-1000]).max() == pytest.approx(0.5, abs=0.01)
    assert found.time_us == NINE_FIFTEEN
    assert found.reason is None


@pytest.mark.parametrize(
    "kind",
    [
        {"format": "FLAC"},
        {"format": "OGG", "subtype": "VORBIS"},
        {"format": "OGG", "subtype": "OPUS"},
        {"format": "MP3", "subtype": "MPEG_LAYER_III"},
    ],
)
def test_other_formats_are_known_by_content_not_by_name(study: Study, kind: dict[str, str]) -> None:
    data = sound(1.0, 48_000, **kind)
    assert voice.READER.claims(source("clip.dat", data))
    assert clip(NAMED, data, study).duration_s == pytest.approx(1.0, abs=0.1)


def test_full_scale_stays_below_where_opensmile_wraps(study: Study) -> None:
    found = clip(NAMED, sound(peak=1.2), study)
    assert np.abs(samples(found)).max() < 0.9995
    assert found.peak >= 32767 / 32768
    assert found.clipped > 0.3
    assert str(found.reason).startswith("clipped: ")


def test_silent_short_and_truncated_clips_are_kept_with_their_reason(study: Study) -> None:
    assert str(clip(NAMED, sound(peak=0.0), study).reason).startswith("silent")
    assert str(clip(NAMED, sound(0.2), study).reason).startswith("too short: 0.20 s")
    assert str(clip(NAMED, sound(2.0)[:40_000], study).reason).startswith("truncated")


def test_one_dead_channel_does_not_halve_the_voice(study: Study) -> None:
    tone = 0.5 * np.sin(np.arange(16_000) / 10)
    sink = io.BytesIO()
    soundfile.write(sink, np.stack([tone, np.zeros(16_000)], axis=1), 16_000, format="WAV")
    assert np.abs(samples(clip(NAMED, sink.getvalue(), study))).max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("2026-01-31T09-15-00Z.wav", "2026-01-31T09:15:00Z"),
        ("2026-01-31 09.15.00.wav", "2026-01-31T08:15:00Z"),
        ("rec_20260131_091500.wav", "2026-01-31T08:15:00Z"),
        ("20260131T091500+0200.wav", "2026-01-31T07:15:00Z"),
        ("P01_1769850900.wav", "2026-01-31T09:15:00Z"),
        ("1769850900000.wav", "2026-01-31T09:15:00Z"),
        ("Recording 2026-07-31 at 09.15.30.wav", "2026-07-31T07:15:30Z"),
    ],
)
def test_the_file_name_gives_the_start(study: Study, name: str, when: str) -> None:
    assert clip(name, sound(), study).time_us == int(datetime.fromisoformat(when).timestamp()) * 1_000_000


def test_a_sidecar_wins_over_the_name(study: Study) -> None:
    found = clip(NAMED, sound(), study, b'{"participant": "x", "startTime": "2026-01-31T12:00:00+01:00"}')
    assert found.time_us == int(datetime(2026, 1, 31, 11, tzinfo=UTC).timestamp()) * 1_000_000


def test_a_clip_without_a_time_says_how_to_give_one(study: Study) -> None:
    with pytest.raises(DumpError, match=r"name it by its start .*or put a clip\.json beside it"):
        clip("happy.wav", sound(), study)
    with pytest.raises(DumpError, match="which is no time"):
        clip("happy.wav", sound(), study, b'{"time": "yesterday"}')


@pytest.mark.parametrize(
    "data", [sound()[:20], sound()[:44], b"RIFF\xff\xff\xff\xffWAVEjunk", sound(format="FLAC")[:200]]
)
def test_what_cannot_be_decoded_is_refused(study: Study, data: bytes) -> None:
    with pytest.raises(DumpError, match=r"cannot be decoded|holds no samples"):
        clip(NAMED, data, study)


def test_a_clip_and_its_sidecar_have_another_identity_than_the_clip_alone(study: Study) -> None:
    from assets.ingest.identity import identity

    bare, dated = source("a.wav", sound()), source("a.wav", sound(), b'{"time": 1769850900}')
    assert identity(bare, study.reading) != identity(dated, study.reading)
    assert identity(replace(bare, path="P01/b.wav"), study.reading) == identity(bare, study.reading)


def phone(codec: str, container: str, seconds: float = 1.0, rate: int = 44_100, created: str | None = None) -> bytes:
    """A tone as a phone records it."""
    import av

    sink = io.BytesIO()
    with av.open(sink, "w", format=container) as file:
        if created:
            file.metadata["creation_time"] = created
        stream = file.add_stream(codec, rate=rate, layout="mono")
        tone = 0.5 * np.sin(2 * np.pi * 200 * np.arange(int(seconds * rate)) / rate)
        fifo = av.AudioFifo()
        frame = av.AudioFrame.from_ndarray((tone[None] * 32767).astype(np.int16), format="s16", layout="mono")
        frame.sample_rate = rate
        fifo.write(frame)
        while part := fifo.read(stream.codec_context.frame_size or 1024, partial=True):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return sink.getvalue()


@pytest.mark.parametrize(
    ("codec", "container", "rate"),
    [
        ("aac", "mp4", 44_100),
        ("aac", "ipod", 48_000),
        ("aac", "adts", 22_050),
        ("libopencore_amrnb", "3gp", 8_000),
        ("libopencore_amrnb", "amr", 8_000),
        ("libopus", "webm", 48_000),
    ],
)
def test_what_phones_record_is_read(study: Study, codec: str, container: str, rate: int) -> None:
    data = phone(codec, container, 2.0, rate)
    assert voice.READER.claims(source("clip.bin", data))
    found = clip(NAMED, data, study)
    heard = samples(found)
    assert found.duration_s == pytest.approx(2.0, abs=0.15)
    assert int(np.abs(np.fft.rfft(heard[4000:20_000])).argmax()) == 200
    assert found.reason is None


def test_a_phone_clips_own_metadata_dates_it_last(study: Study) -> None:
    data = phone("aac", "mp4", created="2026-01-31T12:00:00.000000Z")
    noon = int(datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()) * 1_000_000
    assert clip("voice.m4a", data, study).time_us == noon
    assert clip(NAMED, data, study).time_us == NINE_FIFTEEN


def test_a_cut_phone_clip_is_kept_or_refused_never_a_crash(study: Study) -> None:
    whole = phone("aac", "adts", 4.0)
    assert str(clip(NAMED, whole[: len(whole) // 2], study).duration_s) < "4"
    with pytest.raises(DumpError, match="cannot be decoded"):
        clip(NAMED, phone("aac", "mp4")[:300], study)


@pytest.mark.parametrize("rate", [8, 1_073_749_824])
def test_a_rate_that_no_recorder_has_is_damage_and_fills_no_memory(study: Study, rate: int) -> None:
    data = bytearray(sound())
    data[24:28] = rate.to_bytes(4, "little")
    with pytest.raises(DumpError, match="its header is damaged"):
        clip(NAMED, bytes(data), study)
