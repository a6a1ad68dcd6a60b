from pathlib import Path

import pytest

from assets.ingest.readers.registry import OWN, reader_of
from assets.ingest.source import file_member, source_of

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
