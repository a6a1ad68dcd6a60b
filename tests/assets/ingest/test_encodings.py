import pytest

from assets.ingest.encodings import decoded, wide_encoding
from assets.ingest.recording import Recording
from assets.study import Study
from tests.assets.ingest.makers import read, zipped

GARMIN = "".join(f"2026-01-31T09:{n}:00.000Z;STRESS;{20 + n}\r\n" for n in range(15, 19))
SHIMMER = (
    "sep=\t\r\nS_Timestamp_Unix_CAL\tS_GSR_Skin_Conductance_CAL\r\nms\tuS\r\n"
    + "".join(f"{1_769_850_900_000 + 100 * n}\t{0.5 + n / 100:.2f}\r\n" for n in range(50))
)  # fmt: skip
ANSWERS = "participant\ttime\thappy\tgröße\r\nP01\t2026-01-31 10:15\t71\t3\r\n"
HEART = "timestamp\tbeats per minute\r\n2026-01-31T04:00:05Z\t63\r\n2026-01-31T04:00:10Z\t64\r\n"
TABLES = {"garmin.csv": GARMIN, "shimmer.txt": SHIMMER, "answers.txt": ANSWERS, "heart_rate.csv": HEART}


def content(recording: Recording) -> list[object]:
    return [
        [(s.signal, s.unit, s.start_us, s.rate_hz, s.samples.tolist()) for s in recording.segments],
        [(e.kind, e.time_us.tolist(), e.value.tolist()) for e in recording.events],
        recording.answers.rows(),
        recording.remarks,
    ]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_excel_s_unicode_text_reads_as_the_same_table_in_utf_8(study: Study, name: str, encoding: str) -> None:
    told = content(read(name, TABLES[name].encode(), study))
    assert told[0] or told[1] or told[2]
    assert content(read(name, TABLES[name].encode(encoding), study)) == told
    assert content(read("a.zip", zipped({name: TABLES[name].encode(encoding)}), study)) == told


def test_a_study_s_own_table_in_utf_16_is_mapped(study: Study) -> None:
    mapped = Study.model_validate(
        {**study.model_dump(), "formats": {"ring": {"time": "t", "unit": "ms", "events": {"pulse": "hr"}}}}
    )
    text = "t\tpulse\r\n1769850900000\t61\r\n1769850960000\t62\r\n"
    assert read("ring.txt", text.encode("utf-16"), mapped).events[0].value.tolist() == [61, 62]


def test_only_text_is_taken_for_text() -> None:
    assert wide_encoding("a;b\n1;2\n".encode("utf-16")) == "utf-16-le"
    assert wide_encoding("привет;б\n1;2\n".encode("utf-16")) == "utf-16-le"
    assert wide_encoding(b"\xff\xfe" + bytes(range(256)) * 4) is None
    assert wide_encoding(b"\xff\xfb\x90\x64\0\0\0\0" * 100) is None
    assert wide_encoding(b"a;b\n1;2\n") is None
    assert wide_encoding(bytes(512)) is None
    samples = b"".join(n.to_bytes(2, "little") for n in range(40, 240)) * 20
    assert wide_encoding(b"0       X F X X" * 16 + samples) is None  # 16-bit samples behind a header in ASCII
    assert wide_encoding(b"") is None


def test_an_odd_byte_at_the_end_costs_one_sign() -> None:
    assert decoded("a;b\n1;23".encode("utf-16")[:-1]) == "a;b\n1;2\ufffd"
    assert decoded("größe".encode("cp1252")) == "größe"
