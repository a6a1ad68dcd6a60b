"""What is kept per person in paper mode: nothing, heads, FiLM, low-rank adapters, or a fine-tuned head if it is better.

All are tables with one row a person, starting at zero: a row looks its person up (gather) and multiplies (a batched
matrix product), with no loop over people. Place `people`, after the last, is everyone unknown and stays at zero: an
unseen person gets the macro model. Tables are shrunk to the shared parameters under variances that are learned with
them (`models/spread.py`). Fine-tuned heads besides are kept only where the person's own held-back answers are predicted
better (`tuning.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from models.spread import Spread


class Personal(nn.Module):
    """Tables per person by name, all at zero, with a learned SD each; this base keeps none."""

    shared_first = False  # whether the tables wait until the shared parameters are done

    def __init__(self, people: int, shapes: Mapping[str, tuple[int, ...]], sds: Mapping[str, float]) -> None:
        super().__init__()
        self.people = people
        self.tables = nn.ParameterDict({n: nn.Parameter(torch.zeros(people, *shape)) for n, shape in shapes.items()})
        self.log_sd = Spread(sds)

    def modulate(self, views: Tensor, person: Tensor) -> Tensor:  # noqa: ARG002
        """Change views (batch, views, width) by person; the base leaves them."""
        return views

    def correction(self, view: Tensor, person: Tensor) -> Tensor | None:  # noqa: ARG002
        """What a person adds, (batch, items), from the mixed view (batch, width); None where nothing is kept."""
        return None

    def of(self, name: str, person: Tensor) -> Tensor:
        """The rows of a table, zero for unknown people."""
        table = self.tables[name]
        if not self.people:
            return torch.zeros(len(person), *table.shape[1:])
        known = (person < self.people).view(-1, *[1] * (table.dim() - 1))
        return torch.where(known, table.index_select(0, person.clamp(max=self.people - 1)), 0.0)

    def density(self) -> Tensor:
        """Minus the log density of the tables under the variances as they are."""
        return self.log_sd.density(dict(self.tables.items()))

    def learn_spread(self, rows_each: float, noise: float) -> None:
        """Learn each table's variance from the tables as they are.

        Args:
            rows_each: answers that one person brings.
            noise: variance of what is left of an answer, in units of the span.
        """
        self.log_sd.learn(dict(self.tables.items()), dict.fromkeys(self.log_sd.start, rows_each / noise))

    def grown(self, people: int) -> None:
        """Make room for more people, at zero, after the known ones, whose rows stay as they are."""
        for name, table in self.tables.items():
            more = table.new_zeros(people - self.people, *table.shape[1:])
            self.tables[name] = nn.Parameter(torch.cat([table.detach(), more]))
        self.people = people


class Nothing(Personal):
    """The macro model for everyone."""

    def __init__(self, people: int, items: int, width: int, rank: int) -> None:  # noqa: ARG002
        super().__init__(people, {}, {})


class Heads(Personal):
    """A deviation from the shared head and bias per person and item."""

    def __init__(self, people: int, items: int, width: int, rank: int) -> None:  # noqa: ARG002
        super().__init__(people, {"head": (items, width), "bias": (items,)}, {"head": 0.02, "bias": 0.15})

    def correction(self, view: Tensor, person: Tensor) -> Tensor:
        """Own head times view, plus own bias."""
        return _times(self.of("head", person), view) + self.of("bias", person)


class FineTuned(Heads):
    """A head per person, tuned after the shared parameters are done and kept only where it helps the person."""

    shared_first = True


class Film(Personal):
    """A low-rank feature-wise scale and shift of the view (Perez et al. 2018), and a bias."""

    def __init__(self, people: int, items: int, width: int, rank: int) -> None:
        super().__init__(people, {"film": (rank,), "bias": (items,)}, {"film": 0.3, "bias": 0.15})
        self.scale, self.shift = nn.Linear(rank, width, bias=False), nn.Linear(rank, width, bias=False)

    def modulate(self, views: Tensor, person: Tensor) -> Tensor:
        """Scale and shift each view."""
        own = self.of("film", person)
        return torch.as_tensor(views * (1 + self.scale(own))[:, None] + self.shift(own)[:, None])

    def correction(self, view: Tensor, person: Tensor) -> Tensor:  # noqa: ARG002
        """The person's bias."""
        return self.of("bias", person)


class LowRank(Personal):
    """A low-rank adapter of the head (Hu et al. 2021): shared directions, own weights; and a bias."""

    def __init__(self, people: int, items: int, width: int, rank: int) -> None:
        super().__init__(people, {"adapter": (items, rank), "bias": (items,)}, {"adapter": 0.05, "bias": 0.15})
        self.directions = nn.Linear(width, rank, bias=False)

    def correction(self, view: Tensor, person: Tensor) -> Tensor:
        """Own weights times the view along the shared directions, plus own bias."""
        return _times(self.of("adapter", person), self.directions(view)) + self.of("bias", person)


def _times(matrices: Tensor, vectors: Tensor) -> Tensor:
    """A matrix for each row times its vector: `bmm`, written as product and sum, which small matrices like better."""
    return (matrices * vectors[:, None]).sum(-1)


PERSONALISATIONS: dict[str, Callable[[int, int, int, int], Personal]] = {
    "none": Nothing,
    "heads": Heads,
    "film": Film,
    "low_rank": LowRank,
    "fine_tuned": FineTuned,
}
