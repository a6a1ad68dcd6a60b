from pathlib import Path

import pytest

from assets.ingest.readers.registry import OWN, reader_of
from assets.ingest.source import file_member, source_of
from tests.assets.ingest.makers import source

HOLTER, RR = "00000000\n4.0 X\n5.0 N\n5.8 N\n", "800\n810\n805\n790\n800\n"


@pytest.mark.real
def test_every_real_recording_is_claimed_by_its_own_reader_and_by_no_other_device(real_data: Path) -> None:
    expected = {
        "fit/*.fit": "garmin_fit", "garmin/*.csv": "garmin_logger", "polar_h10/*.csv": "polar",
        "shimmer/*.csv": "shimmer", "holter/*.txt": "holter", "faros/*.EDF": "edf", "everion/*.csv": "everion",
    }  # fmt: skip
    for pattern, name in expected.items():
        found = [p for p in (real_data / "other").glob(pattern) if "LICENSE" not in p.name]
        assert found, pattern
        for path in found:
            dump = source_of(f"P01/{path.name}", [file_member(path)])
            assert reader_of(dump).name == name, path.name
            # Any table with a time might hold self-reports; their reader is asked after those of devices.
            assert {r.name for r in OWN if r.claims(dump)} <= {name, "self_reports"}, path.name


@pytest.mark.parametrize(("text", "name"), [(HOLTER, "holter"), (RR, "rr_text")])
def test_a_wrong_name_misleads_nobody(tmp_path: Path, text: str, name: str) -> None:
    path = tmp_path / "self_reports.csv"
    path.write_text(text)
    assert reader_of(source_of("P01/x", [file_member(path)])).name == name


POLAR = {
    "ecg": "Phone timestamp;sensor timestamp [ns];timestamp [ms];ecg [uV]\n"
    + "".join(f"2026-01-31T09:15:{n:02d}.000;{10**18 + n * 10**9};{n}.5;-20\n" for n in range(40)),
    "gyro": "Phone timestamp;X [dps];Y [dps];Z [dps]\n"
    + "".join(f"2026-01-31T09:15:{n:02d}.000;1.5;-2;{n}\n" for n in range(40)),
}
GARMIN = "".join(f"2026-01-31T09:15:{n:02d}.000;-36;620;{n}\n" for n in range(40))


@pytest.mark.parametrize(("text", "name"), [*((t, "polar") for t in POLAR.values()), (GARMIN, "garmin_logger")])
def test_a_header_tells_a_polar_s_three_numbers_from_those_of_a_garmin_logger(text: str, name: str) -> None:
    assert reader_of(source("data.csv", text)).name == name
