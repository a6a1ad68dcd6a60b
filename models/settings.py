"""What a fit may be told: seeds, sizes, limits. Defaults are chosen on real self-report studies (`benchmarks/`)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

WEIGHTINGS = ("druw", "equal", "kendall", "dwa", "random", "rruw")


@dataclass(frozen=True)
class Settings:
    """One fit of the macro-micro model.

    `validation` is the share of each person's answers, the latest ones, that decide when to stop. `min_answers` is
    how many labelled rows a fit needs; with fewer the baseline is kept. `coverage` is what intervals aim at.
    `members` networks are averaged; `trees` boosted trees of each loss are asked beside them, none with 0.
    `nightly_share` is how often a training row is seen as a nightly batch would see it. `device` is where networks
    learn, as torch names it (cpu, cuda); estimates never need one. `read_all` reads modalities that showed no worth
    too, to see what they would do.
    """

    seed: int = 0
    max_epochs: int = 120
    patience: int = 12
    batch: int = 512
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    average: float = 0.98
    width: int = 32
    layers: int = 2
    heads: int = 4
    dropout: float = 0.1
    modality_dropout: float = 0.2
    rank: int = 4
    slopes: int = 6
    members: int = 4
    trees: int = 150
    weighting: str = "druw"
    mae_weight: float = 1.0
    nightly_share: float = 0.4
    validation: float = 0.2
    min_answers: int = 100
    coverage: float = 0.9
    threads: int = 2
    device: str = "cpu"
    read_all: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for configurations and experiment logs."""
        return asdict(self)
