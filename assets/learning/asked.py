"""Tables of protocols that no night makes: P1 and P3, computed when somebody asks, and kept until something changes.

P2 and P2N are the nightly `evaluation.py`; where that is up to date it is read, not made again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from assets.lake import Lake
from assets.learning.evaluation import plain, read_evaluation
from assets.learning.work import gap_of, learning_inputs, settings_of
from assets.moments.cohort import load_cohort
from assets.study import Home, Study
from models.errors import ModelError

NIGHTLY, ASKED = ("P2", "P2N"), ("P1", "P3")
Say = Callable[[str, float], None]
Tables = dict[str, dict[str, Any]]


def protocol_tables(home: Home, study: Study, protocols: Sequence[str], progress: Say | None = None) -> Tables:
    """The tables of some protocols, `table[protocol][model][figure]`; P3 gives one table for each number of answers.

    Raises:
        ModelError: a protocol is unknown, or nobody has answered.
        MacromicroError: P2 or P2N is asked for and no night has evaluated anything yet.
    """
    unknown = [p for p in protocols if p not in (*NIGHTLY, *ASKED)]
    if unknown:
        message = f"no protocol is called {unknown[0]!r}; there are {', '.join(sorted((*NIGHTLY, *ASKED)))}"
        raise ModelError(message)
    tables: Tables = {}
    for protocol in protocols:
        if protocol in NIGHTLY:
            tables[protocol] = read_evaluation(home).get(protocol, {})
        else:
            tables |= _kept(home, study, protocol, progress)
    return tables


def _kept(home: Home, study: Study, protocol: str, progress: Say | None) -> Tables:
    lake, inputs, file = Lake(home.lake), learning_inputs(home, study), f"evaluation/{protocol}.json"
    stored = lake.read_bytes(file)
    if stored and json.loads(stored)["inputs"] == inputs:
        kept: Tables = json.loads(stored)["table"]
        return kept
    cohort = load_cohort(home, study)
    if not cohort.labelled.any():
        message = f"{home.root} holds no answers yet. Run: macromicro run"
        raise ModelError(message)
    settings = settings_of(study)
    if protocol == "P3":
        from models.newcomers import evaluate_newcomers

        made = evaluate_newcomers(cohort, settings, progress=progress)
    else:
        from models.evaluation import evaluate

        made = evaluate(cohort, settings, (protocol,), progress=progress, gap_h=gap_of(study)).table
    table: Tables = plain(made)
    lake.write_bytes(file, json.dumps({"inputs": inputs, "table": table}, sort_keys=True).encode())
    return table
