"""A person's own parameters with the shared ones held still: fine-tuning, and people who come later.

The shared views of all rows are computed once; then only the tables move, for all people at once. So more people do
not retrain anyone, and nobody's answers move anyone else's parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.paper.criteria import Criterion
from models.paper.design import PaperSettings
from models.paper.inputs import Signals
from models.paper.network import PaperNetwork

EVERY = 5  # steps between which variances are learned


@dataclass(frozen=True)
class Answers:
    """Rows with what was answered in units of the span (NaN where not), and which rows are for checking.

    `criterion` says what a network's score means in those units.
    """

    signals: Signals
    values: Tensor
    check: Tensor
    criterion: Criterion


def settle(
    network: PaperNetwork, given: Answers, first: int, noise: float, settings: PaperSettings, *, spread: bool = False
) -> None:
    """Most probable tables of the people from place `first` on, under their learned variances; others stay to the bit.

    Rows for checking are not looked at.

    Args:
        network: with room for everybody; what is shared stays.
        given: rows of those people.
        first: the first place that moves.
        noise: variance of what is left of an answer, in units of the span.
        settings: how many steps, and how large.
        spread: whether the variances are learned too, as far as they have not been.
    """
    tables, mine = dict(network.personal.tables.items()), (given.signals.person >= first) & ~given.check
    if not tables:
        return
    before = _copies(tables)
    optimiser = torch.optim.Adam(tables.values(), lr=settings.personal_rate)
    views = _views(network, given.signals)
    for step in range(1, settings.tuning + 1):
        optimiser.zero_grad()
        gone = _gone(network, views, given, mine)
        (0.5 * (gone**2).sum() / noise + network.personal.density()).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if spread and step % EVERY == 0:
            network.personal.learn_spread(int(mine.sum()) / network.personal.people, noise)
    _set(network, {n: torch.cat([before[n][:first], t.detach()[first:]]) for n, t in tables.items()})


def keep_if_better(network: PaperNetwork, given: Answers, first: int) -> int:
    """Take back to the macro model whoever's held-back answers it says no worse, or who has none.

    Held-back answers have moved nothing and are asked once. People before place `first` stay.

    Returns:
        How many people keep parameters of their own, from `first` on.
    """
    people, tables = network.personal.people, _copies(dict(network.personal.tables.items()))
    views = _views(network, given.signals)
    own = _errors(network, given, views, people)
    _set(network, {n: torch.cat([t[:first], torch.zeros_like(t[first:])]) for n, t in tables.items()})
    better = own < _errors(network, given, views, people)  # False where there is nothing to check on (NaN)
    better[:first] = True
    _set(network, {n: torch.where(better.view(-1, *[1] * (t.dim() - 1)), t, 0.0) for n, t in tables.items()})
    return int(better[first:].sum())


def _copies(tables: dict[str, nn.Parameter]) -> dict[str, Tensor]:
    return {n: t.detach().clone() for n, t in tables.items()}


def _views(network: PaperNetwork, signals: Signals) -> tuple[Tensor, Tensor]:
    network.eval()
    with torch.no_grad():
        return network.views(signals)


def _gone(network: PaperNetwork, views: tuple[Tensor, Tensor], given: Answers, rows: Tensor) -> Tensor:
    """Errors (rows, items), 0 where nothing was answered or the row does not count."""
    score = given.criterion.value(network.scores(*views, given.signals.person))
    return torch.where(rows[:, None] & ~torch.isnan(given.values), score - torch.nan_to_num(given.values), 0.0)


def _errors(network: PaperNetwork, given: Answers, views: tuple[Tensor, Tensor], people: int) -> Tensor:
    """Mean squared error of each person's rows for checking, NaN without any."""
    with torch.no_grad():
        gone = _gone(network, views, given, given.check) ** 2
        counted = (given.check[:, None] & ~torch.isnan(given.values)).sum(1).to(gone.dtype)
        here = given.signals.person < people
        person = given.signals.person[here]
        total, count = (gone.new_zeros(people).index_add(0, person, x[here]) for x in (gone.sum(1), counted))
        return torch.where(count > 0, total / count.clamp(min=1), torch.nan)


def _set(network: PaperNetwork, tables: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, table in network.personal.tables.items():
            table.copy_(tables[name])
