"""Polar H10, OH1 and Verity through logger apps: ECG, RR, PPI, acceleration, heart rate as text.

Polar Sensor Logger writes one file per stream (`Phone timestamp;sensor timestamp [ns];ecg [uV]`), Sensor Logger and
its conversions one table (`time,ecg,hr,rr`, times in ns). Samples lie on the sensor's own clock where the file has
it; that clock is put where the fastest packets say, and again after each jump of it. The rate is the real one
(130.16 Hz, not 130). RR intervals come in packets, so beats are their running sum. A PPI interval is valid where the
sensor had contact, did not see the arm move (blocker) and gives an error of at most 30 ms.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.errors import DumpError
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.intervals import beats_from_arrivals
from assets.ingest.readers.sampled import contiguous_columns, series
from assets.ingest.readers.set_back import set_back_said
from assets.ingest.readers.text_columns import text_columns
from assets.ingest.readers.text_tables import header, plain, separator_of
from assets.ingest.readers.written_times import NO_TIME, without_strays, written_us
from assets.ingest.recording import Events, Recording, Segment, Times
from assets.ingest.source import Source
from assets.ingest.times import epoch_us

_CONTACT_ERROR_MS = 30.0
_MICROVOLTS = 50.0
_MOST_MV = 1000.0
_MOST = 1e19
_JUMP_US = 5_000_000
_LASTING_US = 10_000_000
_TIMES = {"phonetimestamp": "phone", "time": "time", "sensortimestampns": "sensor"}
_COLUMNS: Mapping[str, str] = {
    "ecg": "ecg", "ecguv": "ecg_uv", "ecgmv": "ecg_mv", "rr": "rr", "rrms": "rr", "rrintervalms": "rr",
    "rrinterval": "rr",
    "ppintervalms": "ppi", "ppinterval": "ppi", "ppi": "ppi", "errorestimatems": "error", "errorestimate": "error",
    "blocker": "blocker", "contact": "contact", "skincontact": "contact", "contactsupported": "supported", "hr": "hr",
    "hrbpm": "hr", "heartrate": "hr", "xmg": "acc_x", "ymg": "acc_y", "zmg": "acc_z", "xdps": "gyro_x",
    "ydps": "gyro_y", "zdps": "gyro_z",
}  # fmt: skip
_OWN = {"ecg", "ecg_uv", "ecg_mv", "rr", "ppi", "acc_x", "gyro_x"}
_GIVES_HR = {"phone", "hr"}
_PHONE_LIKE = re.compile(rb"^\s*\"?\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}")
_EPOCH_LIKE = re.compile(rb"^\s*\"?\d{13,19}(\.\d+)?\"?\s*[;,\t]")


def _names(found: tuple[str, ...]) -> list[str]:
    """Our names of the columns: times, known ones, and '' for others; a name that comes again counts once."""
    ours = [_TIMES.get(plain(n)) or _COLUMNS.get(plain(n)) or "" for n in found]
    if ours.count("contact") == 2:  # "contact" twice: whether the sensor can tell, and what it tells
        ours[len(ours) - 1 - ours[::-1].index("contact")] = "supported"
    return [n if n not in ours[:i] else "" for i, n in enumerate(ours)]


def _claims(source: Source) -> bool:
    head = source.head() if source.single else b""
    ours = set(_names(header(head)))
    if not (ours & _OWN or ours >= _GIVES_HR) or not ours & {"phone", "time"}:
        return False
    first = head.split(b"\n", 2)[1:2]
    return bool(first) and bool((_PHONE_LIKE if "phone" in ours else _EPOCH_LIKE).match(first[0]))


def read(source: Source, context: Context) -> Recording:
    """Read one file.

    Raises:
        DumpError: no row of it has a time and a value.
    """
    table, arrivals, said = _table(source.only.read(context.most_bytes), context)
    times, jumped = _sensor_times(table, arrivals)
    stamped = times != NO_TIME
    samples, times = table.filter(stamped), times[stamped]
    segments: list[Segment] = [*_ecg(samples, times), *_moved(samples, times)]
    events = [e for e in (_rr(table, arrivals), _ppi(table, arrivals)) if len(e.time_us)]
    rate = _column(table, "hr")
    known = (rate > 0) & (rate < 300)
    sampled, points = series("hr", "bpm", arrivals[known], rate[known])
    segments += sampled
    events += points
    if not segments and not events:
        message = "a Polar recording without a single value: the sensor had no contact, or the copy was cut off"
        raise DumpError(message)
    return Recording(segments, events, facts={"device": "Polar"}, remarks=[*said, *jumped, *set_back_said(times)])


def _table(data: bytes, context: Context) -> tuple[pl.DataFrame, Times, list[str]]:
    """Rows with a time, as numbers under our names, with the time that each arrived."""
    end = data.find(b"\n") + 1
    first = data[:end].decode("utf-8-sig", "replace").strip()
    names = _names(header(data[:end]))
    body = data[end : data.rfind(b"\n") + 1]
    if not body.strip():
        message = "a Polar recording of which only the header arrived: copy it again"
        raise DumpError(message)
    unique = [n or f"other_{i}" for i, n in enumerate(names)]
    types = {n: _type(n) for n in unique if n != "phone" and not n.startswith("other_")}
    table = text_columns(body, unique, separator_of(first), types)
    clock = "phone" if "phone" in unique else "time"
    arrivals = written_us(table[clock], context.calendar) if clock == "phone" else _epochs(table[clock])
    good = arrivals != NO_TIME
    bad = int((~good).sum())
    numbers = [n for n in unique if n not in {"phone", "time"} and not n.startswith("other_")]
    whole = [pl.col(n).cast(_type(n), strict=False) for n in numbers]
    said = [f"{bad} of {len(good)} lines without a readable time, left out"] if bad else []
    return table.select(whole).filter(good), arrivals[good], said


def _type(name: str) -> pl.DataType:
    """Times are whole numbers of ns, which a float does not hold."""
    return pl.Int64() if name in {"time", "sensor"} else pl.Float64()


def _epochs(texts: pl.Series) -> Times:
    """Epochs in s, ms, µs or ns as UTC µs, without passing whole ones through a float."""
    whole = texts.cast(pl.Int64(), strict=False)
    if whole.null_count() < len(whole):
        told = whole.fill_null(-1).to_numpy()
        sizes = [told < 0, told < 10**11, told < 10**14, told < 10**17]
        found = np.select(sizes, [np.full(len(told), NO_TIME), told * 1_000_000, told * 1000, told], told // 1000)
    else:
        parts = texts.cast(pl.Float64(), strict=False).to_list()
        found = np.array([NO_TIME if v is None or not 0 <= v < _MOST else int(epoch_us(v)) for v in parts], np.int64)
    return without_strays(found)


def _column(table: pl.DataFrame, name: str) -> NDArray[np.float64]:
    """A column's numbers, NaN where there is none."""
    if name not in table.columns:
        return np.full(table.height, np.nan)
    return table[name].fill_null(float("nan")).to_numpy().astype(np.float64)


def _sensor_times(table: pl.DataFrame, arrivals: Times) -> tuple[Times, list[str]]:
    """The sensor's own times, moved to where the fastest packets arrived; arrivals where it has none.

    A row whose stamp is missing or wrong has `NO_TIME`.
    """
    if "sensor" not in table.columns or table["sensor"].null_count() == table.height:
        return arrivals, []
    told = np.flatnonzero(table["sensor"].is_not_null().to_numpy())
    own = table["sensor"].drop_nulls().to_numpy() // 1000
    late = arrivals[told] - own
    pieces, starts = _pieces(own, late)
    times = np.full(len(arrivals), NO_TIME)
    anchors = [int(late[pieces == n].min()) for n in range(len(starts))]
    kept = pieces >= 0
    times[told[kept]] = own[kept] + np.array(anchors, np.int64)[pieces[kept]]
    bad = len(times) - int(kept.sum())
    said = [f"{bad} of {len(times)} lines without a usable time of the sensor, left out"] if bad else []
    moves = np.diff(anchors) / -1e6
    if len(moves):
        most = moves[np.argmax(np.abs(moves))]
        said.append(
            f"the sensor's clock jumped {len(moves)} times against the phone's, by up to {most:+.0f} s: put anew"
        )
    return times, said


def _pieces(own: Times, late: Times) -> tuple[NDArray[np.int64], list[int]]:
    """Which anchor each stamp has, and the stamps at which a new one begins; −1 for stamps that are wrong.

    The delay of a packet is never negative and does not last: what is lower than before, or stays higher, is a jump
    of the clock. One that is over within seconds is a wrong stamp; so is one that steps back.

    Args:
        own: the sensor's stamps in µs, (stamps,).
        late: by how much each arrived later than that, (stamps,).
    """
    pieces = np.zeros(len(own), np.int64)
    starts: list[int] = []
    level = 0
    edges = np.flatnonzero(np.abs(np.diff(late)) > _JUMP_US) + 1
    first, end = np.r_[0, edges], np.r_[edges, len(own)]
    spans = own[end - 1] - own[first]
    lasts = spans >= min(_LASTING_US, int(spans.max()))
    for a, b, lasting in zip(first.tolist(), end.tolist(), lasts.tolist(), strict=True):
        low = int(late[a:b].min())
        if not starts or (abs(low - level) > _JUMP_US and lasting):
            starts.append(a)
            level = low
        elif abs(low - level) > _JUMP_US and (low < level or own[a] < own[a - 1]):
            pieces[a:b] = -1
            continue
        pieces[a:b] = len(starts) - 1
    return pieces, starts


def _ecg(table: pl.DataFrame, times: Times) -> list[Segment]:
    """ECG in mV; a column that does not name its unit is in µV where it holds large whole numbers."""
    name = next((n for n in ("ecg_uv", "ecg_mv", "ecg") if n in table.columns), "")
    values = _column(table, name)
    present = np.isfinite(values)
    if not present.any():
        return []
    values = values[present]
    micro = name == "ecg_uv" or (name == "ecg" and bool(np.percentile(np.abs(values), 95) > _MICROVOLTS))
    values = values / 1000 if micro else values
    values[np.abs(values) > _MOST_MV] = np.nan
    return contiguous_columns([("ecg", "mV")], times[present], values[:, None])


def _moved(table: pl.DataFrame, times: Times) -> list[Segment]:
    found = []
    for kind, unit, factor, most in (("acc", "g", 1 / 1000, 32.0), ("gyro", "°/s", 1.0, 5000.0)):
        names = [f"{kind}_{axis}" for axis in "xyz" if f"{kind}_{axis}" in table.columns]
        if names:
            values = np.column_stack([_column(table, n) for n in names]) * factor
            values[np.abs(values) > most] = np.nan
            present = np.isfinite(values).any(axis=1)
            found += contiguous_columns([(n, unit) for n in names], times[present], values[present])
    return found


def _rr(table: pl.DataFrame, arrivals: Times) -> Events:
    intervals = _column(table, "rr")
    present = np.isfinite(intervals)
    values = intervals[present]
    in_seconds = len(values) and float(np.median(values)) < 10
    return beats_from_arrivals(arrivals[present], values * 1000 if in_seconds else values)


def _ppi(table: pl.DataFrame, arrivals: Times) -> Events:
    """Pulse intervals with what the sensor thinks of each."""
    intervals, error = _column(table, "ppi"), _column(table, "error")
    blocked, contact, told = _column(table, "blocker"), _column(table, "contact"), _column(table, "supported")
    present = np.isfinite(intervals)
    sure = ~(error > _CONTACT_ERROR_MS) & ~(blocked > 0) & ~((contact == 0) & ~(told == 0))
    return beats_from_arrivals(arrivals[present], intervals[present], sure[present])


READER = Reader("polar", "3", _claims, read)
