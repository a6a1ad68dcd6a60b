"""The night's new version: fitted on everything, logged, registered, and pointed at as challenger.

Idempotent by the digest of its inputs: a version already fitted on the same moments, settings and code is found
again; a fit that was killed goes on from its checkpoint. Judging it belongs to `champion.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from assets.learning.pictures import curve_picture
from assets.learning.work import learning_inputs, scratch, settings_of
from assets.moments.cohort import load_cohort
from assets.study import Home, Study
from models.registry import CHALLENGER, TRAINED_UNTIL, Registry, Version

if TYPE_CHECKING:
    from models.cohort import Cohort
    from models.macro_micro import MacroMicro

Progress = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Trained:
    """A version and how it came about; `curve` is empty where it was found again or nothing was learnt."""

    version: Version
    fresh: bool
    curve: tuple[Mapping[str, float], ...] = ()


def registry_of(home: Home, study: Study) -> Registry:
    """The study's registry."""
    return Registry(home.mlflow, study.study.name)


def train_challenger(home: Home, study: Study, progress: Progress | None = None) -> Trained | None:
    """Fit, log and register a version on every answer there is, or find the one that was.

    Returns:
        The version, or None where nobody has answered yet.
    """
    cohort = load_cohort(home, study)
    if not cohort.labelled.any():
        return None
    inputs, registry = learning_inputs(home, study), registry_of(home, study)
    registry.mend()
    found = registry.with_inputs(inputs)
    if found is not None:
        if CHALLENGER not in found.aliases:
            registry.point(CHALLENGER, found)
        return Trained(registry.version(found.number), fresh=False)
    trained = _train(registry, home, study, cohort, inputs, progress)
    registry.point(CHALLENGER, trained.version)
    return Trained(registry.version(trained.version.number), fresh=True, curve=trained.curve)


def _train(
    registry: Registry, home: Home, study: Study, cohort: Cohort, inputs: str, progress: Progress | None
) -> Trained:
    from models.fitting import fit
    from models.packaging import save
    from models.pyfunc import log_model

    folder, settings = scratch(home, inputs, "challenger"), settings_of(study)
    tags = facts(cohort)
    with registry.run(f"night of {tags['trained_until']}", inputs, settings.as_dict()) as run_id:
        model = fit(cohort, settings, checkpoint=folder / "checkpoint", progress=progress)
        tags |= {"note": note(model, study), "kind": "baseline" if model.network is None else "macro_micro"}
        save(model, folder / "model")
        _log_curve(registry, run_id, model)
        model_id = log_model(folder / "model", model, {"macromicro": tags})
        version = registry.register(model_id, run_id, inputs, tags)
    return Trained(version, fresh=True, curve=tuple(model.curve))


def facts(cohort: Cohort) -> dict[str, str | int]:
    """Counts and times of what a version is fitted on, for its tags."""
    answered = cohort.labelled
    until = int(cohort.time_us[answered].max())
    return {
        TRAINED_UNTIL: until,
        "trained_until": f"{datetime.fromtimestamp(until / 1e6, UTC):%Y-%m-%d}",
        "answers": int(answered.sum()),
        "people": len({int(p) for p in cohort.person[answered]}),
    }


def note(model: MacroMicro, study: Study) -> str:
    """What a person should know of a fit, in a sentence; empty where there is nothing to say."""
    answers, least = model.settings.min_answers, study.training.min_answers
    if model.network is None and "too few" in model.note:
        return f"too few answers to train on (fewer than {max(answers, least)}): the personal baseline is kept"
    return model.note


def _log_curve(registry: Registry, run_id: str, model: MacroMicro) -> None:
    if not model.curve:
        return
    from mlflow.entities import Metric

    client = registry.client()
    rows = [Metric(k, v, 0, step) for step, figures in enumerate(model.curve, 1) for k, v in figures.items()]
    for start in range(0, len(rows), 500):
        client.log_batch(run_id, metrics=rows[start : start + 500])
    client.log_figure(run_id, curve_picture(model.curve), "training.png")
