"""The frame that the registered model is asked with, and what comes back.

A row asks about one participant at one time and brings its own past: `past_age_h` (hours before, oldest first) and
`past_<item>` (the answers, NaN where an item was not answered), beside any of the feature columns of
`models/cohort.py`. Of those, what is left out counts as missing; other columns are not read. With `nightly` true it
asks as a nightly batch does: from earlier days' answers and `yesterday` alone, and with intervals that fit that. So a
prediction needs no lake, and depends on nothing but its own row. What is answered is long, rows in the order asked,
items in theirs: `OUTPUT`, then, where `why` is asked, `why.<part>`: what each modality, the person's `history` and the
`person`'s own parameters moved the estimate by, in scale units. MLflow's side of it is `models/pyfunc.py`, that of
polars `models/tables.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from numbers import Real
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.cohort import Cohort, Floats, Ints, Item, Mask, feature_columns, modalities_of
from models.errors import CohortError

HOUR_US = 3_600_000_000
WEST_H, EAST_H = -13.0, 15.0  # an hour beyond the zones furthest from UTC: clocks may be told in whole hours
DAY_H, CLOCK_CHANGE_H = 24.0, 1.0
ISO = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?"
LONGEST_H, LATEST_US = 1e6, 4_102_444_800_000_000  # more than a century back, until the year 2100
NUMBERS = (Real, Decimal, np.bool_)
NO_NUMBERS = (TypeError, ValueError, ArithmeticError)  # what making numbers of something else ends in
ASKED = ("participant", "time_us", "day", "local_hour", "past_age_h")
OUTPUT = {
    "participant": str,
    "time_us": int,
    "item": str,
    "value": float,
    "low": float,
    "high": float,
    "known_person": bool,
}
WHY = "why."  # before the name of a part, in the columns that say what it moved the estimate by


class Estimates(Protocol):
    """What a model says of some rows, each (rows, items) in scale units."""

    @property
    def value(self) -> Floats:
        """The estimates."""

    @property
    def low(self) -> Floats:
        """Lower ends of the intervals."""

    @property
    def high(self) -> Floats:
        """Upper ends of the intervals."""


class Explained(Estimates, Protocol):
    """… and by what they were moved."""

    @property
    def moved(self) -> Mapping[str, Floats]:
        """What each part of what is known moves the estimates by, each (rows, items); empty where nobody asked."""


class Predictor(Protocol):
    """What a fitted model must offer to be served."""

    @property
    def items(self) -> Sequence[Item]:
        """The items it predicts, in order."""

    @property
    def features(self) -> Mapping[str, Sequence[str]]:
        """The features it was fitted with, by modality."""

    @property
    def participants(self) -> Sequence[str]:
        """Everyone it has parameters of."""

    def predict(self, cohort: Cohort, rows: Ints, *, nightly: bool = False, why: bool = False) -> Explained:
        """Predict some rows of a cohort from what lies before each, and `why`."""


def parts(features: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """What may contribute to an estimate: each modality, the person's answers, the person's own parameters."""
    return (*features, "history", "person")


def past_columns(items: Sequence[Item]) -> list[str]:
    """The columns that bring past answers."""
    return [f"past_{i.name}" for i in items]


def needed(items: Sequence[Item]) -> list[str]:
    """The columns that must be there."""
    return [*ASKED, *past_columns(items)]


def columns(items: Sequence[Item], features: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """Every column that is read."""
    return frozenset([*needed(items), "nightly", *feature_columns(features)])


def unread(names: Iterable[object], read: frozenset[str]) -> list[str]:
    """Columns that are not `read` and may be misspelt; that shares of stretches stand beside features is known."""
    return [str(name) for name in names if name not in read and not str(name).endswith(".coverage")]


@dataclass(frozen=True)
class Asked:
    """A frame as arrays, whatever library it is of: its columns' `names`, one `column`, several numbers as a `block`.

    A column of lists is an array of arrays or None; `block` gives (rows, names) as float64, NaN where nothing is given.
    """

    names: Collection[str]
    column: Callable[[str], NDArray[Any]]
    block: Callable[[list[str]], Floats]

    def __len__(self) -> int:
        return len(self.column("participant"))

    def numbers(self, names: Sequence[str]) -> Floats:
        """Columns that may be absent, (rows, names); NaN where there is nothing.

        Raises:
            CohortError: a column holds something else than finite numbers.
        """
        out, there = np.full((len(self), len(names)), np.nan), set(self.names)
        known = [n for n, name in enumerate(names) if name in there]
        if known:
            out[:, known] = self._block([names[n] for n in known])
        endless = np.isinf(out).any(axis=0)
        if endless.any():
            message = f"{names[int(np.argmax(endless))]} is infinite; leave what was not measured empty (NaN)"
            raise CohortError(message)
        return out

    def _block(self, names: list[str]) -> Floats:
        try:
            return self.block(names)
        except NO_NUMBERS:
            if len(names) == 1:
                message = f"{names[0]} holds something that is no number"
                raise CohortError(message) from None
        return np.concatenate([self._block([name]) for name in names], axis=1)  # says which, or gets past it


def answers(model: Predictor, asked: Asked, *, why: bool = False) -> dict[str, NDArray[Any]]:
    """Predict every row of a frame: the columns of the module's docstring.

    Raises:
        CohortError: a needed column is absent or of the wrong shape.
    """
    cohort, rows, nightly = unfold(asked, model.items, model.features)
    said = _said(model, cohort, rows, nightly, why=why)
    items, known = [i.name for i in model.items], set(model.participants)
    codes = np.array(cohort.participants, dtype=np.object_)
    return {
        "participant": np.repeat(codes, len(items)),
        "time_us": np.repeat(cohort.time_us[rows], len(items)),
        "item": np.tile(np.array(items, dtype=np.object_), len(rows)),
        **{name: said[name].ravel() for name in ("value", "low", "high")},
        "known_person": np.repeat(np.array([code in known for code in codes], dtype=np.bool_), len(items)),
        **({f"{WHY}{part}": said[part].ravel() for part in parts(model.features)} if why else {}),
    }


def _said(model: Predictor, cohort: Cohort, rows: Ints, nightly: Mask, *, why: bool) -> dict[str, Floats]:
    """Value, ends and contributions, each (rows, items); rows of the night before are predicted as such."""
    names = ("value", "low", "high", *(parts(model.features) if why else ()))
    out = {name: np.full((len(rows), len(model.items)), np.nan) for name in names}
    for which, by_night in ((~nightly, False), (nightly, True)):
        if which.any():
            said = model.predict(cohort, rows[which], nightly=by_night, why=why)
            for name, values in {"value": said.value, "low": said.low, "high": said.high, **said.moved}.items():
                out[name][which] = values
    return out


def unfold(asked: Asked, items: Sequence[Item], features: Mapping[str, Sequence[str]]) -> tuple[Cohort, Ints, Mask]:
    """A frame as a cohort in which every row asked is a person of its own, preceded by its past.

    Two rows of one participant stay apart, since each brings the past that it may know.

    Returns:
        The cohort, the places of the rows asked, in their order, and which of them are asked the night before.
    """
    refuse_missing(asked.names, items)
    if len(set(asked.names)) < len(asked.names):
        message = f"the frame has {next(n for n, times in Counter(asked.names).items() if times > 1)} twice"
        raise CohortError(message)
    count, age_h, past = _past(asked, items)
    now_us, hour, day = _asked_about(asked)
    nightly, rows = _nightly(asked), np.arange(len(asked))
    whose = np.repeat(rows, count)
    # The past's day and hour are those of the wall clock of the row that brings it. Counted back over a clock change,
    # an evening's answer can seem to be of the day after; what is of the day itself, the night before does not know.
    clock = hour[whose] - age_h
    back = np.floor(clock / DAY_H).astype(np.int64)
    back[nightly[whose] & (back == 0) & (clock < CLOCK_CHANGE_H)] = -1
    person = np.r_[whose, rows]
    time_us = np.r_[now_us[whose] - np.round(age_h * HOUR_US).astype(np.int64), now_us]
    order = np.argsort(person, kind="stable")
    person, time_us = person[order], time_us[order]
    stuck = person[1:][(np.diff(person) == 0) & (np.diff(time_us) <= 0)]
    _refuse(np.isin(rows, stuck), "past_age_h must tell the oldest answer first, and no two of one time")
    nothing = np.full((len(rows), len(items)), np.nan)
    last = np.cumsum(count + 1) - 1

    def measured(names: Sequence[str]) -> Floats:
        """Body and voice of the rows asked, (rows of the cohort, names): the past brings answers alone."""
        laid = np.full((len(person), len(names)), np.nan)
        laid[last] = asked.numbers(names)
        return laid

    cohort = Cohort(
        items=tuple(items),
        participants=_participants(asked),
        person=person,
        time_us=time_us,
        day=np.r_[day[whose] + back, day][order],
        local_hour=np.r_[clock - np.floor(clock / DAY_H) * DAY_H, hour][order],
        answers=np.concatenate([np.stack(past, -1), nothing])[order],
        modalities=modalities_of(measured, features),
    )
    return cohort, last, nightly


def refuse_missing(names: Collection[object], items: Sequence[Item]) -> None:
    """Refuse a frame without the columns that every row needs.

    Raises:
        CohortError: some are not among the `names`.
    """
    missing = [c for c in needed(items) if c not in names]
    if missing:
        message = f"the frame lacks {', '.join(missing)}; a row needs {', '.join(needed(items))}, and may have features"
        raise CohortError(message)


def _refuse(wrong: Mask, message: str) -> None:
    """Refuse a frame some rows of which are wrong, (rows,), naming the first of them."""
    if wrong.any():
        raise CohortError(message if len(wrong) == 1 else f"{message} (row {np.argmax(wrong) + 1} of {len(wrong)})")


def _participants(asked: Asked) -> tuple[str, ...]:
    """Whom each row asks about."""
    codes = [_code(value) for value in asked.column("participant")]
    told = "participant must be given in every row, as a study code: text without spaces around, or a whole number"
    _refuse(np.array([not code for code in codes], dtype=np.bool_), told)
    return tuple(codes)


def _code(value: Any) -> str:
    """A study code as text; nothing where it is none."""
    if isinstance(value, str):
        return str(value) if value == value.strip() else ""
    return str(value) if isinstance(value, int | np.integer) and not isinstance(value, bool) else ""


def _absent(value: Any) -> bool:
    """Whether a value says that there is none: None, NaN, or what pandas has for them."""
    try:
        return value is None or bool(value != value)  # noqa: PLR0124
    except (TypeError, ArithmeticError):  # of pandas' NA nothing is true or false, nor of a signalling NaN
        return True
    except ValueError:  # of arrays
        return False


def _asked_about(asked: Asked) -> tuple[Ints, Floats, Ints]:
    """The time (UTC µs), the hour of the wall clock and the day (since 1970) of each row, each (rows,)."""
    time, hour = (_given(asked, name) for name in ("time_us", "local_hour"))
    _refuse((time < 0) | (time > LATEST_US), "time_us must be microseconds since 1970, UTC")
    _refuse((hour < 0) | (hour > DAY_H), "local_hour must be an hour of the wall clock, 0 to 24")
    time_us, day = time.astype(np.int64), _days(asked.column("day"))
    ahead = day * DAY_H + hour - time_us / HOUR_US
    told = "day and local_hour must be those of the participant's wall clock at time_us; no zone is so far from UTC"
    _refuse((ahead < WEST_H) | (ahead > EAST_H), told)
    return time_us, hour, day


def _nightly(asked: Asked) -> Mask:
    """Which rows are asked as the night before, (rows,); those that do not say are not."""
    told = np.nan_to_num(asked.numbers(["nightly"])[:, 0])
    _refuse(~np.isin(told, (0.0, 1.0)), "nightly must be true or false, or left empty")
    return np.asarray(told == 1)


def _past(asked: Asked, items: Sequence[Item]) -> tuple[Ints, Floats, list[Floats]]:
    """How many past answers each row brings (rows,), their ages in hours and, by item, the answers, end to end."""
    count, (age_h, *past) = _lists(asked, ["past_age_h", *past_columns(items)])
    wrong = np.repeat(np.arange(len(count)), count)[~((age_h > 0) & (age_h < LONGEST_H))]
    told = "past_age_h must be above 0 and no age of the world: hours from each past answer to the time asked about"
    _refuse(np.isin(np.arange(len(count)), wrong), told)
    for item, values in zip(items, past, strict=True):
        within_scale(item, f"past_{item.name}", values)
    return count, age_h, past


def _lists(asked: Asked, names: Sequence[str]) -> tuple[Ints, list[Floats]]:
    """How many past answers each row brings, (rows,), and the lists of all rows end to end, by column."""
    sizes, out = [], []
    for name in names:
        try:
            each = [_numbers(values) for values in asked.column(name)]
            sizes.append(np.array([len(values) for values in each], dtype=np.int64))
            out.append(np.concatenate([(), *each]))
        except NO_NUMBERS:
            message = f"{name} must hold a list of numbers in every row"
            raise CohortError(message) from None
    for name, size in zip(names, sizes, strict=True):
        _refuse(size != sizes[0], f"{name} must be as long as {names[0]} in every row (NaN where it was not answered)")
    return sizes[0], out


def _numbers(values: Any) -> Floats:
    """A list of numbers, NaN in place of None; no list at all holds none."""
    given = np.ma.filled(values.astype(np.float64), np.nan) if np.ma.isMaskedArray(values) else np.asarray(values)
    if given.ndim == 0 and _absent(given.item()):
        return np.empty(0)
    if given.ndim != 1:
        message = "no list"
        raise TypeError(message)
    return as_numbers(given)


def as_numbers(values: NDArray[Any]) -> Floats:
    """Numbers of whatever type as float64, NaN where there is nothing.

    Raises:
        TypeError: something is no number, whatever it says: a text, a date, a length of time, a list.
        ArithmeticError: a number is beyond all bounds.
    """
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    told = [None if _absent(value) else value for value in values.ravel().tolist()] if values.dtype == object else []
    kinds: set[type[Any]] = {type(value) for value in told} - {type(None)}
    if len(told) < values.size or not all(issubclass(k, NUMBERS) for k in kinds) or np.timedelta64 in kinds:
        message = "no number"
        raise TypeError(message)
    return np.array([np.nan if value is None else float(value) for value in told]).reshape(values.shape)


def within_scale(item: Item, column: str, answers: Floats) -> None:
    """Refuse answers that the item's scale does not have.

    Raises:
        CohortError: there are such; the message names the `column`.
    """
    off = int(((answers < item.low) | (answers > item.high)).sum())
    if off:
        message = f"{column} holds answers off the item's scale, {item.low:g} to {item.high:g}: {off}"
        raise CohortError(message)


def _given(asked: Asked, name: str) -> Floats:
    """Numbers that every row must give, (rows,)."""
    try:
        out = as_numbers(asked.column(name))
    except NO_NUMBERS:
        out = np.full(len(asked), np.nan)
    _refuse(~np.isfinite(out), f"{name} must be a number in every row")
    return out


def _days(column: NDArray[Any]) -> Ints:
    """Days since 1970 of dates, datetimes or ISO texts, (rows,)."""
    try:
        days = column if column.dtype.kind == "M" else np.array([_iso(v) for v in column], dtype="datetime64[D]")
    except ValueError:
        message = "day must be the local date, as a date, a datetime or an ISO text without zone, in every row"
        raise CohortError(message) from None
    days = days.astype("datetime64[D]")
    _refuse(np.isnat(days), "day must be given in every row")
    return np.asarray(days.astype(np.int64))


def _iso(day: Any) -> str:
    """The date of a date, a datetime or an ISO text; no number, date of another order or time in UTC is one."""
    text = str(day.date() if isinstance(day, datetime) else day)
    if isinstance(day, int | float | np.number) or not re.fullmatch(ISO, text):
        message = "no ISO date"
        raise ValueError(message)
    return text[:10]
