"""How fast a raw EmbracePlus file of half an hour is read, beside the `avro` package and fastavro.

Run: `python -m benchmarks.ingest_avro [file]`, by default the real one of `MACROMICRO_REAL_DATA` or `../shared/data`.
We give segments, beats and steps of it; the packages give Python's lists of what is in the file, and no more is done
with them. `avro` is timed where it can be imported.
"""

from __future__ import annotations

import resource
from functools import partial
from pathlib import Path

from assets.ingest.readers.base import Context
from assets.ingest.reading import read_dump
from assets.ingest.source import file_member, source_of
from assets.study import Study
from benchmarks._arguments import asking, real_data
from benchmarks._timing import processor_seconds

STUDY = Study.model_validate({"study": {"timezone": "Europe/Berlin"}, "items": {"happy": {}}})


def ours(path: Path) -> None:
    """As the catalogue reads it."""
    read_dump(source_of("P01/a.avro", [file_member(path)]), Context(STUDY, "P01"))


def fastavro(path: Path) -> None:
    """Fastavro's reader."""
    import fastavro as package

    with path.open("rb") as file:
        list(package.reader(file))


def avro(path: Path) -> None:
    """The reader of Apache's own package."""
    from avro.datafile import DataFileReader
    from avro.io import DatumReader

    with path.open("rb") as file, DataFileReader(file, DatumReader()) as reader:
        list(reader)


def main() -> None:
    """Print the table."""
    parser = asking(__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="a raw EmbracePlus file; the real one by default")
    path = parser.parse_args().file or real_data("embraceplus/test_data.avro")
    print(f"EmbracePlus Avro of {path.stat().st_size / 2**20:.1f} MB")
    for name, read in (("macromicro", ours), ("fastavro", fastavro), ("avro", avro)):
        try:
            print(f"  {name:12s} {processor_seconds(partial(read, path)):6.3f} s of processor time")
        except ImportError:
            print(f"  {name:12s} not installed")
        if name == "macromicro":
            print(f"  peak so far {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
