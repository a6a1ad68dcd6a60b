"""What a reader is: how it recognises its format by content, and how it reads it.

A reader is one file that ends in a `READER`. It sees a `Source` and a `Context`, gives a `Recording`, and raises
`DumpError` with a reason that a coordinator can act on. It never looks at the lake, the catalogue or the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assets.days import Calendar
from assets.ingest.recording import Recording
from assets.ingest.source import Source
from assets.study import Study


@dataclass(frozen=True)
class Context:
    """What a reader may know besides the dump: whose it is (None in cohort-wide tables), and the study."""

    study: Study
    participant: str | None

    @property
    def calendar(self) -> Calendar:
        """The participant's days, or the study's where the dump is nobody's."""
        return self.calendar_of(self.participant)

    def calendar_of(self, participant: str | None) -> Calendar:
        """Another participant's days."""
        return Calendar.of(self.study, participant or "")

    @property
    def most_bytes(self) -> int:
        """How much of one file may be read into memory."""
        return self.study.reading.max_unpacked_mb * 2**20


def _nothing(_: Study) -> object:
    return None


def _unmapped(_: Source, __: Study) -> bool:
    return False


@dataclass(frozen=True)
class Reader:
    """One format.

    `version` is raised whenever the same dump would be read differently: dumps read by another version are read
    again. `depends` names the settings of the study that reading depends on, for the same reason. `mapped` says
    whether the study's own settings give it a dump; such a reader is asked before those that go by content alone.
    """

    name: str
    version: str
    claims: Callable[[Source], bool]
    read: Callable[[Source, Context], Recording]
    depends: Callable[[Study], object] = _nothing
    mapped: Callable[[Source, Study], bool] = _unmapped

    @property
    def maps(self) -> bool:
        """Whether a study's settings can give it dumps that another reader would take."""
        return self.mapped is not _unmapped
