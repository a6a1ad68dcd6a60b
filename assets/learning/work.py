"""What learning works from and with: its settings, the digest of its inputs, its scratch folder.

The same digest means the same model to the bit: the moments' content, the settings, and the code that fits. So a
night with nothing new finds its version instead of fitting again.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import models
from assets.ledger import digest
from assets.moments.cohort import lookback_h
from assets.moments.table import modalities
from assets.moments.unit import NAME as MOMENTS
from assets.study import Home, Study
from assets.units import stamped
from models.protocols import GAP_H
from models.registry import Registry
from models.settings import Settings

BESIDE_FITTING = {
    "environment.py", "errors.py", "frame.py", "gate.py", "pyfunc.py", "registry.py", "served.py",
}  # fmt: skip
"""Files of `models/` that no figure of a fit or an evaluation depends on."""


def registry_of(home: Home, study: Study) -> Registry:
    """The study's registry."""
    return Registry(home.mlflow, study.study.name)


def settings_of(study: Study) -> Settings:
    """The study's training settings as a fit takes them."""
    training = study.training
    return Settings(
        seed=training.seed,
        max_epochs=training.max_epochs,
        min_answers=training.min_answers,
        members=training.members,
        trees=training.trees,
        weighting=training.weighting,
        device=training.device,
        coverage=study.gate.coverage,
    )


def gap_of(study: Study) -> float:
    """How far test answers of P1 must lie behind training (hours): at least as far as a moment looks back."""
    return max(GAP_H, lookback_h(study))


def learning_inputs(home: Home, study: Study) -> str:
    """One hash over all that a fit depends on: moments, settings, code."""
    return digest(*_moments(home, study), settings_of(study).as_dict(), code_digest())


def recipe(study: Study) -> str:
    """One hash over what a fit is made by, whatever it is made from: settings, items, features, code."""
    items = [(name, item.low, item.high) for name, item in study.items.items()]
    names = {name: list(features) for name, features in modalities(study).items()}
    return digest(settings_of(study).as_dict(), items, names, code_digest())


def moments_digest(home: Home, study: Study) -> str:
    """One hash over the moments and the items' scales."""
    return digest(*_moments(home, study))


def _moments(home: Home, study: Study) -> tuple[list[object], list[object]]:
    moments = sorted((str(key.participant), sorted(stamp.outputs.items())) for key, stamp in stamped(home, MOMENTS))
    return [*moments], [(name, item.low, item.high) for name, item in study.items.items()]


def code_digest() -> str:
    """One hash over the code that decides a fitted model."""
    files = sorted(p for p in Path(models.__file__).parent.glob("*.py") if p.name not in BESIDE_FITTING)
    content = hashlib.sha256()
    for file in files:
        content.update(file.name.encode() + b"\0" + file.read_bytes())
    return content.hexdigest()[:16]


def scratch(home: Home, inputs: str, what: str) -> Path:
    """A folder for checkpoints of one piece of work on these inputs; those of other inputs are removed."""
    base = home.scratch / "learning"
    for old in base.glob("*") if base.exists() else ():
        if old.name != inputs:
            shutil.rmtree(old, ignore_errors=True)
    folder = base / inputs / what
    folder.mkdir(parents=True, exist_ok=True)
    return folder
