"""The night's new version: fitted anew or updated, logged, registered, and pointed at as challenger.

On a macro night all layers are fitted on every answer; on a micro night new answers move their people's parameters of
the last macro version (`schedule.py` says which). Idempotent by the digest of its inputs: a version already made of the
same moments, settings and code is found again; a fit that was killed goes on from its checkpoint, an update is done
again. Judging it belongs to `champion.py`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from assets.learning.pictures import curve_picture
from assets.learning.schedule import MACRO, TRAINING, UPDATED, Night, model_of, night_tags, tonight
from assets.learning.work import learning_inputs, moments_digest, registry_of, scratch, settings_of
from assets.moments.cohort import load_cohort
from assets.study import Home, Study
from models.environment import made_with
from models.registry import CHALLENGER, TRAINED_UNTIL, Registry, Version

if TYPE_CHECKING:
    from pathlib import Path

    from models.cohort import Cohort
    from models.macro_micro import MacroMicro
    from models.settings import Settings

Progress = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Trained:
    """A version and how it came about; `curve` is its macro fit's, empty where the version was found again."""

    version: Version
    fresh: bool
    curve: tuple[Mapping[str, float], ...] = ()


def train_challenger(
    home: Home, study: Study, progress: Progress | None = None, *, macro: bool = False
) -> Trained | None:
    """Fit or update, log and register a version on every answer there is, or find the one that was.

    Args:
        home: the data home.
        study: its settings.
        progress: told each epoch of a fit.
        macro: fit everything anew, whatever kind of night it would be.

    Returns:
        The version, or None where nobody has answered yet.
    """
    cohort = load_cohort(home, study)
    if not cohort.labelled.any():
        return None
    inputs, registry = learning_inputs(home, study), registry_of(home, study)
    registry.mend()
    night = tonight(home, study, registry, cohort, wished=macro)
    found = _found(registry, inputs, night)
    if found is not None:
        if CHALLENGER not in found.aliases:
            registry.point(CHALLENGER, found)
        return Trained(registry.version(found.number), fresh=False)
    trained = _train(registry, home, study, cohort, inputs, night, progress)
    registry.point(CHALLENGER, trained.version)
    return Trained(registry.version(trained.version.number), fresh=True, curve=trained.curve)


def _found(registry: Registry, inputs: str, night: Night) -> Version | None:
    """The version that such a night made of these inputs before; a macro night wants a macro version."""
    same = [v for v in registry.versions() if v.inputs == inputs]
    return next((v for v in same if not night.macro or v.tags.get(TRAINING, MACRO) == MACRO), None)


def _train(
    registry: Registry,
    home: Home,
    study: Study,
    cohort: Cohort,
    inputs: str,
    night: Night,
    progress: Progress | None,
) -> Trained:
    from models.packaging import save
    from models.pyfunc import log_model

    folder, settings = scratch(home, inputs, "challenger"), settings_of(study)
    moments = moments_digest(home, study)
    tags = {**facts(cohort), **night_tags(study, night), "moments": moments}
    with registry.run(
        f"night of {tags['trained_until']}", inputs, {**settings.as_dict(), TRAINING: night.training}
    ) as run_id:
        counts = {name: int(tags[name]) for name in ("answers", "people")}
        registry.log_dataset(run_id, "moments", moments, counts)
        registry.log_environment(run_id)
        model, said = _made(registry, cohort, settings, night, folder / "checkpoint", progress)
        tags |= {**said, "note": note(model, study), "kind": "baseline" if model.network is None else "macro_micro"}
        tags |= {"reads": reads(model), "made_with": made_with()}
        shutil.rmtree(folder / "model", ignore_errors=True)  # of another kind of night on the same inputs
        save(model, folder / "model")
        curve = tuple(model.curve)  # of the macro fit, also where a night updates it
        _log_curve(registry, run_id, curve)
        model_id = log_model(folder / "model", model, {"macromicro": tags})
        version = registry.register(model_id, run_id, inputs, tags)
    return Trained(version, fresh=True, curve=curve)


def _made(
    registry: Registry,
    cohort: Cohort,
    settings: Settings,
    night: Night,
    checkpoint: Path,
    progress: Progress | None,
) -> tuple[MacroMicro, dict[str, str]]:
    """The night's model, and what an update did as a tag."""
    if night.base is None:
        from models.fitting import fit

        return fit(cohort, settings, checkpoint=checkpoint, progress=progress), {}
    from models.update import update

    done = update(model_of(registry, registry.version(night.base)), cohort)
    said = (
        f"{done.moved} of {done.asked} people with new answers moved, {done.newcomers} of them new; "
        f"intervals {'calibrated anew' if done.calibrated else 'kept'}"
    )
    return done.model, {UPDATED: said}


def facts(cohort: Cohort) -> dict[str, str | int]:
    """Counts and times of what a version is fitted on, for its tags."""
    answered = cohort.labelled
    since, until = (int(end) for end in (cohort.time_us[answered].min(), cohort.time_us[answered].max()))
    each = np.unique(cohort.person[answered], return_counts=True)[1]
    measured = {name: (~np.isnan(m.values[answered])).any(axis=1).mean() for name, m in cohort.modalities.items()}
    return {
        TRAINED_UNTIL: until,
        "trained_since": f"{datetime.fromtimestamp(since / 1e6, UTC):%Y-%m-%d}",
        "trained_until": f"{datetime.fromtimestamp(until / 1e6, UTC):%Y-%m-%d}",
        "answers": int(answered.sum()),
        "answers_each": f"{each.min()} to {each.max()}, median {np.median(each):.0f}",
        "people": len(each),
        "measured": ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in measured.items()),
    }


def note(model: MacroMicro, study: Study) -> str:
    """What a person should know of a fit, in a sentence; empty where there is nothing to say."""
    answers, least = model.settings.min_answers, study.training.min_answers
    if model.network is None and "too few" in model.note:
        return f"too few answers to train on (fewer than {max(answers, least)}): the personal baseline is kept"
    return model.note


def reads(model: MacroMicro) -> str:
    """What estimates rest on, in words."""
    used = [] if model.network is None else [name for name in model.standards if name not in model.unused]
    return ", ".join(["earlier answers", *(name.replace("_", " ") for name in used)])


def _log_curve(registry: Registry, run_id: str, curve: Sequence[Mapping[str, float]]) -> None:
    if not curve:
        return
    from mlflow.entities import Metric

    client = registry.client()
    rows = [Metric(k, v, 0, step) for step, figures in enumerate(curve, 1) for k, v in figures.items()]
    for start in range(0, len(rows), 500):
        client.log_batch(run_id, metrics=rows[start : start + 500])
    client.log_figure(run_id, curve_picture(curve), "training.png")
