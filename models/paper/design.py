"""What one cell of the paper's grid is made of, and the settings that all cells share.

The grid rebuilds Song et al. 2024 (JMIR Mental Health 11:e59512): how modalities are fused, what is kept per person,
and how the items' losses are weighted. Running it belongs to `grid.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from models.errors import ModelError
from models.paper.criteria import CRITERIA
from models.paper.fusion import FUSIONS
from models.paper.personal import PERSONALISATIONS
from models.weighting import KINDS as WEIGHTINGS

GRIDS: dict[str, tuple[Sequence[str], Sequence[str], Sequence[str], Sequence[str]]] = {
    "small": (("concatenation", "attention", "late"), ("none", "heads"), ("equal", "druw"), ("ccc",)),
    "paper": (tuple(FUSIONS), tuple(PERSONALISATIONS), tuple(WEIGHTINGS), ("ccc",)),
    "losses": (("attention",), ("none", "heads"), ("equal", "kendall"), tuple(CRITERIA)),
}


@dataclass(frozen=True, order=True)
class Design:
    """One cell: fusion, personalisation, weighting of the items' losses, and the loss."""

    fusion: str = "attention"
    personalisation: str = "heads"
    weighting: str = "druw"
    loss: str = "ccc"

    def __post_init__(self) -> None:
        known: dict[str, Iterable[str]] = {
            "fusion": FUSIONS,
            "personalisation": PERSONALISATIONS,
            "weighting": WEIGHTINGS,
            "loss": CRITERIA,
        }
        for part, names in known.items():
            if getattr(self, part) not in names:
                message = f"no {part} is called {getattr(self, part)!r}; there are {', '.join(names)}"
                raise ModelError(message)

    @property
    def name(self) -> str:
        """`fusion/personalisation/weighting`, and the loss where it is not the paper's."""
        parts = (self.fusion, self.personalisation, self.weighting)
        return "/".join(parts if self.loss == "ccc" else (*parts, self.loss))


@dataclass(frozen=True)
class PaperSettings:
    """Sizes and limits of one cell's training. `validation` is the share of each person's latest answers that stop it.

    `tuning` is how many steps a person's own parameters take where the shared ones stay (new people, fine-tuning).
    """

    seed: int = 0
    max_epochs: int = 40
    patience: int = 6
    batch: int = 256
    learning_rate: float = 2e-3
    personal_rate: float = 1e-2
    weight_decay: float = 0.02
    width: int = 32
    layers: int = 1
    heads: int = 4
    rank: int = 4
    dropout: float = 0.1
    modality_dropout: float = 0.1
    validation: float = 0.25
    tuning: int = 60

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for digests and experiment logs."""
        return asdict(self)


def cells(grid: str) -> list[Design]:
    """Every design of a grid, in a fixed order.

    Raises:
        ModelError: no grid has this name.
    """
    if grid not in GRIDS:
        message = f"no grid is called {grid!r}; there are {', '.join(GRIDS)}"
        raise ModelError(message)
    return [Design(*parts) for parts in product(*GRIDS[grid])]
