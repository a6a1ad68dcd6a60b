"""Apple Health: `export.xml`, alone or in the `export.zip` that the phone writes, read as a stream of any length.

Read are heart rate, SDNN with the beats under it, steps, oxygen, breathing, wrist temperature and sleep; resting
heart rate and activity rings become daily values. The wearer's name, birth date and sex, workouts and their routes
are never looked at. Beats carry a time of day only, in whatever form the phone's language has: their place is the
record they lie in, and a clock that is whole quarters of an hour off (another zone) is no matter.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np

from assets.days import SECOND_US, Calendar
from assets.errors import DumpError
from assets.ingest.overlap import Covered
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.gathered import ASLEEP, AWAKE, DEEP, IN_BED, LIGHT, REM, Gathered, as_number
from assets.ingest.readers.safe_xml import stream_elements
from assets.ingest.readers.series import plausible_rr
from assets.ingest.recording import Events, Recording
from assets.ingest.source import Source
from assets.ingest.times import parse, to_us

_QUANTITY = "HKQuantityTypeIdentifier"
# type: kind of event, factor to its unit
_POINTS: Mapping[str, tuple[str, float]] = {
    f"{_QUANTITY}HeartRate": ("hr", 1.0),
    f"{_QUANTITY}HeartRateVariabilitySDNN": ("sdnn", 1.0),
    f"{_QUANTITY}StepCount": ("steps", 1.0),
    f"{_QUANTITY}OxygenSaturation": ("spo2", 100.0),
    f"{_QUANTITY}RespiratoryRate": ("respiration", 1.0),
    f"{_QUANTITY}AppleSleepingWristTemperature": ("wrist_temp", 1.0),
    f"{_QUANTITY}BodyTemperature": ("body_temp", 1.0),
}
_DAILY = {
    f"{_QUANTITY}RestingHeartRate": "resting_hr_bpm",
    f"{_QUANTITY}WalkingHeartRateAverage": "walking_hr_bpm",
    f"{_QUANTITY}VO2Max": "vo2max",
}
_SLEEP = "HKCategoryTypeIdentifierSleepAnalysis"
_STAGES = {
    "InBed": IN_BED, "Asleep": ASLEEP, "AsleepUnspecified": ASLEEP, "AsleepCore": LIGHT, "AsleepDeep": DEEP,
    "AsleepREM": REM, "Awake": AWAKE,
}  # fmt: skip
_NAMES = {LIGHT: "light", DEEP: "deep", REM: "rem", ASLEEP: "unspecified"}
_SUMMARY = ("activeEnergyBurned", "appleMoveTime", "appleExerciseTime", "appleStandHours")
_CLOCK = re.compile(r"(\d{1,2})\D(\d{2})\D(\d{2})(?:[.,](\d{1,3}))?")
_QUARTER_S, _HALF_DAY_S = 900.0, 43_200.0
_NIGHT_GAP_US = 3 * 3600 * SECOND_US
_LONGEST_SAMPLE_S = 900.0
_SHOWN = 5
_PREFIX = re.compile(r"^HK\w+?TypeIdentifier")


@dataclass
class _Export:
    """What has been seen so far; numbers in compact arrays, since an export may hold many millions of records."""

    calendar: Calendar
    times: dict[str, array[int]] = field(default_factory=lambda: defaultdict(lambda: array("q")))
    values: dict[str, array[float]] = field(default_factory=lambda: defaultdict(lambda: array("d")))
    sleep: dict[str, list[tuple[int, int, float]]] = field(default_factory=lambda: defaultdict(list))
    beats: tuple[array[int], array[float], array[int]] = field(
        default_factory=lambda: (array("q"), array("d"), array("b"))
    )
    others: Counter[str] = field(default_factory=Counter)
    collected: Gathered = field(default_factory=Gathered)
    # of the SDNN record that is open: its start and end (UTC µs), and the clock and rate of each beat
    sample: tuple[int, int] | None = None
    listed: list[tuple[str, str]] = field(default_factory=list)
    _midnights: dict[str, int] = field(default_factory=dict)

    def start(self, name: str, told: dict[str, str]) -> None:
        """Take one element in."""
        if name == "Record":
            self.finish()
            self._record(told)
        elif name == "InstantaneousBeatsPerMinute":
            self.listed.append((told.get("time", ""), told.get("bpm", "")))
        elif name == "ActivitySummary":
            self._summary(told)

    def finish(self) -> None:
        """Close the SDNN record that is open: its beats have all been seen."""
        if self.sample is not None and self.listed:
            self._place(*self.sample)
        self.sample = None
        self.listed.clear()

    def _record(self, told: Mapping[str, str]) -> None:
        kind = told.get("type", "")
        if kind in _POINTS:
            self._point(told, *_POINTS[kind])
        elif kind == _SLEEP:
            code = _STAGES.get(told.get("value", "").removeprefix("HKCategoryValueSleepAnalysis"))
            start, end = self._us(told.get("startDate", "")), self._us(told.get("endDate", ""))
            if code is None or start is None or end is None:
                self.collected.told["sleep records of an unknown kind or time"] += 1
            else:
                self.sleep[told.get("sourceName", "")].append((start, end, code))
        elif kind in _DAILY:
            when = self._us(told.get("startDate", ""))
            if when is not None:
                self.collected.day(self.calendar.day(when), _DAILY[kind], told.get("value"))
        else:
            self.others[kind] += 1

    def _point(self, told: Mapping[str, str], kind: str, factor: float) -> None:
        when, value = self._us(told.get("startDate", "")), as_number(told.get("value"))
        if when is None or not np.isfinite(value):
            self.collected.told[f"{kind} records without a readable time or number"] += 1
            return
        if kind == "steps" and "Watch" not in told.get("device", "") + told.get("sourceName", ""):
            kind = "steps_phone"
        elif kind == "sdnn":
            self.sample = when, self._us(told.get("endDate", "")) or when
        elif told.get("unit") == "degF":
            value = (value - 32) / 1.8
        self.times[kind].append(when)
        self.values[kind].append(value * factor)

    def _summary(self, told: Mapping[str, str]) -> None:
        found = parse(told.get("dateComponents", ""))
        if isinstance(found, datetime):
            for key in _SUMMARY:
                self.collected.day(found.date(), re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower(), told.get(key))

    def _place(self, start_us: int, end_us: int) -> None:
        """Beats onto the time of their record: the first at the quarter of an hour nearest its start."""
        clocks, rates = [], []
        for text, bpm in self.listed:
            match, rate = _CLOCK.search(text), as_number(bpm)
            if match and rate > 0:
                hundredths = float(f"0.{match[4] or 0}")
                clocks.append(int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3]) + hundredths)
                rates.append(rate)
        self.collected.told["beats without a readable time of day"] += len(self.listed) - len(clocks)
        if not clocks:
            return
        start_s = start_us / 1e6
        first = (clocks[0] - start_s + _QUARTER_S / 2) % _QUARTER_S - _QUARTER_S / 2
        since = (np.array(clocks) - clocks[0]) % _HALF_DAY_S
        lasted = (end_us - start_us) / 1e6
        if not -2 <= first <= lasted + 2 or since.max() > _LONGEST_SAMPLE_S or (np.diff(since) <= 0).any():
            self.collected.told["beats that do not lie in their record"] += len(clocks)
            return
        expected = 60_000 / np.array(rates)
        apart = np.diff(since, prepend=0.0) * 1e3
        rr = np.where(np.arange(len(rates)) > 0, apart, expected)
        follows = apart < 1.5 * np.maximum(expected, np.r_[0.0, expected[:-1]])
        valid = plausible_rr(rr) & follows
        valid[0] = False
        times, values, flags = self.beats
        times.extend((start_us + np.round((first + since) * 1e6).astype(np.int64)).tolist())
        values.extend(rr.tolist())
        flags.extend(valid.astype(int).tolist())

    def _us(self, text: str) -> int | None:
        """`2026-01-31 09:15:00 +0100` as UTC µs, quickly; other forms by the general way."""
        key = text[:11] + text[19:]
        midnight = self._midnights.get(key)
        if midnight is None:
            try:
                day = datetime.strptime(key, "%Y-%m-%d  %z").astimezone(UTC)
                midnight = round(day.timestamp()) * SECOND_US
            except ValueError:
                found = parse(text)
                return None if found is None else to_us(found, self.calendar)
            if len(self._midnights) < 100_000:
                self._midnights[key] = midnight
        try:
            seconds = int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])
        except ValueError:
            return None
        return midnight + seconds * SECOND_US


def _claims(source: Source) -> bool:
    head = source.head() if source.single else b""
    return (
        head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")
        and re.search(rb"<(?:!DOCTYPE )?HealthData\b", head) is not None
    )


def read(source: Source, context: Context) -> Recording:
    """Read one export.

    Raises:
        DumpError: it is no XML, declares entities, or is nobody's.
    """
    export = _Export(context.calendar)
    with source.only.open() as file:
        damaged = stream_elements(file, export.start)
    export.finish()
    for kind in list(export.times):
        export.collected.points(kind, np.array(export.times.pop(kind)), np.array(export.values.pop(kind)))
    _sleep(export)
    remarks = [f"{damaged} damaged places in its XML skipped, or its end is missing"] if damaged else []
    if export.others:
        most = export.others.most_common(_SHOWN)
        shown = ", ".join(f"{re.sub(_PREFIX, '', name)[:60]} ({count})" for name, count in most)
        more = len(export.others) - _SHOWN
        remarks.append(f"types of records not used: {shown}" + (f" and {more} more" if more > 0 else ""))
    recording = export.collected.recording(context, "Apple Health", remarks)
    beats = _beats(export)
    if recording.empty and damaged and not len(beats.time_us):
        message = "its XML is damaged before its first record: export it again"
        raise DumpError(message)
    events = [*recording.events, beats] if len(beats.time_us) else recording.events
    return Recording(events=events, daily=recording.daily, facts=recording.facts, remarks=recording.remarks)


def _beats(export: _Export) -> Events:
    times, values, valid = (np.array(a) for a in export.beats)
    order = np.argsort(times, kind="stable")
    times, first = np.unique(times[order].astype(np.int64), return_index=True)
    return Events("beat", times, values[order][first].astype(np.float64), valid[order][first].astype(np.bool_))


def _sleep(export: _Export) -> None:
    """One line of stages out of those of several apps: the one with the most sleep counts, others fill its holes."""
    stages = sorted(_once(export.sleep))
    if not stages:
        return
    export.collected.sleep(stages)
    ends = np.maximum.accumulate(np.array([end for _, end, _ in stages]))
    starts = np.array([start for start, _, _ in stages])
    nights = np.r_[0, np.flatnonzero(starts[1:] - ends[:-1] > _NIGHT_GAP_US) + 1, len(stages)]
    for a, b in pairwise(nights):
        woken = export.calendar.day(int(ends[b - 1]))
        for start, end, code in stages[a:b]:
            if code in _NAMES:
                minutes = (end - start) / 6e7
                export.collected.day(woken, "sleep_minutes_asleep", minutes, add=True)
                export.collected.day(woken, f"sleep_minutes_{_NAMES[code]}", minutes, add=True)


def _once(by_source: Mapping[str, list[tuple[int, int, float]]]) -> Iterator[tuple[int, int, float]]:
    asleep = {n: sum(e - s for s, e, c in rows if c not in {IN_BED, AWAKE}) for n, rows in by_source.items()}
    covered = Covered()
    for in_bed in (False, True):
        for name in sorted(by_source, key=lambda n: (-asleep[n], n)):
            for start, end, code in sorted(by_source[name]):
                if (code == IN_BED) == in_bed and end > start:
                    yield from ((s, e, code) for s, e in list(covered.free(start, end)))
                    covered.take(start, end)


READER = Reader("apple_health", "1", _claims, read)
