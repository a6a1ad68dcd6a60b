"""What every table of `study.toml` is built from: no unknown keys, nothing changed later, zones that exist."""

from __future__ import annotations

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


class Section(BaseModel):
    """A table of `study.toml`: unknown keys are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
