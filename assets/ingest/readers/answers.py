"""From rows of a self-report table to answers: who, when, which item, what value.

Shared by every self-report format. What is left out is counted and said: rows without a readable time, values that
are no number or outside the item's scale, rows of somebody else, prompts answered twice. Prompts without any
answer are missed prompts, not answers: they are counted as a fact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from assets.days import Calendar
from assets.errors import DumpError
from assets.ingest.readers.base import Context
from assets.ingest.readers.text_tables import plain
from assets.ingest.recording import ANSWER_SCHEMA, Recording
from assets.ingest.times import days_first, parse, to_us
from assets.study import PARTICIPANT_PATTERN, Item

MISSING = {
    "", "na", "n/a", "nan", "null", "none", "-", ".", "missing", "skipped", "#n/a", "<na>", "n.a.", "not answered",
    "[not completed]", "not_presented", "no_answer_selected",
}  # fmt: skip
MISSING_CODES = {float(c) for c in (9999, 9998, 999, 998, 99, 98, 88, 77, -1, -2, -9, -77, -88, -99, -999, -9999)}
# What m-Path and others write behind an item's name.
_KIND_OF_QUESTION = (
    r"_(?:slider\w*|score|value|num|smiley|yesno|open|steps|(?:(?:multiple|image)choice_)?(?:likert|index)|likert)$"
)
_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


@dataclass(frozen=True)
class Rows:
    """A self-report table's rows as text, one entry a row in each sequence.

    `participants` is None where the table has no such column; `zones` names the clock of a time that does not say
    so itself ('' where nothing does); `values` maps items of the study to what was given.
    """

    times: Sequence[str]
    values: Mapping[str, Sequence[str]]
    participants: Sequence[str] | None = None
    zones: Sequence[str] | None = None


def known_items(context: Context) -> dict[str, str]:
    """The study's items by their plain name and their plain aliases."""
    items = context.study.items
    named = {plain(alias): name for name, item in items.items() for alias in item.aliases}
    return named | {plain(name): name for name in items}


def item_named(text: str, items: Mapping[str, str]) -> str | None:
    """The item that an export means by a column or question, or None.

    Exports decorate names: `mood[happy]` and `G01Q02. happy` (LimeSurvey), `value.happy` (RADAR), `happy_slider`,
    `happy_multipleChoice_index` (m-Path).
    """
    inside = re.search(r"\[([^\]]+)\]", text)
    forms = [
        text,
        inside[1] if inside else "",
        text.split(".", maxsplit=1)[0],
        text.rsplit(".", 1)[-1],
        text.rsplit("/", 1)[-1],
    ]
    forms.append(re.sub(_KIND_OF_QUESTION, "", text, flags=re.IGNORECASE))
    return next((items[plain(f)] for f in forms if plain(f) in items), None)


def answers(rows: Rows, context: Context, remarks: Sequence[str] = ()) -> Recording:
    """Turn rows into a recording.

    Args:
        rows: who, when and what.
        context: the study, and whose folder the table lies in.
        remarks: what the reader already has to say.

    Raises:
        DumpError: not one answer is left; the message says what became of the rows.
    """
    who, said_who = _participants(rows, context)
    when, bad_times = _times(rows, who, context)
    base = pl.DataFrame(
        {"participant": who, "time_us": when}, schema={"participant": pl.String(), "time_us": pl.Int64()}
    )
    given, said_values = [], []
    for item, texts in rows.values.items():
        values, said = _values(texts, item, context.study.items[item])
        said_values += said
        given.append(base.with_columns(pl.lit(item).alias("item"), pl.Series("value", values, dtype=pl.Float64())))
    answered = pl.concat(given).filter(pl.col("value").is_not_null()) if given else pl.DataFrame(schema=ANSWER_SCHEMA)
    timeless = answered.filter(pl.col("participant").is_not_null() & pl.col("time_us").is_null()).height
    found, twice = _once(answered.drop_nulls())
    said_times = [f"{timeless} answers have no readable time ({bad_times}), left out"] if timeless else []
    said = [*remarks, *said_who, *said_times, *said_values, *twice]
    if found.is_empty():
        message = f"no answers to items of the study in it{': ' if said else ''}{'; '.join(said)}"
        raise DumpError(message)
    facts = {"device": "self-reports", "prompts": len(rows.times), "answers": found.height}
    return Recording(answers=found, facts=facts, remarks=said)


def _participants(rows: Rows, context: Context) -> tuple[list[str | None], list[str]]:
    """Each row's study code, or None where the row is to be left out."""
    own = context.participant
    if rows.participants is None:
        if own is None:
            message = "has no participant column: add one, or move the table into the participant's folder"
            raise DumpError(message)
        return [own] * len(rows.times), []
    codes = [re.sub(r"^(\d+)\.0+$", r"\1", c.strip()) for c in rows.participants]
    if own is not None:
        strangers = sum(c not in {own, ""} for c in codes)
        said = [f"{strangers} rows name another participant than their folder, left out"] if strangers else []
        return [own if c in {own, ""} else None for c in codes], said
    fine = [c if re.fullmatch(PARTICIPANT_PATTERN, c) else None for c in codes]
    refused = fine.count(None)
    said = (
        [f"{refused} rows have no study code as participant (letters, digits, '_', '-'), left out"] if refused else []
    )
    return list(fine), said


def _times(rows: Rows, who: Sequence[str | None], context: Context) -> tuple[list[int | None], str]:
    """UTC µs of each row, None where unreadable, with one that could not be read."""
    day_first = days_first(rows.times)
    calendars: dict[str | None, Calendar] = {p: context.calendar_of(p) for p in set(who)}
    before: dict[str | None, int] = {}
    found: list[int | None] = []
    unread = ""
    for n, (text, participant) in enumerate(zip(rows.times, who, strict=True)):
        moment = parse(text, day_first=day_first) if text else None
        zone = rows.zones[n].strip() if rows.zones else ""
        if isinstance(moment, datetime) and moment.tzinfo is None and zone.lower() not in MISSING:
            moment = parse(f"{moment.isoformat()} {zone}")
            text = f"{text} {zone}"  # noqa: PLW2901 (what is told of it)
        if moment is None:
            unread = unread or f"such as {text[:40]!r}"
            found.append(None)
            continue
        before[participant] = to_us(moment, calendars[participant], after_us=before.get(participant))
        found.append(before[participant])
    return found, unread


def _values(texts: Sequence[str], item: str, scale: Item) -> tuple[list[float | None], list[str]]:
    """Numbers within the scale; codes for missing are null, anything else that does not fit is counted."""
    cache: dict[str, float | str | None] = {}
    found: list[float | None] = []
    words = outside = 0
    for text in texts:
        if text not in cache:
            cache[text] = _value(text, scale)
        value = cache[text]
        words += value == "word"
        outside += value == "outside"
        found.append(value if isinstance(value, float) else None)
    said = [f"{words} values of {item} are no numbers, left out"] if words else []
    span = f"{scale.low:g}–{scale.high:g}"
    return found, [*said, f"{outside} values of {item} lie outside {span}, left out"] if outside else said


def _value(text: str, scale: Item) -> float | str | None:
    plain_text = text.strip().strip('"').lower()
    if plain_text in MISSING:
        return None
    if plain_text in _WORDS and (scale.low, scale.high) == (0.0, 1.0):
        return _WORDS[plain_text]
    try:
        value = float(plain_text.replace(",", "."))
    except ValueError:
        return "word"
    if scale.low <= value <= scale.high:
        return value
    return None if value in MISSING_CODES or value != value else "outside"  # noqa: PLR0124 (NaN)


def _once(found: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """One value for each participant, time and item: the last given, as later rows correct earlier ones."""
    keys = ["participant", "time_us", "item"]
    differing = found.group_by(keys).agg(pl.col("value").n_unique()).filter(pl.col("value") > 1).height
    single = found.unique(keys, keep="last", maintain_order=True).sort(keys)
    repeated = found.height - single.height
    said = [f"{repeated} answers given twice, {differing} of them differently: the last one counts"] if repeated else []
    return single, said
