"""The facts a plan is made from, read from a home.

No decision is taken here. Everything read is small (the catalogue, the ledgers, the inbox's listing), so that the
sensor may ask every minute and an idle night ends at once; Dagster is not imported. The only thing written is the
note of what was learnt last, by the asset that ends a night.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import date as Date
from urllib.parse import quote

from assets.features.acoustic import ACOUSTIC_UNIT, wanted_acoustic
from assets.features.embedding import VOICE_EMBEDDINGS, wanted_embeddings
from assets.features.physiology import PHYSIOLOGY, wanted_physiology
from assets.features.summary import SUMMARY_UNIT, wanted_summaries
from assets.features.voice_details import VOICE_DETAILS, wanted_details
from assets.ingest.catalogue import uncatalogued
from assets.ingest.recordings import RECORDINGS, wanted_recordings
from assets.lake import Key, Lake
from assets.learning.wishes import macro_wished, wish_macro
from assets.learning.work import code_digest, settings_of
from assets.ledger import digest
from assets.moments.unit import wanted_moments
from assets.study import Home, Study
from assets.units import Unit, stamped
from pipeline.plan import Facts, UnitFacts

Wanted = Callable[[Home, Study, set[Date] | None], Mapping[Key, str]]
Look = Callable[[Home, Study], Facts]

UNITS: tuple[tuple[Unit, Wanted], ...] = (
    (RECORDINGS, wanted_recordings),
    (PHYSIOLOGY, wanted_physiology),
    (SUMMARY_UNIT, wanted_summaries),
    (ACOUSTIC_UNIT, wanted_acoustic),
    (VOICE_DETAILS, wanted_details),
    (VOICE_EMBEDDINGS, wanted_embeddings),
)
LEARNT = "ledger/learnt.json"


def look(home: Home, study: Study, settle_seconds: float = 0.0) -> Facts:
    """Where the study stands now; files changed more recently than `settle_seconds` do not count as arrived."""
    units = [
        UnitFacts(unit.name, unit.code, wanted(home, study, None), dict(stamped(home, unit))) for unit, wanted in UNITS
    ]
    return Facts(uncatalogued(home, settle_seconds, study), units, learnable(home, study), learnt(home))


def look_settled(home: Home, study: Study) -> Facts:
    """The same for the daemon, which leaves files alone that may still be copied."""
    return look(home, study, study.reading.settle_seconds)


def learnable(home: Home, study: Study) -> str | None:
    """One hash over all that learning works from; None where nobody has answered yet."""
    moments = wanted_moments(home, study)
    if not moments:
        return None
    settings = [settings_of(study).as_dict(), study.gate.model_dump(mode="json"), code_digest()]
    return digest(sorted((str(key.participant), inputs) for key, inputs in moments.items()), settings)


def learnt(home: Home) -> str | None:
    """The hash of what the last complete night learnt from; None where its model is gone or a macro night is wished."""
    data = None if macro_wished(home) else Lake(home.lake).read_bytes(LEARNT)
    return str(json.loads(data)["inputs"]) if data and _registered(home) else None


def _registered(home: Home) -> bool:
    """Whether MLflow's database, read without MLflow, has a version that an alias names; a busy one counts as yes."""
    path = home.mlflow / "mlflow.db"
    if not path.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=1.0)) as database:
            return bool(database.execute("SELECT count(*) FROM registered_model_aliases").fetchone()[0])
    except sqlite3.Error:
        return True  # locked, or damaged: the night or `doctor` says so; learning anew would not mend it


def note_learnt(home: Home, study: Study) -> None:
    """Say that a night has learnt from everything there is now, as it was wished."""
    wish_macro(home, wished=False)
    Lake(home.lake).write_bytes(LEARNT, json.dumps({"inputs": learnable(home, study)}).encode())
