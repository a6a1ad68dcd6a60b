"""What every table of `study.toml` is built from: no unknown keys, nothing changed later, zones that exist."""

from __future__ import annotations

import re
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        message = f"{name!r} is no time zone; write one of the tz database, such as 'Europe/Berlin'"
        raise ValueError(message) from error
    return name


Zone = Annotated[str, AfterValidator(_zone)]


_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_NAMES = {"month": "jan feb mar apr may jun jul aug sep oct nov dec", "weekday": "sun mon tue wed thu fri sat"}


def _cron(text: str) -> str:
    fields = text.lower().split()
    if len(fields) != len(_FIELDS):
        message = f"{text!r} is no cron schedule: five fields, minute hour day month weekday, such as '0 3 * * *'"
        raise ValueError(message)
    for (name, least, most), field in zip(_FIELDS, fields, strict=True):
        for number, word in enumerate(_NAMES.get(name, "").split(), least):
            field = field.replace(word, str(number))  # noqa: PLW2901
        parts = [re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/([1-9]\d*))?", part) for part in field.split(",")]
        if not all(part and _within(part, least, most) for part in parts):
            message = f"{text!r} is no cron schedule: its {name} is none of {least} to {most}"
            raise ValueError(message)
    return text


def _within(part: re.Match[str], least: int, most: int) -> bool:
    first, last = part[1], part[2] or part[1]
    return first is None or least <= int(first) <= int(last) <= most


Cron = Annotated[str, AfterValidator(_cron)]


class Section(BaseModel):
    """A table of `study.toml`: unknown keys are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
