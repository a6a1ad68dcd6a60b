import numpy as np
import pytest

from assets.errors import DumpError
from assets.ingest.grouping import Entry, group
from assets.ingest.readers.base import Context
from assets.ingest.readers.rr_text import READER
from assets.ingest.recording import Events
from assets.study import Study
from tests.assets.ingest.makers import source

RR = [812, 790, 805, 820, 798, 801]
START = 1_769_850_900_000_000  # 2026-01-31 09:15:00 UTC
NAME = "2026-01-31T09-15-00Z.txt"


def _beats(text: str, study: Study, name: str = NAME, sidecar: bytes | None = None) -> Events:
    dump = source(name, text, sidecar)
    assert READER.claims(dump)
    (beats,) = READER.read(dump, Context(study, "P01")).events
    return beats


@pytest.mark.parametrize(
    "text",
    [
        "\r\n".join(map(str, RR)) + "\r\n",
        "".join(f"{rr / 1000}\n" for rr in RR),
        "rr\n" + "".join(f"{rr}.0\n" for rr in RR),
        "elapsed rr\r\n" + "".join(f"{sum(RR[: n + 1]) / 1000:.3f} {rr / 1000}\r\n" for n, rr in enumerate(RR)),
        "".join(f"{sum(RR[: n + 1])},{rr}\n" for n, rr in enumerate(RR)),
    ],
)
def test_seconds_and_milliseconds_are_told_apart_by_what_a_heart_can_do(study: Study, text: str) -> None:
    beats = _beats(text, study)
    assert beats.value.tolist() == pytest.approx(RR)
    assert ((beats.time_us - START) / 1000).tolist() == pytest.approx(np.cumsum(RR).tolist())
    assert beats.valid.tolist() == [False] + [True] * 5


def test_the_start_comes_from_a_sidecar_the_name_or_the_header(study: Study) -> None:
    text = "\n".join(map(str, RR)) + "\n"
    told = _beats(text, study, "rr.txt", b'{"time": "2026-01-31T10:15:00+01:00"}')
    headed = _beats(f"# start: 2026-01-31T09:15:00Z\n{text}", study, "rr.txt")
    assert told.time_us.tolist() == headed.time_us.tolist() == _beats(text, study).time_us.tolist()


def test_a_list_that_nothing_dates_says_how_to_date_it(study: Study) -> None:
    with pytest.raises(
        DumpError, match=r"put the start into its name .2026-01-31T09-15-00Z.txt., or put rr.json beside"
    ):
        _beats("\n".join(map(str, RR)), study, "rr.txt")


def test_a_small_json_that_says_when_belongs_to_the_text_beside_it_and_other_json_does_not() -> None:
    def entry(path: str, data: bytes) -> Entry:
        return Entry(path, len(data), lambda: data)

    says, data = b'{"time": "2026-01-31T10:15:00+01:00"}', b'{"time": "2026-01-31", "items": [1, 2]}'
    groups = group(
        [entry("P/rr.txt", b"800"), entry("P/rr.json", says), entry("P/a.csv", b"x"), entry("P/a.json", data)]
    )
    assert [(g.path, g.sidecars) for g in groups] == [("P/a.csv", ()), ("P/a.json", ()), ("P/rr.txt", ("P/rr.json",))]


def test_a_line_that_is_no_interval_is_a_place_where_nothing_is_known(study: Study) -> None:
    text = "\n".join(["800"] * 10 + ["lost"] + ["810"] * 10)
    dump = source(NAME, text)
    recording = READER.read(dump, Context(study, "P01"))
    assert recording.remarks == ["1 of 21 lines are no intervals; nothing is known there"]
    assert np.flatnonzero(~recording.events[0].valid).tolist() == [0, 10]


@pytest.mark.parametrize(
    "text",
    [
        "1644226061.000000\n4.000000\n0.5\n0.6\n0.7\n0.8\n0.9\n",
        "33.4\n33.5\n33.4\n33.4\n33.4\n33.5\n",
        "1,800,900\n2,800,900\n3,800,800\n4,1,1\n5,1,1\n",
        "the quick\nbrown fox\njumps\nover\nthe\nlazy dog\n",
        "10 0.8\n10 0.8\n10 0.8\n10 0.8\n10 0.8\n10 0.8\n",
    ],
)
def test_other_numbers_are_not_taken_for_intervals(text: str) -> None:
    assert not READER.claims(source("numbers.txt", text))


def test_a_wave_whose_samples_lie_where_intervals_do_is_no_list_of_intervals() -> None:
    times = np.arange(600)
    pulse = "".join(f"{700 + 200 * np.sin(n / 12):.0f}\n" for n in times)
    paced = "".join(f"{900 + 60 * np.sin(n * 2 * np.pi / 10):.0f}\n" for n in times)  # six breaths a minute
    assert not READER.claims(source(NAME, pulse))
    assert READER.claims(source(NAME, paced))
