"""The truth of a simulated study: a table beside the inbox, with the settings it was drawn from.

One row per prompt and item; `answer` is null where the prompt was missed. The settings stand in the file's own
metadata, so that a second `simulate` knows whether it goes on with the same study.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from assets.simulated.loadings import FACTORS
from assets.simulated.world import World

_SETTINGS = b"macromicro.simulated"


def truth(world: World) -> pl.DataFrame:
    """`participant, time_us, item, level, oracle, oracle_without_senses, answer` and the factors.

    `level` is what the person feels on the item's scale; `oracle` predicts the answer from earlier answers and the
    body and voice at the time, with every true parameter known; `oracle_without_senses` from earlier answers only.
    """
    items, people, prompts = len(world.items.names), len(world.courses), len(world.courses[0].day)
    factors = np.stack([c.factors for c in world.courses]).repeat(items, axis=1).reshape(-1, len(FACTORS))
    return pl.DataFrame(
        {
            "participant": np.repeat([c.person.code for c in world.courses], prompts * items),
            "time_us": np.stack([c.time_us for c in world.courses]).repeat(items),
            "item": np.tile(world.items.names, people * prompts),
            "level": np.stack([c.level for c in world.courses]).ravel(),
            "oracle": world.predicted.ravel(),
            "oracle_without_senses": world.predicted_blind.ravel(),
            "answer": world.answers.ravel(),
            **{name: factors[:, n] for n, name in enumerate(FACTORS)},
        }
    ).with_columns(pl.col("answer").fill_nan(None))


def write_truth(path: Path, frame: pl.DataFrame, settings: dict[str, object]) -> None:
    """Write the table in one step, settings in its metadata."""
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    temporary = path.with_name(f".{path.name}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata({_SETTINGS: json.dumps(settings, sort_keys=True).encode()}), temporary)
    temporary.replace(path)


def settings_of(path: Path) -> dict[str, object] | None:
    """The settings a truth was drawn from; None where there is none."""
    if not path.is_file():
        return None
    metadata = pq.read_schema(path).metadata or {}
    settings: dict[str, object] | None = json.loads(metadata.get(_SETTINGS, b"null"))
    return settings
