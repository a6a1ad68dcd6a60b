"""How fast and in how much memory an Apple Health export is read, from made-up exports of any size.

Run: `python -m benchmarks.apple_health [megabytes] [--zip]` (2,048 by default). The export is generated while it is
read, so nothing is written to disk; with `--zip` it is written as the phone's `export.zip` into a temporary folder
first and read through the same function that the catalogue uses.
"""

from __future__ import annotations

import io
import resource
import tempfile
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast

from assets.ingest.readers.base import Context
from assets.ingest.reading import read_dump
from assets.ingest.source import Member, file_member, source_of
from assets.study import Study
from benchmarks._arguments import asking

STUDY = Study.model_validate({"study": {"timezone": "Europe/Berlin"}, "items": {"happy": {}}})
DEVICE = "&lt;&lt;HKDevice: 0x2800&gt;, name:Apple Watch, manufacturer:Apple Inc., model:Watch, hardware:Watch5,4&gt;"
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE HealthData [
<!ELEMENT HealthData (ExportDate,Me,Record*)>
<!ATTLIST HealthData locale CDATA #REQUIRED>
]>
<HealthData locale="en_IE">
 <ExportDate value="2026-01-31 09:00:00 +0000"/>
"""


def blocks(size: int) -> Iterator[bytes]:
    """An export of about this many bytes: heart rate every five seconds, steps, energy, SDNN with its beats."""
    yield HEAD.encode()
    made, when = 0, datetime(2021, 1, 1, tzinfo=UTC)
    while made < size:
        lines = []
        for n in range(2000):
            when += timedelta(seconds=5)
            kind = ("HeartRate", "HeartRate", "ActiveEnergyBurned", "StepCount")[n % 4]
            stamp = when.strftime("%Y-%m-%d %H:%M:%S +0000")
            end = (when + timedelta(seconds=60)).strftime("%Y-%m-%d %H:%M:%S +0000")
            lines.append(
                f' <Record type="HKQuantityTypeIdentifier{kind}" sourceName="Apple Watch" sourceVersion="7.0" '
                f'device="{DEVICE}" unit="count/min" creationDate="{stamp}" startDate="{stamp}" endDate="{stamp}" '
                f'value="{60 + n % 40}"/>\n'
            )
        beats = "".join(
            f'   <InstantaneousBeatsPerMinute bpm="61" time="{clock:%H:%M:%S}.50"/>\n'
            for clock in (when + timedelta(seconds=n) for n in range(50))
        )
        lines.append(
            f' <Record type="HKQuantityTypeIdentifierHeartRateVariabilitySDNN" sourceName="Apple Watch" unit="ms" '
            f'startDate="{stamp}" endDate="{end}" value="42.5">\n  <HeartRateVariabilityMetadataList>\n{beats}'
            "  </HeartRateVariabilityMetadataList>\n </Record>\n"
        )
        block = "".join(lines).encode()
        made += len(block)
        yield block
    yield b"</HealthData>\n"


class Generated(io.RawIOBase):
    """A file that is made while it is read."""

    def __init__(self, size: int) -> None:
        self._blocks, self._rest = blocks(size), b""

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        while len(self._rest) < size:
            block = next(self._blocks, None)
            if block is None:
                break
            self._rest += block
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


def measure(member: Member, size: int) -> None:
    """Read it once and print what it took."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begun = time.perf_counter()
    _, recording = read_dump(source_of(f"P01/{member.name}", [member]), Context(STUDY, "P01"))
    took = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    counts = {e.kind: len(e.time_us) for e in recording.events}
    print(f"{size / 2**20:,.0f} MB in {took:.1f} s ({size / 2**20 / took:.0f} MB/s), peak {peak:.0f} MB of memory")
    print(f"({before:.0f} MB before it began); events: {counts}")


def main() -> None:
    """Measure one size."""
    parser = asking(__doc__, megabytes=(2048, "how large the export is"))
    parser.add_argument("--zip", action="store_true", help="write the phone's export.zip first")
    told = parser.parse_args()
    size = told.megabytes * 2**20
    if not told.zip:
        measure(Member("export.xml", size, lambda: cast("BinaryIO", Generated(size))), size)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.zip"
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open("apple_health_export/export.xml", "w", force_zip64=True) as file,
        ):
            for block in blocks(size):
                file.write(block)
        print(f"export.zip of {path.stat().st_size / 2**20:.0f} MB")
        measure(file_member(path), size)


if __name__ == "__main__":
    main()
