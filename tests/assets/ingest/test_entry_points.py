import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from assets.ingest import catalogue as catalogue_module
from assets.ingest.catalogue import catalogue
from assets.ingest.entries import load
from assets.ingest.readers.registry import ENTRY_POINTS, OWN, readers
from assets.study import Home, Study
from tests.assets.ingest.makers import put, unguarded

PACKAGE = """
import numpy as np

from assets.errors import DumpError
from assets.ingest.readers.base import Reader
from assets.ingest.recording import Recording, Segment


def read(source, context):
    values = [float(line) for line in source.only.read(context.most_bytes).split()[2:]]
    if not values:
        raise DumpError("a ring recording without a value")
    start = int(source.only.head().split()[1])
    return Recording([Segment("eda", "µS", start, 4.0, np.array(values, np.float32))], facts={"device": "ring"})


READER = Reader("ring", "1", lambda source: source.head().startswith(b"RING"), read)
NO_READER = "a name that leads elsewhere"
"""


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package of somebody else, installed as pip leaves it: a module and its metadata."""
    site = tmp_path / "site"
    put(site / "ring_reader.py", PACKAGE)
    info = site / "ring_reader-0.1.dist-info"
    put(info / "METADATA", "Metadata-Version: 2.1\nName: ring-reader\nVersion: 0.1\n")
    lines = "ring = ring_reader:READER\nzother = ring_reader:NO_READER\n"
    put(info / "entry_points.txt", f"[{ENTRY_POINTS}]\n{lines}")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(catalogue_module, "isolated", unguarded)
    readers.cache_clear()
    yield
    readers.cache_clear()
    sys.modules.pop("ring_reader", None)


@pytest.mark.usefixtures("ring")
def test_a_reader_of_another_installed_package_reads_and_refuses(home: Home, study: Study) -> None:
    put(home.inbox / "P01/night.ring", "RING 1769850900000000 0.25 0.5 0.75")
    put(home.inbox / "P01/none.ring", "RING 1769850900000000")
    catalogue(home, study, quiet=True)
    read, refused = load(home)
    assert (read.state, read.reader, read.first_us) == ("read", "ring", 1_769_850_900_000_000)
    assert (refused.state, refused.reason) == ("quarantined", "a ring recording without a value")
    assert [r.name for r in readers()] == ["ring", *(r.name for r in OWN)]


def test_without_the_package_its_files_are_refused_and_with_it_read_again(
    home: Home, study: Study, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_module, "isolated", unguarded)
    put(home.inbox / "P01/night.ring", "RING 1769850900000000 0.25 0.5 0.75")
    catalogue(home, study, quiet=True)
    assert "no reader knows this format" in str(load(home)[0].reason)
    request.getfixturevalue("ring")
    catalogue(home, study, quiet=True)
    assert [(e.state, e.reader) for e in load(home)] == [("read", "ring")]
