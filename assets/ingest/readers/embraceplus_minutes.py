"""EmbracePlus digital biomarkers: one CSV a day and measure, a value a minute, with the reason where there is none.

`timestamp_unix, timestamp_iso, participant_full_id, <value>, missing_value_reason`. A minute without a value is a gap;
the reasons are counted in a remark. Signals end in `_minute`, so that they never stand in for the raw signals of the
same name, which begin and end elsewhere. The vendor's participant id is no study code and is dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from assets.errors import DumpError
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.sampled import contiguous
from assets.ingest.readers.text_tables import TextTable, header, parse_table
from assets.ingest.recording import Recording, Segment, Times
from assets.ingest.source import Source
from assets.ingest.times import epoch_us

TIME, PERSON, REASON = "timestamp_unix", "participant_full_id", "missing_value_reason"
_KEYS = {TIME, "timestamp_iso", PERSON, REASON}
_RATE_HZ = 1 / 60
# column: signal, unit
_MEASURES: Mapping[str, tuple[str, str]] = {
    "eda_scl_usiemens": ("eda_minute", "µS"),
    "temperature_celsius": ("temp_minute", "°C"),
    "pulse_rate_bpm": ("hr_minute", "bpm"),
    "prv_rmssd_ms": ("rmssd_minute", "ms"),
    "respiratory_rate_brpm": ("respiration_rate_minute", "1/min"),
    "accelerometers_std_g": ("acc_std_minute", "g"),
    "activity_counts": ("activity_counts_minute", "count"),
    "step_counts": ("steps_minute", "count"),
    "met": ("met_minute", "MET"),
    "wearing_detection_percentage": ("worn_minute", "%"),
    "sleep_detection_stage": ("sleep_stage_minute", "class"),
}
_WORDS = {
    "still": 0.0, "walking": 1.0, "running": 2.0, "generic": 3.0,
    "sedentary": 0.0, "lpa": 1.0, "mpa": 2.0, "vpa": 3.0,
}  # fmt: skip


def _claims(source: Source) -> bool:
    return source.single and {TIME, PERSON} <= set(header(source.head()))


def read(source: Source, context: Context) -> Recording:
    """Read one day of one measure.

    Raises:
        DumpError: no minute has a value; the message counts the reasons.
    """
    table = parse_table(source.only.read(context.most_bytes))
    times, known = _times(table.column(table.names.index(TIME)))
    segments: list[Segment] = []
    unread = Counter[str]()
    for n, name in enumerate(table.names):
        if name in _KEYS or not name:
            continue
        values, unread[name] = _values(table.column(n))
        signal, unit = _MEASURES.get(name, (f"{name[:40]}_minute", "class" if name.startswith("activity_") else "a.u."))
        segments += contiguous(signal, unit, times[known], values[known], rate_hz=_RATE_HZ)
    remarks = _remarks(table, unread, int((~known).sum()))
    if not segments:
        message = f"no minute of this EmbracePlus table has a value ({'; '.join(remarks) or 'no rows'})"
        raise DumpError(message)
    return Recording(segments, facts={"device": "Empatica EmbracePlus"}, remarks=remarks)


def _times(texts: Sequence[str]) -> tuple[Times, NDArray[np.bool_]]:
    times, known = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.bool_)
    for n, text in enumerate(texts):
        if text.replace(".", "", 1).isdecimal() and len(text) < 20:
            times[n], known[n] = epoch_us(float(text) if "." in text else int(text)), True
    return times, known


def _values(texts: Sequence[str]) -> tuple[NDArray[np.float64], int]:
    """Numbers with NaN where there is none, and how many texts are neither a number nor a known word."""
    values, unread = np.full(len(texts), np.nan), 0
    for n, text in enumerate(texts):
        lower = text.lower()
        if lower in {"", "nan", "na", "none", "null"}:
            continue
        try:
            values[n] = _WORDS[lower] if lower in _WORDS else float(text)
        except ValueError:
            unread += 1
    values[np.abs(values) > 1e9] = np.nan
    return values, unread


def _remarks(table: TextTable, unread: Mapping[str, int], undated: int) -> list[str]:
    reasons: Counter[str] = Counter()
    if REASON in table.names:
        reasons.update(r for r in table.column(table.names.index(REASON)) if r)
    said = [f"{count} minutes without a value: {reason[:40]}" for reason, count in reasons.most_common(5)]
    said += [f"{name}: {count} values are no numbers" for name, count in unread.items() if count]
    said += [f"{undated} rows have no readable timestamp_unix"] if undated else []
    return said + ([f"{table.ragged} rows do not fit the header, left out"] if table.ragged else [])


READER = Reader("embraceplus_minutes", "2", _claims, read)
