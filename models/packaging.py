"""A fitted model as a folder: `weights.safetensors`, `model.json`, and back, to the same numbers.

No pickle anywhere: loading a folder runs no code from it. The JSON holds settings, items, feature names, study codes
of the people with parameters of their own, and a hash of the feature schema that a caller can compare before
predicting. Registering belongs to `registry.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays

from models.cohort import Item
from models.ensemble import Ensemble, Shapes, shapes
from models.errors import ModelError
from models.forest import Forest
from models.intervals import Intervals
from models.macro_micro import NEVER, NIGHTLY, ONLINE, VIEWS, MacroMicro
from models.mix import Mix
from models.settings import Settings
from models.standardise import Standard
from models.state_space import PARTS, Population

FORMAT = 5
WEIGHTS, FIGURES, CONFIGURATION = "network.safetensors", "figures.safetensors", "model.json"


def schema_hash(items: Sequence[Item], features: Mapping[str, Sequence[str]]) -> str:
    """SHA-256 of the items with their scales and the features by modality, in order."""
    content = {"items": [[i.name, i.low, i.high] for i in items], "features": {m: list(f) for m, f in features.items()}}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def save(model: MacroMicro, folder: Path) -> None:
    """Write a model into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration = {
        "format": FORMAT,
        "schema": schema_hash(model.items, model.features),
        "settings": model.settings.as_dict(),
        "items": [[i.name, i.low, i.high] for i in model.items],
        "features": {m: list(f) for m, f in model.features.items()},
        "participants": list(model.participants),
        "macro_people": model.macro_people,
        "members": 0 if model.network is None else len(model.network),
        "mixes": {name: [mix.weights, mix.factor, mix.drawn] for name, mix in model.mixes.items()},
        "unused": list(model.unused),
        "note": model.note,
        "curve": model.curve,
    }
    (folder / CONFIGURATION).write_text(json.dumps(configuration, indent=1, ensure_ascii=False), encoding="utf-8")
    save_arrays({n: np.ascontiguousarray(v) for n, v in _figures(model).items()}, folder / FIGURES)
    if model.network is not None:
        each = model.network.numbers.items()
        save_arrays({f"members.{k}.{n}": np.array(v[k]) for n, v in each for k in range(len(v))}, folder / WEIGHTS)


def load(folder: Path) -> MacroMicro:
    """Read a model back.

    Raises:
        ModelError: the folder holds no model, one of another format, or one whose parts do not fit together.
    """
    try:
        told = json.loads((folder / CONFIGURATION).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"{folder} holds no stored model: {CONFIGURATION} is absent or broken"
        raise ModelError(message) from error
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        found = told.get("format") if isinstance(told, dict) else None
        message = f"{folder} holds a model of format {found}; this version reads format {FORMAT}"
        raise ModelError(message)
    try:
        model = _assembled(folder, told)
        _fits_together(model)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"{folder}: parts of the stored model are missing or do not fit together: {error!r}"
        raise ModelError(message) from error
    return model


def items_in(folder: Path) -> tuple[Item, ...]:
    """The items of a stored model with their scales."""
    return _items(json.loads((folder / CONFIGURATION).read_text(encoding="utf-8")))


def _items(told: Mapping[str, Any]) -> tuple[Item, ...]:
    return tuple(Item(name, low, high) for name, low, high in told["items"])


def _assembled(folder: Path, told: Mapping[str, Any]) -> MacroMicro:
    items = _items(told)
    features = {m: tuple(f) for m, f in told["features"].items()}
    if schema_hash(items, features) != told["schema"]:
        message = f"{folder}: items or features of {CONFIGURATION} were changed after the model was stored"
        raise ModelError(message)
    settings = Settings(**told["settings"])
    figures = _arrays(folder, FIGURES)
    expected = shapes(settings, len(items), len(told["participants"]), {m: len(f) for m, f in features.items()})
    network = _ensemble(folder, told["members"], expected, settings.heads) if told["members"] else None
    return MacroMicro(
        settings=settings,
        items=items,
        features=features,
        participants=tuple(told["participants"]),
        population=Population(*(figures[f"population.{n}"] for n in ("mean", "noise_var", "var", "rate_h"))),
        relation=figures["relation"],
        standards={m: Standard(*(figures[f"standard.{m}.{n}"] for n in _STANDARD)) for m in features},
        network=network,
        intervals={
            view: Intervals(figures[f"{view}.below"], figures[f"{view}.above"])
            for view in VIEWS
            if f"{view}.below" in figures
        },
        macro_people=told.get("macro_people", len(told["participants"])),
        forest=Forest(**{f.name: figures[f"forest.{f.name}"] for f in fields(Forest)}) if told["mixes"] else None,
        mixes={
            n: Mix(tuple(weights), factor, figures[f"{n}.centre"], figures[f"{n}.steps"], drawn)
            for n, (weights, factor, drawn) in told["mixes"].items()
        },
        answered_until=figures.get("answered_until", np.full(len(told["participants"]), NEVER)),
        unused=tuple(told.get("unused", ())),
        note=told["note"],
        curve=told["curve"],
    )


_STANDARD = ("mean", "within", "between")


def _fits_together(model: MacroMicro) -> None:
    """Every figure has the shape that items and people ask for; parts of two models read well and say nonsense."""
    items, people = len(model.items), len(model.participants)
    each = [model.population.mean, model.population.noise_var]
    each += [end for view in model.intervals.values() for end in (view.below, view.above)]
    each += [figure for mix in model.mixes.values() for figure in (mix.centre, mix.steps)]
    parts = (model.population.var, model.population.rate_h)
    wrong = [
        any(figure.shape != (items,) for figure in each),
        any(figure.shape != (items, PARTS) for figure in parts),
        model.relation.shape != (items, items),
        model.answered_until.shape != (people,) or len(set(model.participants)) != people,
        not {ONLINE, NIGHTLY} <= model.intervals.keys(),
    ]
    if any(wrong):
        message = f"figures are not those of {items} items and {people} people"
        raise ValueError(message)


def _ensemble(folder: Path, members: int, expected: Shapes, heads: int) -> Ensemble:
    stored = _arrays(folder, WEIGHTS)
    wanted = {f"members.{k}.{name}": shape for k in range(members) for name, shape in expected.items()}
    wrong = sorted(n for n in wanted.keys() | stored.keys() if n not in stored or stored[n].shape != wanted.get(n))
    if wrong:
        message = f"{folder}: {WEIGHTS} does not fit {CONFIGURATION}: {wrong[0]} is missing, unknown or of other shape"
        raise ModelError(message)
    return Ensemble.of([{name: stored[f"members.{k}.{name}"] for name in expected} for k in range(members)], heads)


def _arrays(folder: Path, name: str) -> dict[str, Any]:
    try:
        return dict(load_arrays(folder / name))
    except (OSError, SafetensorError) as error:
        message = f"{folder}: {name} is absent or broken: {error}"
        raise ModelError(message) from error


def _figures(model: MacroMicro) -> dict[str, Any]:
    out = {f"population.{n}": getattr(model.population, n) for n in ("mean", "noise_var", "var", "rate_h")}
    out["relation"] = model.relation
    out["answered_until"] = model.answered_until
    for name, standard in model.standards.items():
        out |= {f"standard.{name}.{n}": getattr(standard, n) for n in _STANDARD}
    for name, interval in model.intervals.items():
        out |= {f"{name}.below": interval.below, f"{name}.above": interval.above}
    if model.forest is not None:
        out |= {f"forest.{f.name}": getattr(model.forest, f.name) for f in fields(Forest)}
        for name, mix in model.mixes.items():
            out |= {f"{name}.centre": mix.centre, f"{name}.steps": mix.steps}
    return out
