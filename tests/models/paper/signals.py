"""Made-up signals of three modalities for tests of networks: no cohort, no files."""

import torch

from models.paper.inputs import Signals

SIZES = {"hrv": 4, "voice": 3, "clock": 6}


def some(rows: int = 12, people: int = 3, seed: int = 0) -> Signals:
    """Rows of `people` known people and one unknown, everything present."""
    random = torch.Generator().manual_seed(seed)
    return Signals(
        {m: torch.randn(rows, n, generator=random) for m, n in SIZES.items()},
        {m: torch.ones(rows, n, dtype=torch.bool) for m, n in SIZES.items()},
        torch.arange(rows) % (people + 1),
    )
