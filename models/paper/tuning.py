"""A person's own parameters with the shared ones held still: fine-tuning, and people who come later.

The shared views of all rows are computed once; then only the tables move, for all people at once. So more people do
not retrain anyone, and nobody's answers move anyone else's parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.paper.criteria import Criterion
from models.paper.inputs import Signals
from models.paper.network import PaperNetwork

EVERY = 5  # steps between looks at the held-back answers


@dataclass(frozen=True)
class Answers:
    """Rows with what was answered in units of the span (NaN where not), and which rows are for checking.

    `criterion` says what a network's score means in those units.
    """

    signals: Signals
    values: Tensor
    check: Tensor
    criterion: Criterion


def fine_tune(network: PaperNetwork, given: Answers, steps: int, rate: float) -> Tensor:
    """Tune the tables on each person's rows and keep, per person, the stage that their held-back answers like best.

    A person whose held-back answers are never better off, or who has none, keeps what there was before: at first the
    shared model.

    Returns:
        Which people keep parameters of their own, (people,).
    """
    people = network.personal.people
    tables = dict(network.personal.tables.items())
    best = {n: t.detach().clone() for n, t in tables.items()}
    least = _errors(network, given, given.check, people)
    kept = torch.zeros(people, dtype=torch.bool)
    optimiser = torch.optim.Adam(tables.values(), lr=rate)
    views = _views(network, given.signals)
    for step in range(1, steps + 1):
        optimiser.zero_grad()
        gone = _gone(network, views, given, ~given.check)
        # Each person's own mean error: how many answers others gave does not matter.
        _by_person(gone**2, given.signals.person, people).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if step % EVERY == 0:
            error = _errors(network, given, given.check, people, views)
            better = error < least  # False where there is nothing to check on (NaN)
            least, kept = torch.where(better, error, least), kept | better
            for name, table in tables.items():
                where = better.view(-1, *[1] * (table.dim() - 1))
                best[name] = torch.where(where, table.detach(), best[name])
    _set(network, best)
    return kept


def settle(network: PaperNetwork, given: Answers, first: int, noise: float, steps: int, rate: float) -> None:
    """Most probable tables of the people from place `first` on, under the learned variances; others stay to the bit."""
    tables = dict(network.personal.tables.items())
    before = {n: t.detach().clone() for n, t in tables.items()}
    if not tables:
        return
    mine = (given.signals.person >= first) & ~given.check
    optimiser = torch.optim.Adam(tables.values(), lr=rate)
    views = _views(network, given.signals)
    for _ in range(steps):
        optimiser.zero_grad()
        gone = _gone(network, views, given, mine)
        (0.5 * (gone**2).sum() / noise + network.personal.density()).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    _set(network, {n: torch.cat([before[n][:first], t.detach()[first:]]) for n, t in tables.items()})


def _views(network: PaperNetwork, signals: Signals) -> tuple[Tensor, Tensor]:
    network.eval()
    with torch.no_grad():
        return network.views(signals)


def _gone(network: PaperNetwork, views: tuple[Tensor, Tensor], given: Answers, rows: Tensor) -> Tensor:
    """Errors (rows, items), 0 where nothing was answered or the row does not count."""
    score = given.criterion.value(network.scores(*views, given.signals.person))
    return torch.where(rows[:, None] & ~torch.isnan(given.values), score - torch.nan_to_num(given.values), 0.0)


def _by_person(squares: Tensor, person: Tensor, people: int) -> Tensor:
    """Mean over a person's rows of squared errors summed over items, (people,)."""
    here = (person < people) & (squares.detach().sum(1) > 0)
    total = squares.new_zeros(people).index_add(0, person[here], squares.sum(1)[here])
    return total / squares.new_zeros(people).index_add(0, person[here], torch.ones_like(squares[here, 0])).clamp(min=1)


def _errors(
    network: PaperNetwork, given: Answers, rows: Tensor, people: int, views: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Mean squared error per person over some rows, NaN without any."""
    with torch.no_grad():
        gone = _gone(network, views or _views(network, given.signals), given, rows) ** 2
        counted = (rows[:, None] & ~torch.isnan(given.values)).sum(1).to(gone.dtype)
        here = given.signals.person < people
        person = given.signals.person[here]
        total, count = (gone.new_zeros(people).index_add(0, person, x[here]) for x in (gone.sum(1), counted))
        return torch.where(count > 0, total / count.clamp(min=1), torch.nan)


def _set(network: PaperNetwork, tables: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, table in network.personal.tables.items():
            table.copy_(tables[name])
