import warnings
from collections import Counter
from pathlib import Path

import pytest

from assets.errors import DumpError
from assets.ingest.readers.registry import OWN
from tests.assets.ingest.fuzz import case, made_seeds, outcome

CASES = 500


def test_every_reader_reads_its_seed() -> None:
    seeds = made_seeds()
    assert [outcome(s) for s in seeds] == [s.reader for s in seeds]
    assert {r for s in seeds for r in s.reader.split("+")} == {r.name for r in OWN}


def test_whatever_the_damage_a_dump_is_read_or_refused_for_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    seeds, ends = made_seeds(), Counter[str]()
    for number in range(CASES):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ends["read" if outcome(case(seeds, number)) else ""] += 1
        except DumpError as error:
            ends["refused" if str(error).strip() else "without a reason"] += 1
        except Exception as error:
            error.add_note(f"case {number}")
            raise
    assert set(ends) == {"read", "refused"}
    assert min(ends.values()) > CASES / 10
    assert list(tmp_path.iterdir()) == []
