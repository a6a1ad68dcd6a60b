"""Times as people and phones write them, turned into UTC microseconds.

A time with an offset or a zone name means what it says. A local time is read on the participant's own clock; in the
hour that a clock change repeats, the order of the rows decides, and a time that a change skips is moved on by it.
Nothing is guessed silently: a time that cannot be read is None, and readers say how many there were.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from assets.days import Calendar

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})"
_HALF = r"\s*(?P<half>[AaPp]\.?[Mm]\.?(?![A-Za-z]))?"
_CLOCK = r"(?P<H>\d{1,2})[:.](?P<M>\d{2})(?:[:.](?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?" + _HALF
# +2, +02, +0200, +2:00, +02:00:00; a number of minutes or seconds (-300, -18000) is no offset.
_OFFSET = r"(?:UTC|GMT)?\s*(?P<sign>[+-])(?P<oh>\d{1,2})(?:(?::|(?<=\d\d))(?P<om>[0-5]\d)(?::(?P<os>[0-5]\d))?)?"
_ZONE = rf"\s*(?P<zone>Z|z|{_OFFSET}|[A-Za-z]{{2,5}}|[A-Za-z_]+/[A-Za-z_/+-]+)?"
_YEAR_FIRST = re.compile(rf"^{_DATE}(?:[T\s_]+{_CLOCK}{_ZONE})?(?:\[(?P<named>[^\]]+)\])?$")
_COMPACT = re.compile(
    r"^(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})[T_ -]?(?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2})?(?:[.,](?P<f>\d{1,9}))?"
    + _ZONE
    + "$"
)
_DAY_FIRST = re.compile(rf"^(?P<a>\d{{1,2}})[./-](?P<b>\d{{1,2}})[./-](?P<y>\d{{4}})(?:[T\s,]+{_CLOCK}{_ZONE})?$")
_NUMBER = re.compile(r"^(?:\d{9,19}(?:\.\d+)?|\d(?:\.\d+)?[eE]\+?(?:9|1[0-8]))$")
# Abbreviations that mean one offset wherever studies write them (hours); others are refused rather than guessed.
_ABBREVIATIONS = {
    "UTC": 0.0, "GMT": 0.0, "WET": 0.0, "WEST": 1.0, "CET": 1.0, "CEST": 2.0, "MEZ": 1.0, "MESZ": 2.0, "EET": 2.0,
    "EEST": 3.0, "MSK": 3.0, "MSD": 4.0, "BST": 1.0, "EST": -5.0, "EDT": -4.0, "CDT": -5.0, "MST": -7.0, "MDT": -6.0,
    "PST": -8.0, "PDT": -7.0, "AKST": -9.0, "AKDT": -8.0, "HST": -10.0, "JST": 9.0, "KST": 9.0, "AEST": 10.0,
    "AEDT": 11.0, "ACST": 9.5, "AWST": 8.0, "NZST": 12.0, "NZDT": 13.0, "SAST": 2.0,
}  # fmt: skip


def parse(text: str, *, day_first: bool | None = None) -> datetime | int | None:
    """One time as written: a datetime (naive where it names no zone), epoch µs, or None.

    Args:
        text: ISO 8601 and its relatives, `31.01.2026 09:15`, compact `20260131T091500Z`, epoch in s, ms, µs or ns
            (Java writes `1.7698509E9`).
        day_first: how to read `03/04/2026`; None refuses it unless one of the two is above 12.
    """
    return _parse(text.strip().strip("\"'").strip().replace("\u202f", " ").replace("\xa0", " "), day_first)


@lru_cache(maxsize=100_000)
def _parse(text: str, day_first: bool | None) -> datetime | int | None:  # noqa: FBT001 (a cache key)
    if _NUMBER.match(text) and not (len(text) in {12, 14} and text.startswith(("19", "20"))):
        return epoch_us(int(text)) if text.isdecimal() else epoch_us(float(text))
    match = _YEAR_FIRST.match(text) or _COMPACT.match(text)
    if match:
        return _built(match, int(match["m"]), int(match["d"]))
    match = _DAY_FIRST.match(text)
    if not match:
        return None
    a, b = int(match["a"]), int(match["b"])
    if day_first is None and "." not in text[:5]:
        if a <= 12 and b <= 12 and a != b:
            return None
        day_first = a > 12 or a == b
    return _built(match, b, a) if day_first in {True, None} else _built(match, a, b)


def epoch_us(value: float) -> int:
    """An epoch in s, ms, µs or ns, told apart by its size (each is unambiguous from 1973 to 5138)."""
    for limit, factor in ((1e11, 1_000_000), (1e14, 1_000), (1e17, 1)):
        if value < limit:
            return value * factor if isinstance(value, int) else round(value * factor)
    return int(value) // 1000


def _built(match: re.Match[str], month: int, day: int) -> datetime | None:
    part = match.groupdict()
    hour = int(part.get("H") or 0)
    half = (part.get("half") or "").lower()[:1]
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    zone = _zone((part.get("named") or part.get("zone") or "").strip())
    if zone is None:
        return None
    try:
        built = datetime(
            int(match["y"]), month, day, hour, int(part.get("M") or 0), int(part.get("S") or 0), tzinfo=UTC
        )
    except ValueError:
        return None
    micro = int((part.get("f") or "0")[:6].ljust(6, "0"))
    return built.replace(microsecond=micro, tzinfo=zone if isinstance(zone, tzinfo) else None)


def _zone(text: str) -> tzinfo | str | None:
    """A zone, '' where none is named, None where the name is unknown."""
    if not text:
        return ""
    if text in {"Z", "z"}:
        return UTC
    offset = re.fullmatch(_OFFSET, text)
    if offset:
        sign = -1 if offset["sign"] == "-" else 1
        shift = timedelta(hours=int(offset["oh"]), minutes=int(offset["om"] or 0), seconds=int(offset["os"] or 0))
        return timezone(sign * shift) if shift < timedelta(hours=24) else None
    if text.upper() in _ABBREVIATIONS:
        return timezone(timedelta(hours=_ABBREVIATIONS[text.upper()]))
    try:
        return ZoneInfo(text) if "/" in text else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def to_us(moment: datetime | int, calendar: Calendar, *, after_us: int | None = None) -> int:
    """A parsed time as UTC µs; a naive one is on the participant's clock.

    Args:
        moment: what `parse` gave.
        calendar: the participant's days.
        after_us: the time before it in the same list; decides which of two repeated hours is meant (of equal times,
            such as one prompt's items have, the first).
    """
    if isinstance(moment, int):
        return moment
    if moment.tzinfo is None:
        return _local_us(moment, calendar, after_us)
    return _us(moment)


def local_us(moment: datetime, zone: ZoneInfo) -> tuple[int, int]:
    """UTC µs of a wall-clock time in a zone: its first and its second occurrence (equal but for repeated hours)."""
    return _us(moment.replace(tzinfo=zone, fold=0)), _us(moment.replace(tzinfo=zone, fold=1))


def _local_us(moment: datetime, calendar: Calendar, after_us: int | None) -> int:
    zone = calendar.zone(_us(moment.replace(tzinfo=calendar.zone(_us(moment.replace(tzinfo=UTC))))))
    first, second = local_us(moment, zone)
    # In a skipped hour fold 0 applies the offset from before the change, which moves the time on by it.
    return second if second > first and after_us is not None and after_us > first else first


def days_first(texts: Iterable[str]) -> bool | None:
    """How a column writes `03/04/2026`, from the rows where only one reading is a date; None where none says."""
    for text in texts:
        match = _DAY_FIRST.match(text.strip())
        if match and int(match["a"]) > 12:
            return True
        if match and int(match["b"]) > 12:
            return False
    return None


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
