import numpy as np
import pytest

from assets.errors import DumpError
from assets.ingest.readers.base import Context
from assets.ingest.readers.registry import reader_of
from assets.study import Study
from tests.assets.ingest.makers import START, source
from tests.assets.ingest.readers.fit_files import clock, fit, message, packed

NAME = "2026-01-31T09-15-00Z.txt"
SEEDS = {
    "fit": fit(
        message("file_id", (3, "u32z", 7)),
        message("hr", (253, "u32", clock(START)), (6, "u8", 70), (9, "u32", 5000)),
        *(
            message("hr", (6, "u8", [70, 70]), (10, "byte", packed([n * 1600 % 4096, (n * 1600 + 800) % 4096])))
            for n in range(9)
        ),
        *(message("record", (253, "u32", clock(START + n)), (3, "u8", 60)) for n in range(20)),
    ),
    "garmin": "".join(
        f"2019-10-16T12:00:{n:02d}.000+02:00;HEART_RATE_VARIABILITY;{900 + n}.0\n" for n in range(60)
    ).encode(),
    "acc": "".join(f"2019-10-16T12:00:{n:02d}.000;{n};2;3\n" for n in range(60)).encode(),
    "polar": b"time,ecg,hr,rr\r\n" + "".join(f"{(START + n) * 10**9},0.{n},60,9{n}\r\n" for n in range(60)).encode(),
    "ppi": b"Phone timestamp;PP-interval [ms];error estimate [ms];blocker;contact;contact;hr [bpm]\n"
    + "".join(f"2021-03-11T12:00:{n:02d}.000;{900 + n};5;0;1;1;66\n" for n in range(60)).encode(),
    "shimmer": b'"sep=;"\r\nwrist left_Timestamp_Unix_CAL;wrist left_GSR_CAL;\r\nms;kOhms;\r\n'
    + "".join(f"{(START * 1000 + 20 * n) / 1e12}E12;{400 + n};\r\n" for n in range(60)).encode(),
    "holter": b"00000000\r\n" + "".join(f"{n * 0.8:.3f}    N\r\n" for n in range(60)).encode(),
    "rr": "".join(f"{800 + n}\r\n" for n in range(60)).encode(),
}
ABSURD = (
    b"1e308",
    b"-1",
    b"nan",
    b"\0",
    b'"',
    b";;;;",
    b"\xff\xfe",
    b"99999999999999999999",
    b"9999-01-01T00:00:00.000",
    b"\r",
)


def _damaged(data: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(data)))
    match int(rng.integers(5)):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + bytes([data[at] ^ 1 << int(rng.integers(8))]) + data[at + 1 :]
        case 2:
            return data[:at] + ABSURD[int(rng.integers(len(ABSURD)))] + data[at:]
        case 3:
            return data[:at] + data[at + int(rng.integers(1, 60)) :]
        case _:
            other = int(rng.integers(len(data)))
            return data[:at] + data[other : other + 200] + data[at:]


@pytest.mark.parametrize("seed", sorted(SEEDS))
def test_whatever_the_damage_a_file_is_read_or_refused_for_a_reason(study: Study, seed: str) -> None:
    rng, read = np.random.default_rng(len(seed)), 0
    for _ in range(40):
        data = _damaged(SEEDS[seed], rng)
        dump = source(NAME, data)
        try:
            recording = reader_of(dump).read(dump, Context(study, "P01"))
        except DumpError:
            continue
        read += 1
        assert all(np.isfinite(s.samples).all() and s.rate_hz > 0 for s in recording.segments)
        assert all((np.diff(e.time_us) >= 0).all() for e in recording.events)
    assert read >= 10
