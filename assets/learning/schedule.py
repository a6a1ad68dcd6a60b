"""Which kind of night it is: everything fitted anew (macro), or new answers moving their people's parameters (micro).

Decided from facts alone: what the last macro version was made from, and what there is now. Time is counted in days on
which anybody answered, so that neither the clock nor a week without uploads decides. The decision is written down with
the digest of its inputs: a night that was killed, and every asset of one night, find the same (`docs/decisions/0004`).
Doing what was decided belongs to `challenger.py` and `evaluation.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date as Date
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from assets.lake import Key, Lake
from assets.learning.wishes import macro_wished
from assets.learning.work import learning_inputs, recipe
from assets.monitoring.tables import DRIFT
from assets.study import Home, Study, Training
from models.errors import ModelError
from models.registry import Registry, Version

if TYPE_CHECKING:
    from models.cohort import Cohort
    from models.macro_micro import MacroMicro

MACRO, MICRO = "macro", "micro"
TRAINING, REASON, BASE, RECIPE = "training", "training_reason", "macro_version", "recipe"
ANSWERED_DAYS, DRIFTED, UPDATED = "answered_days", "drifted", "updated"
"""Tags of a version: which kind of night made it and why, the macro version it was updated from, what the night knew,
and what an update did."""
SAME_DRIFT = timedelta(days=3)
TONIGHT = "learning/night.json"


@dataclass(frozen=True)
class Last:
    """The last macro version, and what changed since it was fitted.

    `unreadable` says why it cannot be built on, empty where it can. `days` are those on which anybody answered;
    `newcomers` people it does not know, of `people` now; `gone` are people of whom it has answers that are no more;
    `drifted` features were not found to have drifted then.
    """

    number: int
    unreadable: str = ""
    same_recipe: bool = True
    network: bool = True
    days: int = 0
    people: int = 0
    newcomers: int = 0
    gone: int = 0
    drifted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Night:
    """The kind of a night, why in one clause, and the macro version that a micro update builds on.

    `days` and `drifted` are what the night knew: days with answers, features found to have drifted and since when.
    """

    training: str
    reason: str
    base: int | None = None
    days: int = 0
    drifted: Mapping[str, str] = field(default_factory=dict)

    @property
    def macro(self) -> bool:
        """Whether everything is fitted anew."""
        return self.training == MACRO


def night_of(last: Last | None, settings: Training, *, wished: bool = False) -> Night:
    """Decide, from what happened since the last macro version; None where there is none."""
    why = "there was no macro fit before" if last is None else _why_macro(last, settings)
    if wished:
        why = "asked for by hand"
    if why or last is None:
        return Night(MACRO, why)
    return Night(MICRO, f"{_days(last)}, {last.newcomers} of {last.people} people new, no new drift", last.number)


def _why_macro(last: Last, settings: Training) -> str:
    """Why everything must be fitted anew; empty where a micro update is enough."""
    since, every, share = f"since version {last.number}", settings.macro_every_days, settings.macro_new_people
    reasons = {
        f"version {last.number} cannot be built on: {last.unreadable}": bool(last.unreadable),
        f"settings, items, features or code changed {since}": not last.same_recipe,
        f"version {last.number} is the personal baseline alone: there is no network to update": not last.network,
        f"answers of {last.gone} people were taken back {since}": last.gone > 0,
        f"{_days(last)} (macro_every_days = {every})": last.days >= every or every == 0,
        f"{last.newcomers} of {last.people} people are new {since} (macro_new_people = {share:g})": (
            last.newcomers > 0 and last.newcomers >= share * last.people
        ),
        f"drift {since}: {', '.join(last.drifted)}": bool(last.drifted) and settings.macro_on_drift,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _days(last: Last) -> str:
    return f"{last.days} day{'' if last.days == 1 else 's'} with answers since version {last.number}"


def tonight(home: Home, study: Study, registry: Registry, cohort: Cohort, *, wished: bool = False) -> Night:
    """The kind of this night: the one decided for these inputs before, else decided and written down now."""
    lake, inputs = Lake(home.lake), learning_inputs(home, study)
    wished, macro = wished or macro_wished(home), last_macro(registry.versions())
    decided = _decided(lake, inputs)
    if decided and (decided.macro or (not wished and macro is not None and macro.number == decided.base)):
        return decided
    days, drifted = len(np.unique(cohort.day[cohort.labelled])), _drifted(lake)
    last = None if macro is None else _since(study, registry, macro, cohort, days, drifted)
    night = replace(night_of(last, study.training, wished=wished), days=days, drifted=drifted)
    lake.write_bytes(TONIGHT, json.dumps({"inputs": inputs, "night": asdict(night)}, sort_keys=True).encode())
    return night


def last_macro(versions: list[Version]) -> Version | None:
    """The newest version with everything fitted anew; `versions` are newest first."""
    return next((v for v in versions if v.tags.get(TRAINING) == MACRO), None)


def model_of(registry: Registry, version: Version) -> MacroMicro:
    """The model of a version, from its files.

    Raises:
        ModelError: the files are gone, or of a form that this code does not read.
    """
    from mlflow.exceptions import MlflowException

    from models.packaging import load

    try:
        return load(registry.model_of(version))
    except (MlflowException, OSError) as error:
        message = f"the files of version {version.number} cannot be read: {error}"
        raise ModelError(message) from error


def night_tags(study: Study, night: Night) -> dict[str, str]:
    """What a version says of the night that made it."""
    told = {
        TRAINING: night.training,
        REASON: night.reason,
        RECIPE: recipe(study),
        ANSWERED_DAYS: str(night.days),
        DRIFTED: json.dumps(night.drifted, sort_keys=True),
    }
    return told if night.base is None else {**told, BASE: str(night.base)}


def _since(
    study: Study, registry: Registry, macro: Version, cohort: Cohort, days: int, drifted: Mapping[str, str]
) -> Last:
    """What happened since the last macro version."""
    try:
        model = model_of(registry, macro)
    except ModelError as error:
        return Last(macro.number, unreadable=str(error))
    latest = np.zeros(len(cohort.participants), dtype=np.int64)
    np.maximum.at(latest, cohort.person[cohort.labelled], cohort.time_us[cohort.labelled])
    people = {code: int(then) for code, then in zip(cohort.participants, latest, strict=True) if then}
    until = zip(model.participants, model.answered_until.tolist(), strict=True)
    return Last(
        macro.number,
        same_recipe=macro.tags.get(RECIPE) == recipe(study),
        network=model.network is not None,
        days=days - int(macro.tags.get(ANSWERED_DAYS, 0)),
        people=len(people),
        newcomers=sum(not model.knows(code) for code in people),
        gone=sum(people.get(code, 0) < then for code, then in until),
        drifted=_newly(drifted, json.loads(macro.tags.get(DRIFTED, "{}"))),
    )


def _drifted(lake: Lake) -> dict[str, str]:
    """Features that the last night found to have drifted, and since when."""
    days = [key.date for key in lake.keys(DRIFT) if key.date is not None]
    found = lake.read(DRIFT, Key(date=max(days))) if days else DRIFT.empty()
    return {row["feature"]: str(row["since"]) for row in found.filter("drifted").iter_rows(named=True)}


def _newly(now: Mapping[str, str], then: Mapping[str, str]) -> tuple[str, ...]:
    """Features that have drifted since; one whose day moved by little is the same drift."""
    return tuple(
        feature
        for feature, since in sorted(now.items())
        if feature not in then or abs(Date.fromisoformat(since) - Date.fromisoformat(then[feature])) > SAME_DRIFT
    )


def _decided(lake: Lake, inputs: str) -> Night | None:
    """What was decided for these inputs, if anything was."""
    data = lake.read_bytes(TONIGHT)
    stored = json.loads(data) if data else None
    return Night(**stored["night"]) if stored and stored["inputs"] == inputs else None
