"""`[formats.<name>]` of `study.toml`: how a table of a device that has no reader of its own is read.

A few lines map the columns of a CSV or Parquet file; a file belongs to the format whose columns it all has. Reading
it is the business of `ingest/readers/generic.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from assets.sections import Section, Zone

SIGNAL_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"
# The unit that the features expect of the signals they use.
UNITS = {
    "ecg": "mV", "bvp": "a.u.", "eda": "µS", "temp": "°C", "acc_x": "g", "acc_y": "g", "acc_z": "g", "hr": "bpm",
}  # fmt: skip
FORMAT_NAME = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Signal(Section):
    """A sampled column: the signal it becomes, its unit there, and what to multiply and add to get to that unit."""

    name: str = Field(pattern=SIGNAL_PATTERN)
    unit: str = Field("", max_length=16)
    factor: float = Field(1.0, allow_inf_nan=False)
    offset: float = Field(0.0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _expected_unit(self) -> Self:
        expected = UNITS.get(self.name)
        if expected and self.unit not in {"", expected}:
            message = f"{self.name} is kept in {expected}, not {self.unit!r}: give the factor that brings it there"
            raise ValueError(message)
        return self

    @property
    def written_unit(self) -> str:
        """The unit as the lake says it."""
        return self.unit or UNITS.get(self.name, "a.u.")


def _short(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class Format(Section):
    """One mapping. `time` names the column of times, `unit` how they are written (`iso`, or a number since 1970).

    `zone` is that of written times without an offset (by default the participant's own), `relative` says that times
    count from the file's start, which its name or a sidecar tells. `signals` are sampled columns, `events` columns of
    things that happen now and then: `beat` (RR intervals in ms), `tag` (any entry), or values of any kind.
    """

    time: str
    unit: Literal["iso", "s", "ms", "us", "ns"] = "iso"
    zone: Zone | None = None
    relative: bool = False
    rate_hz: float | None = Field(None, gt=0, le=1e6)
    decimal: Literal[".", ","] = "."
    skip_lines: int = Field(0, ge=0, le=1000)
    signals: dict[str, Annotated[Signal, BeforeValidator(_short)]] = Field(default_factory=dict)
    events: dict[str, Annotated[str, Field(pattern=SIGNAL_PATTERN)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.signals and not self.events:
            message = "maps no column: name at least one under signals or events"
            raise ValueError(message)
        if self.relative and self.unit == "iso":
            message = "times that count from the file's start are numbers: set unit to s, ms, us or ns"
            raise ValueError(message)
        return self

    @property
    def columns(self) -> frozenset[str]:
        """Every column that a file of this format has."""
        return frozenset({self.time, *self.signals, *self.events})
