"""Tables of devices without a reader of their own: CSV or Parquet, mapped by `[formats.<name>]` of `study.toml`.

A file belongs to the format whose columns its header all holds (of several the one that names most). It is asked
before every other reader, since a researcher's own words count more than a guess; without a mapping nothing is
claimed. Sampled columns are split at gaps and at cells that are no number; rows without a readable time are counted.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.days import Calendar
from assets.errors import DumpError
from assets.formats import Format
from assets.ingest.encodings import decoded
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.intervals import beats_from_arrivals
from assets.ingest.readers.sampled import contiguous_columns
from assets.ingest.readers.series import point_events
from assets.ingest.readers.set_back import set_back_said
from assets.ingest.readers.starts import told_start, undated
from assets.ingest.readers.text_tables import separator_of
from assets.ingest.readers.written_times import NO_TIME, written_us
from assets.ingest.recording import Events, Recording, Times
from assets.ingest.source import Member, Source
from assets.study import Study

PARQUET = b"PAR1"
_TO_US = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
_LATEST_US = 1 << 52


def _claims(source: Source) -> bool:
    del source
    return False  # only a study's mapping says what such a table is


def _mapped(source: Source, study: Study) -> bool:
    return bool(study.formats) and source.single and _format(source, study.formats) is not None


def read(source: Source, context: Context) -> Recording:
    """Read one table.

    Raises:
        DumpError: it cannot be parsed, nothing dates it, or no row has a time and a value.
    """
    found = _format(source, context.study.formats)
    if found is None:
        message = "no [formats] of study.toml names columns that this table has"
        raise DumpError(message)
    name, form = found
    table = _table(source, form, context)
    times = _times(table[form.time], form, source, context)
    known = times != NO_TIME
    remarks = [f"{(~known).sum()} rows have no readable {form.time}, left out"] if not known.all() else []
    times = times[known]
    values = {column: _numbers(table[column], form)[known] for column in form.signals}
    remarks += [*_unread(table, values, known), *set_back_said(times)]
    signals = [(s.name, s.written_unit) for s in form.signals.values()]
    scaled = [values[c] * s.factor + s.offset for c, s in form.signals.items()]
    segments = (
        contiguous_columns(signals, times, np.stack(scaled, axis=1), rate_hz=form.rate_hz)
        if signals and known.any()
        else []
    )
    events = [_events(kind, table[c].filter(pl.Series(known)), times, form) for c, kind in form.events.items()]
    recording = Recording(segments, [e for e in events if len(e.time_us)], facts={"device": name}, remarks=remarks)
    if recording.empty:
        message = f"no row of this {name} table has a time and a value ({'; '.join(remarks) or 'it has no rows'})"
        raise DumpError(message)
    return recording


def _format(source: Source, formats: Mapping[str, Format]) -> tuple[str, Format] | None:
    """The mapping whose columns are all there; the one that names most."""
    columns: dict[int, frozenset[str]] = {}
    best: tuple[str, Format] | None = None
    for name, form in sorted(formats.items(), key=lambda f: (-len(f[1].columns), f[0])):
        if form.skip_lines not in columns:
            columns[form.skip_lines] = _columns(source, form.skip_lines)
        if best is None and form.columns <= columns[form.skip_lines]:
            best = name, form
    return best


def _columns(source: Source, skip: int) -> frozenset[str]:
    head = source.head()
    if head.startswith(PARQUET):
        return _parquet_columns(source.only)
    if b"\0" in head:
        return frozenset()
    line = _header(head, skip)
    return frozenset(n.strip().strip('"') for n in line.split(separator_of(line)))


def _header(data: bytes, skip: int) -> str:
    lines = decoded(data[:65_536]).splitlines()
    lines = lines[1:] if lines and lines[0].lower().strip('"').startswith("sep=") else lines
    return lines[skip] if len(lines) > skip else ""


def _parquet_columns(member: Member) -> frozenset[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with member.open() as file:
            return frozenset(pq.ParquetFile(file).schema_arrow.names)
    except (pa.ArrowException, OSError, ValueError):
        return frozenset()


def _table(source: Source, form: Format, context: Context) -> pl.DataFrame:
    data = source.only.read(context.most_bytes)
    wanted = sorted(form.columns)
    return _parquet(data, wanted, context) if data.startswith(PARQUET) else _csv(data, wanted, form)


def _parquet(data: bytes, wanted: list[str], context: Context) -> pl.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        groups = (file.metadata.row_group(n).total_byte_size for n in range(file.metadata.num_row_groups))
        if sum(groups) > context.most_bytes:
            message = "the Parquet file would unpack to more than [reading] max_unpacked_mb"
            raise DumpError(message)
        read = file.read(columns=wanted)
        read.validate(full=True)
        table = pl.from_arrow(read)
    except (pa.ArrowException, OSError, ValueError, pl.exceptions.PanicException) as error:
        message = f"the Parquet file is cut or damaged ({type(error).__name__}): copy it again"
        raise DumpError(message) from error
    return table if isinstance(table, pl.DataFrame) else table.to_frame()


def _csv(data: bytes, wanted: list[str], form: Format) -> pl.DataFrame:
    header = _header(data, form.skip_lines)
    separator = separator_of(header)
    names = [n.strip().strip('"') for n in header.split(separator)]
    skip = form.skip_lines + 1 + data.lstrip(b'\xef\xbb\xbf"').lower().startswith(b"sep=")
    schema = {str(n): pl.String() for n in range(len(names))}
    try:
        table = pl.read_csv(
            io.BytesIO(data), has_header=False, skip_rows=skip, schema=schema, separator=separator,
            truncate_ragged_lines=True, encoding="utf8-lossy",
        )  # fmt: skip
    except pl.exceptions.NoDataError:
        table = pl.DataFrame(schema=schema)
    except pl.exceptions.PolarsError as error:
        message = f"the table cannot be parsed ({type(error).__name__}): export it again"
        raise DumpError(message) from error
    return table.select(pl.col(str(names.index(n))).str.strip_chars().alias(n) for n in wanted)


def _times(column: pl.Series, form: Format, source: Source, context: Context) -> Times:
    """UTC µs of each row; `NO_TIME` where a cell is no time."""
    if isinstance(column.dtype, pl.Datetime):
        if column.dtype.time_zone:
            return column.dt.epoch("us").fill_null(NO_TIME).to_numpy().astype(np.int64)
        column = column.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")
    if form.unit == "iso":
        calendar = Calendar((), (form.zone,)) if form.zone else context.calendar
        return written_us(column.cast(pl.String).fill_null(""), calendar)
    numbers, factor = _numbers(column, form), _TO_US[form.unit]
    readable = np.isfinite(numbers) & (np.abs(numbers) < _LATEST_US / factor)
    numbers = np.where(readable, numbers, 0.0)
    whole = np.where(readable, column.cast(pl.Int64, strict=False).fill_null(0).to_numpy(), 0)
    exact = whole // 1000 if form.unit == "ns" else whole * int(factor)
    found = np.where(numbers == whole, exact, np.round(numbers * factor).astype(np.int64))
    if form.relative:
        start = told_start(source, context)
        if start is None:
            what = "this table"
            raise undated(what, source)
        found += start
    return np.where(readable, found, NO_TIME)


def _numbers(column: pl.Series, form: Format) -> NDArray[np.float64]:
    if column.dtype == pl.String and form.decimal == ",":
        column = column.str.replace(",", ".", literal=True)
    return column.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy().astype(np.float64)


def _unread(table: pl.DataFrame, values: Mapping[str, NDArray[np.float64]], known: NDArray[np.bool_]) -> Iterable[str]:
    """Cells that are filled and no number, counted by column."""
    for column, numbers in values.items():
        filled = table[column].is_not_null().to_numpy()
        if table[column].dtype == pl.String:
            filled &= (table[column] != "").fill_null(False).to_numpy()
        count = int((filled[known] & ~np.isfinite(numbers)).sum())
        if count:
            yield f"{column}: {count} cells are no numbers, left out"


def _events(kind: str, column: pl.Series, times: Times, form: Format) -> Events:
    numbers = _numbers(column, form)
    if kind == "beat":
        return beats_from_arrivals(times, numbers)
    if kind == "tag":
        text = column.cast(pl.String).fill_null("").str.to_lowercase()
        set_ = ~text.is_in(["", "0", "0.0", "false", "nan"]).to_numpy()
        found = np.unique(times[set_])
        return Events("tag", found, np.full(len(found), np.nan), np.ones(len(found), np.bool_))
    numbers = np.where(numbers > 0, numbers, np.nan) if kind == "steps" else numbers
    return point_events(kind, times, numbers)


def _depends(study: Study) -> object:
    return {name: form.model_dump(mode="json") for name, form in sorted(study.formats.items())}


READER = Reader("generic", "3", _claims, read, _depends, _mapped)
