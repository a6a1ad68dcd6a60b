"""Tables that no night makes, computed when somebody asks, and kept until something changes.

P1 and P3; and any protocol fitted with another seed, or as a control with each person's answers in random order. P2 and
P2N as they are come from the nightly `evaluation.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assets.lake import Lake
from assets.learning.evaluation import plain, read_evaluation
from assets.learning.work import gap_of, learning_inputs, settings_of
from assets.ledger import digest
from assets.moments.cohort import load_cohort
from assets.study import Home, Study
from models.errors import ModelError

NIGHTLY, ASKED = ("P2", "P2N"), ("P1", "P3")
Say = Callable[[str, float], None]
Tables = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Variant:
    """How an evaluation differs from a night's: `more` seeds further on, answers `permuted` within each person."""

    more: int = 0
    permuted: bool = False

    @property
    def plain(self) -> bool:
        """Whether it differs in nothing."""
        return self == Variant()

    def file(self, protocols: Sequence[str]) -> str:
        """Where in the lake tables of it are kept."""
        marks = [f"seed+{self.more}"] * (self.more > 0) + ["permuted"] * self.permuted
        return f"evaluation/{'-'.join([protocols[0], *marks])}.json"


def protocol_tables(
    home: Home, study: Study, protocols: Sequence[str], progress: Say | None = None, variant: Variant | None = None
) -> Tables:
    """The tables of some protocols, `table[protocol][model][figure]`; P3 gives one table for each number of answers.

    Raises:
        ModelError: a protocol is unknown, or nobody has answered.
        MacromicroError: P2 or P2N is asked for and no night has evaluated anything yet.
    """
    variant = variant or Variant()
    unknown = [p for p in protocols if p not in (*NIGHTLY, *ASKED)]
    if unknown:
        message = f"no protocol is called {unknown[0]!r}; there are {', '.join(sorted((*NIGHTLY, *ASKED)))}"
        raise ModelError(message)
    tables: Tables = {}
    for protocol in protocols:
        if protocol in NIGHTLY:  # one fit serves both
            made = read_evaluation(home) if variant.plain else _kept(home, study, NIGHTLY, variant, progress)
            tables[protocol] = made.get(protocol, {})
        else:
            tables |= _kept(home, study, (protocol,), variant, progress)
    return tables


def _kept(home: Home, study: Study, protocols: Sequence[str], variant: Variant, progress: Say | None) -> Tables:
    lake, file = Lake(home.lake), variant.file(protocols)
    inputs = digest(learning_inputs(home, study), gap_of(study))
    stored = lake.read_bytes(file)
    if stored and json.loads(stored)["inputs"] == inputs:
        kept: Tables = json.loads(stored)["table"]
        return kept
    cohort = load_cohort(home, study)
    if not cohort.labelled.any():
        message = f"{home.root} holds no answers yet. Run: macromicro run"
        raise ModelError(message)
    settings = settings_of(study)
    settings = replace(settings, seed=settings.seed + variant.more)
    if variant.permuted:
        from models.controls import permuted

        cohort = permuted(cohort, settings.seed)
    if "P3" in protocols:
        from models.newcomers import evaluate_newcomers

        made = evaluate_newcomers(cohort, settings, progress=progress)
    else:
        from models.evaluation import evaluate

        made = evaluate(cohort, settings, protocols, progress=progress, gap_h=gap_of(study)).table
    table: Tables = plain(made)
    lake.write_bytes(file, json.dumps({"inputs": inputs, "table": table}, sort_keys=True).encode())
    return table
