"""Daily values: `inbox/daily_values/*.csv`, a row a participant and day, numeric columns of any name.

Numbers summarised over a whole day (sleep, steps, resting heart rate, nightly variability), known only once the day
is over. Columns that hold no numbers are named in a remark; items of the study are left to `inbox/self_reports/`,
since an answer has a time. Text that means yes or no counts as 1 or 0. A comma is the decimal one, unless all of a
column's may group thousands and commas or tabs separate the columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date as Date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.errors import DumpError
from assets.ingest.encodings import decoded
from assets.ingest.inbox import DAILY_VALUES_FOLDER
from assets.ingest.readers.answers import MISSING, known_items
from assets.ingest.readers.base import Context, Reader
from assets.ingest.readers.self_reports import DATE_NAMES, PARTICIPANT_NAMES
from assets.ingest.readers.text_tables import header, parse_table, plain, separator_of
from assets.ingest.recording import DAILY_SCHEMA, Recording
from assets.ingest.source import Source
from assets.ingest.times import days_first, parse
from assets.study import PARTICIPANT_PATTERN, Study

_WORDS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
_SHARE_NUMBERS = 0.9
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")


def _claims(source: Source) -> bool:
    if not source.single or not source.path.startswith(f"{DAILY_VALUES_FOLDER}/"):
        return False
    names = {plain(n) for n in header(source.head())}
    return bool(names & set(DATE_NAMES)) and bool(names & set(PARTICIPANT_NAMES))


def read(source: Source, context: Context) -> Recording:
    """Read a table of daily values.

    Raises:
        DumpError: no row has a study code, a date and a number.
    """
    table = parse_table(source.only.read(context.most_bytes))
    names = [plain(n) for n in table.names]
    who = next(names.index(n) for n in PARTICIPANT_NAMES if n in names)
    when = next(names.index(n) for n in DATE_NAMES if n in names)
    codes = [c if re.fullmatch(PARTICIPANT_PATTERN, c) else None for c in table.column(who)]
    dates = _dates(table.column(when))
    items = known_items(context)
    grouping = separator_of(decoded(source.head()).lstrip().partition("\n")[0]) != ";"
    frames, words, asked, unread = [], [], [], {}
    for n, name in enumerate(table.names):
        if n in {who, when} or not name:
            continue
        if names[n] in items:
            asked.append(name)
        elif (numbers := _numbers(table.column(n), grouping=grouping)) is None:
            words.append(name)
        else:
            values, unread[f"values of {name} are no numbers, left out"] = numbers
            frames.append(_frame(codes, dates, name, values))
    daily = pl.concat(frames).drop_nulls() if frames else pl.DataFrame(schema=DAILY_SCHEMA)
    if daily.is_empty():
        message = "no row has a study code, a date (2026-01-31) and a number"
        raise DumpError(message)
    keys = ["participant", "date", "name"]
    once = daily.unique(keys, keep="last", maintain_order=True).sort(keys)
    facts = {"device": "daily values", "days": once.select("participant", "date").n_unique()}
    counts = {
        "rows have no study code as participant": codes.count(None),
        "rows have no readable date": dates.count(None),
        "rows do not fit the header, left out": table.ragged,
        **unread,
        "values come twice, the last one counts": daily.height - once.height,
    }
    return Recording(daily=once, facts=facts, remarks=_remarks(counts, words, asked))


def _frame(
    codes: Sequence[str | None], dates: Sequence[Date | None], name: str, values: NDArray[np.float64]
) -> pl.DataFrame:
    columns = {"participant": codes, "date": dates, "name": [name] * len(codes), "value": values}
    return pl.DataFrame(columns, schema=DAILY_SCHEMA).with_columns(pl.col("value").fill_nan(None))


def _remarks(counts: Mapping[str, int], words: Sequence[str], asked: Sequence[str]) -> list[str]:
    said = [f"{count} {what}" for what, count in counts.items() if count]
    said += [f"columns without numbers, left out: {', '.join(words)}"] if words else []
    said += [f"items of the study belong to inbox/self_reports/, left out here: {', '.join(asked)}"] if asked else []
    return said


def _dates(texts: Sequence[str]) -> list[Date | None]:
    day_first = days_first(texts)
    parsed = [parse(text, day_first=day_first) if text else None for text in texts]
    return [None if p is None or isinstance(p, int) else p.date() for p in parsed]


def _numbers(texts: Sequence[str], *, grouping: bool) -> tuple[NDArray[np.float64], int] | None:
    """A column's numbers with NaN where there is none, and how many were given that are none; None if mostly words."""
    values, given, fine = np.full(len(texts), np.nan), 0, 0
    comma = "" if grouping and all(_THOUSANDS.fullmatch(t) for t in texts if "," in t) else "."
    for n, text in enumerate(texts):
        lower = text.lower()
        if lower in MISSING:
            continue
        given += 1
        try:
            values[n] = _WORDS[lower] if lower in _WORDS else float(lower.replace(",", comma))
        except ValueError:
            continue
        fine += 1
    values[~np.isfinite(values)] = np.nan
    return (values, given - fine) if fine and fine >= _SHARE_NUMBERS * given else None


def _depends(study: Study) -> object:
    return {name: item.model_dump(mode="json") for name, item in study.items.items()}


READER = Reader("daily_values", "2", _claims, read, _depends)
