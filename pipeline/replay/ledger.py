"""The ledger of a replay: what each night did beside what the script says it must have done. Pure.

A row where the two differ names how, in one sentence each; `faults` are all of them. Drift must be found by the first
night that sees the new firmware's first day, and nowhere else: with five people or more, a week of their past and a
change of several of their own day-to-day SDs, that one day is enough for the rule of `assets/monitoring/shift.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date as Date
from datetime import timedelta
from typing import Any

from pipeline.replay.script import UNITS, Expected, PersonDay

MACRO = "macro"
NEAR = timedelta(days=1)
"""A change that begins on a day is told of that day, or of one beside it where few people recorded then."""


@dataclass(frozen=True)
class Drifted:
    """One finding: feature, whose, since when."""

    feature: str
    group: str
    since: Date


@dataclass(frozen=True)
class Version:
    """One version as the registry has it after a night; `gate` is empty before it was judged, `training` its kind."""

    number: int
    gate: str
    champion: bool
    training: str = ""


@dataclass(frozen=True)
class Seen:
    """What a night left behind, read from the home: nothing of the script."""

    states: Mapping[str, int]
    computed: Mapping[str, int]
    changed: Mapping[str, frozenset[PersonDay]]
    failed_runs: tuple[str, ...]
    waiting: int
    versions: tuple[Version, ...]
    coverage: float | None
    drift: tuple[Drifted, ...]
    idle: bool
    runs: int
    work_s: float
    orchestration_s: float
    real_s: float


@dataclass(frozen=True)
class Due:
    """What the script says of a night: states of all dumps, changes of this night, whether the drift must be told."""

    states: Mapping[str, int]
    computed: Mapping[str, int]
    changed: Mapping[str, frozenset[PersonDay]]
    delivered: int
    taken: int
    drift_since: Date | None = None
    drift_tells: tuple[str, ...] = ()

    @property
    def anything(self) -> bool:
        """Whether any day's inputs changed."""
        return any(self.computed.values())


@dataclass(frozen=True)
class Row:
    """One night of the ledger; `told` says whether the change that the script makes has been found by then."""

    number: int
    date: Date
    remarks: tuple[str, ...]
    due: Due
    seen: Seen
    new_versions: tuple[int, ...]
    champion: int | None
    told: bool
    faults: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; participant-days are counted, not named."""
        row = {**asdict(self), "due": _plain(self.due), "seen": _plain(self.seen)}
        return {**row, "faults": list(self.faults)}


def due(expected: Expected, delivered: int, taken: int, since: Date | None, tells: Sequence[str]) -> Due:
    """The script's side of a row, from what it expects by now."""
    changed = {unit: frozenset(expected.changed[unit]) for unit in UNITS}
    computed = {unit: expected.changes[unit] for unit in UNITS}
    return Due(expected.states(), computed, changed, delivered, taken, since, tuple(tells))


def row(
    number: int, date: Date, remarks: tuple[str, ...], due: Due, seen: Seen, before: Row | None, *, learns: bool
) -> Row:
    """One night's row; `learns` says whether anybody has answered by then."""
    known = {v.number for v in before.seen.versions} if before else set()
    new = tuple(sorted(v.number for v in seen.versions if v.number not in known))
    champion = next((v.number for v in seen.versions if v.champion), None)
    models = _models(due, seen, new, before, learns=learns)
    faults = (*_days(due, seen), *_dumps(due, seen), *models, *_drift(due, seen, before))
    told = _tells(due, seen) or bool(before and before.told)
    return Row(number, date, remarks, due, seen, new, champion, told, faults)


def totals(rows: Sequence[Row]) -> dict[str, float]:
    """Sums over all nights."""
    ended = rows[-1]
    return {
        "nights": len(rows),
        "dumps": sum(ended.seen.states.values()),
        **{f"{unit} computed": sum(r.seen.computed[unit] for r in rows) for unit in UNITS},
        "versions": len(ended.seen.versions),
        "promoted": sum(v.gate == "promoted" for v in ended.seen.versions),
        "faults": sum(len(r.faults) for r in rows),
    }


def _days(due: Due, seen: Seen) -> Iterable[str]:
    for unit in UNITS:
        if seen.computed[unit] != due.computed[unit]:
            yield f"{unit}: {seen.computed[unit]} participant-days computed where {due.computed[unit]} inputs changed"
        odd = seen.changed[unit] ^ due.changed[unit]
        if odd:
            named = ", ".join(f"{code} {day}" for code, day in sorted(odd)[:3])
            yield f"{unit}: {len(odd)} participant-days changed without cause, or did not although they should: {named}"
    if seen.waiting:
        yield f"{seen.waiting} participant-days still wait"
    for name in seen.failed_runs:
        yield f"a run of {name} failed"


def _dumps(due: Due, seen: Seen) -> Iterable[str]:
    if dict(seen.states) != dict(due.states):
        yield f"catalogue: {_told(seen.states)} where the script has {_told(due.states)}"


def _models(due: Due, seen: Seen, new: Sequence[int], before: Row | None, *, learns: bool) -> Iterable[str]:
    owed = int(due.anything and learns)
    if len(new) != owed:
        yield f"{len(new)} versions registered where {owed} was due"
    if due.anything == seen.idle:
        yield "the night had work to do and skipped it" if seen.idle else "the night ran although nothing was new"
    champions = [v for v in seen.versions if v.champion]
    # Until the gate has promoted one there is none: a first version can be worse than the personal baseline.
    promoted = any(v.gate == "promoted" for v in seen.versions)
    if learns and len(champions) != int(promoted):
        yield f"{len(champions)} champions where the gate has promoted {'one' if promoted else 'none'}"
    for champion in champions:
        if champion.gate != "promoted":
            yield f"champion {champion.number} has no decision of the gate behind it"
    unjudged = [v.number for v in seen.versions if not v.gate]
    if unjudged:
        yield f"versions that the gate never judged: {unjudged}"
    if before and before.champion and champions and champions[0].number < before.champion:
        yield f"the champion went back from version {before.champion} to {champions[0].number}"
    if learns and seen.coverage is None:
        yield "no coverage was measured"


def _drift(due: Due, seen: Seen, before: Row | None) -> Iterable[str]:
    told = [d for d in seen.drift if due.drift_since and d.feature.startswith(due.drift_tells)]
    for odd in (d for d in seen.drift if d not in told):
        yield f"drift of {odd.feature} ({odd.group}) since {odd.since}, which nothing in the script explains"
    if due.drift_since is None or not due.anything or (before and before.told):
        return
    if not _tells(due, seen):
        yield f"the change since {due.drift_since} was not found"
    elif seen.versions and seen.versions[-1].training != MACRO:
        yield "drift asks for a macro night, and it was none"


def _tells(due: Due, seen: Seen) -> bool:
    """Whether the change that is due was found, of its sensor and its day."""
    since = due.drift_since
    return since is not None and any(
        d.feature.startswith(due.drift_tells) and abs(d.since - since) <= NEAR for d in seen.drift
    )


def _plain(side: Due | Seen) -> dict[str, Any]:
    found = asdict(side)
    return {**found, "changed": {unit: len(days) for unit, days in side.changed.items()}}


def _told(states: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()) if count) or "nothing"
