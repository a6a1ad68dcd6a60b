"""The gate at work: what the newest version and the champion said of the same answers, and what follows from it.

The rule is `models/gate.py`; this file gathers its evidence, writes the decision on the version and moves the alias.
The evaluation's twin stands for a version that was fitted anew. For one that was updated, each answer since the macro
version is said by the newest version of its line that had not seen it, as on the nights themselves: so the micro
updates are judged by what they were worth so far (`docs/decisions/0004`). Tags come before the alias, so that a
champion always carries the decision that made it one; a night killed between the two decides again, from the same
evidence, and ends the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from assets.features.embedding import model_folder
from assets.features.wav2vec import licence
from assets.lake import Lake
from assets.learning.card import card, pictures
from assets.learning.schedule import BASE, model_of
from assets.learning.tables import EVALUATION, PREQUENTIAL
from assets.learning.work import registry_of
from assets.moments.cohort import load_moments
from assets.moments.table import items_of, modalities
from assets.study import Home, Study
from models.cohort import Floats
from models.errors import ModelError
from models.gate import Decision, Evidence, decide
from models.registry import CHALLENGER, CHAMPION, Registry, Version
from models.tables import cohort_from_frame

if TYPE_CHECKING:
    from models.macro_micro import MacroMicro

PROMOTED, DECLINED = "promoted", "declined"


@dataclass(frozen=True)
class Said:
    """Estimates of some rows, each (rows, items) in scale units."""

    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Judged:
    """The version judged, against which (None: the personal baseline), and how; `decision` None: it is champion."""

    version: Version
    against: Version | None
    decision: Decision | None


def judge(home: Home, study: Study) -> Judged | None:
    """Let the gate decide on the newest version, and do as it says; None where nothing was ever registered."""
    registry = registry_of(home, study)
    if not registry.versions():
        return None
    challenger, champion = registry.aliased(CHALLENGER), registry.champion()
    if champion is not None and champion.number == challenger.number:
        return Judged(challenger, champion, None)
    decision, against = _decide(home, study, registry, champion)
    registry.tag(
        challenger,
        {
            "gate": PROMOTED if decision.promote else DECLINED,
            "gate_reason": decision.reason,
            "gate_against": str(against.number) if against else "baseline",
            "gate_figures": decision.figures,
        },
    )
    registry.log_metrics(challenger, {**_figures(home), **{f"gate.{k}": v for k, v in decision.figures.items()}})
    _describe(home, study, registry, registry.version(challenger.number))
    if decision.promote:
        registry.point(CHAMPION, challenger)
    return Judged(registry.version(challenger.number), against, decision)


def _decide(home: Home, study: Study, registry: Registry, champion: Version | None) -> tuple[Decision, Version | None]:
    evidence, twin, baseline, rows = _evidence(home, study)
    moments = load_moments(home, study)
    challenger = _line_said(study, registry, twin, rows, moments)
    said = _champion_said(study, registry, champion, rows, moments) if champion else None
    if champion is None or said is None:
        return decide(evidence, challenger, baseline, study.gate, first=True, seed=study.training.seed), None
    new = (rows["time_us"] > champion.trained_until_us).to_numpy()
    mine, theirs = (Said(s.value[new], s.low[new], s.high[new]) for s in (challenger, said))
    return decide(evidence.take(new), mine, theirs, study.gate, seed=study.training.seed), champion


def _evidence(home: Home, study: Study) -> tuple[Evidence, Said, Said, pl.DataFrame]:
    """The test answers, what the evaluation twin and the personal baseline said of them, and which rows they are."""
    items = items_of(study)
    place = pl.col("item").replace_strict({i.name: n for n, i in enumerate(items)}, return_dtype=pl.Int64())
    long = Lake(home.lake).read(PREQUENTIAL).sort("participant", "time_us", place)
    rows = long.select("participant", "time_us").unique(maintain_order=True)

    def wide(name: str) -> Floats:
        return long[name].fill_null(np.nan).to_numpy().reshape(-1, len(items))

    person = rows["participant"].rank("dense").cast(pl.Int64).to_numpy() - 1
    evidence = Evidence(wide("answer"), person, np.array([i.high - i.low for i in items]))
    baseline = wide("baseline")
    twin = Said(wide("value"), wide("low"), wide("high"))
    return evidence, twin, Said(baseline, baseline, baseline), rows


def _champion_said(
    study: Study, registry: Registry, champion: Version, rows: pl.DataFrame, moments: pl.DataFrame
) -> Said | None:
    """The champion's own predictions of the rows, online; None where the two cannot be compared.

    That is where it knows other items than the study now has, or was stored in a form this code no longer reads.
    """
    try:
        model = model_of(registry, champion)
    except ModelError:
        return None
    return _said(study, model, rows, moments) if tuple(model.items) == items_of(study) else None


def _line_said(study: Study, registry: Registry, twin: Said, rows: pl.DataFrame, moments: pl.DataFrame) -> Said:
    """What stands for the challenger: the twin, and for answers since its macro version the line of updates.

    A version says the answers that came after its own training and before that of the next one; where its files are
    gone, the one before it says them.
    """
    time_us = rows["time_us"].to_numpy()
    parts = [getattr(twin, end).copy() for end in ("value", "low", "high")]
    line = _readable(registry, line_of(registry.versions(), registry.aliased(CHALLENGER)))
    ends = [*(v.trained_until_us for v, _ in line[1:]), np.iinfo(np.int64).max]
    for (version, model), until in zip(line, ends, strict=bool(line)):
        asked = (time_us > version.trained_until_us) & (time_us <= until)
        if asked.any():
            said = _said(study, model, rows.filter(asked), moments)
            for part, end in zip(parts, (said.value, said.low, said.high), strict=True):
                part[asked] = end
    return Said(*parts)


def _readable(registry: Registry, versions: Sequence[Version]) -> list[tuple[Version, MacroMicro]]:
    found = []
    for version in versions:
        with suppress(ModelError):
            found.append((version, model_of(registry, version)))
    return found


def line_of(versions: Sequence[Version], challenger: Version) -> list[Version]:
    """The macro version of an updated challenger and the updates before it, oldest first; none where it was fitted."""
    base = challenger.tags.get(BASE)
    if base is None:
        return []
    line = [v for v in versions if v.number < challenger.number and base in {str(v.number), v.tags.get(BASE)}]
    return sorted(line, key=lambda v: (v.trained_until_us, v.number))


def _said(study: Study, model: MacroMicro, rows: pl.DataFrame, moments: pl.DataFrame) -> Said:
    """A model's predictions of some rows of the moments, online."""
    cohort = cohort_from_frame(moments, items_of(study), {**modalities(study), **model.features})
    places = moments.select("participant", "time_us").with_row_index("row")
    found = rows.join(places, on=["participant", "time_us"], how="left", maintain_order="left")
    said = model.predict(cohort, found["row"].to_numpy().astype(np.int64))
    return Said(said.value, said.low, said.high)


def _describe(home: Home, study: Study, registry: Registry, version: Version) -> None:
    """Put the model card and its pictures beside the version: artifacts of its run, and its description."""
    lake = Lake(home.lake)
    table: dict[str, dict[str, dict[str, float | None]]] = {}
    for protocol, model, figure, value in lake.read(EVALUATION).iter_rows():
        table.setdefault(protocol, {}).setdefault(model, {})[figure] = value
    heard = licence(model_folder(home, study)) if study.features.embedding_model else ""
    told = card(version, study, table, embedding_licence=heard)
    registry.describe(version, told, pictures(lake.read(PREQUENTIAL), study))


def _figures(home: Home) -> dict[str, float]:
    """The evaluation's table as metrics of the night's run; those of single items stay in the lake."""
    table = Lake(home.lake).read(EVALUATION).drop_nulls("value").filter(~pl.col("figure").str.starts_with("items."))
    return {f"{p}.{m}.{f}": v for p, m, f, v in table.select("protocol", "model", "figure", "value").iter_rows()}
