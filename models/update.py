"""The night's update of the micro layers: new answers move the people who gave them, and nobody and nothing else.

What people share stays bit by bit as the macro fit left it. With that fixed, a network is linear in what is personal,
so what the fit knows of a person is a normal distribution: around their parameters, as narrow as the learned variances
over people and the answers in the fit make it. New answers move it as in a Kalman filter: one small system of equations
a person, all solved side by side; no steps, no learning rate, nothing random. Somebody new starts at zero, which is the
shared model.

Two things are decided on the latest of the new answers, which the first solution has not seen: how much an answer
weighs for everybody (items answered at once and answers hours apart say less than as many independent ones), and for
each person whether the update says them better than before; if not, their parameters stay. An update starts at a macro
fit, never at another update, so that nothing piles up. Fitting what is shared belongs to `fitting.py`, which of the two
a night needs to `assets/learning/schedule.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from models.batch import Batch
from models.cohort import Cohort, Floats, Ints, Mask
from models.fitting import hold_back
from models.history import seen_online
from models.inputs import Inputs, Past
from models.intervals import FINEST, Intervals, calibrate
from models.macro_micro import NEVER, NIGHTLY, ONLINE, MacroMicro, error_scale
from models.network import Network, apart, together
from models.protocols import nightly_view
from models.threads import torch_threads

TRUSTS = (0.03, 0.1, 0.3, 1.0)  # how much an answer may weigh, of what it would if all were independent
ENOUGH = 300  # new self-reports that intervals are calibrated on
ROWS = 2048  # rows at once: bounds memory
OLD, EARLIER, LATER = range(3)  # answers in the macro fit; new ones; the latest of each person's new ones


@dataclass(frozen=True)
class Updated:
    """An updated model, and what happened.

    `asked` people had new answers, `newcomers` of them are new to the model; `moved` have other parameters than before.
    `trust` is the weight of an answer, 0 where none helped; `calibrated` whether the intervals are new.
    """

    model: MacroMicro
    asked: int = 0
    newcomers: int = 0
    moved: int = 0
    trust: float = 0.0
    calibrated: bool = False


def update(model: MacroMicro, cohort: Cohort) -> Updated:
    """Let the answers that a macro fit had not seen move their people's parameters.

    Args:
        model: a macro fit; it stays as it is.
        cohort: all moments there are now, with the model's items and features.

    Returns:
        The updated model. Parameters of people without new answers and all that is shared are the same to the bit;
        how much an answer weighs and the intervals' widths are learned from the new answers of everybody whom the macro
        fit knew, together: who joins changes nothing for them.

    Raises:
        CohortError: the cohort's items or features are not the model's.
    """
    cohort.check(model.items, model.features)
    new = model.unseen(cohort)
    asked = np.unique(cohort.person[new])
    if not len(asked):
        return Updated(replace(model))
    mine = np.isin(cohort.person, asked)
    cohort, new = cohort.take(mine), new[mine]
    wide = _with_newcomers(model, cohort, new)
    with torch_threads(model.settings.threads), torch.no_grad():
        work = _Work.of(wide, cohort, new, asked)
        intervals = work.calibrated()
        trust, moved = _move(wide, work)
    wide.intervals = wide.intervals | intervals  # those of newcomers are their own until the next macro fit
    newcomers = len(wide.participants) - len(model.participants)
    return Updated(wide, len(asked), newcomers, moved, trust, calibrated=bool(intervals))


def _with_newcomers(model: MacroMicro, cohort: Cohort, new: Mask) -> MacroMicro:
    """A copy with a place for everybody who answered, which knows until when it has their answers."""
    last = cohort.largest(cohort.time_us, new, NEVER)
    until = dict(zip(model.participants, model.answered_until.tolist(), strict=True))
    until |= {cohort.participants[p]: int(last[p]) for p in np.unique(cohort.person[new])}
    return replace(
        model,
        participants=tuple(until),
        answered_until=np.array(list(until.values()), dtype=np.int64),
        network=None if model.network is None else model.network.wide(len(until)),
        intervals=dict(model.intervals),
    )


@dataclass(frozen=True)
class _View:
    """Everybody's rows as one view sees them; `parts` are what is said of the new ones without update.

    `newcomers` tells which of the new rows are of people whom the macro fit did not know.
    """

    name: str
    weight: float
    inputs: Inputs
    scale: Floats
    parts: Floats
    newcomers: Mask

    @classmethod
    def of(cls, model: MacroMicro, cohort: Cohort, seen: Ints, name: str, new: Mask) -> _View:
        past, share = Past.of(cohort, model.population, model.relation), model.settings.nightly_share
        inputs = model.inputs(past, seen)
        rows = inputs.take(new)
        weight = share if name == NIGHTLY else 1 - share
        newcomers = model.newcomers(rows, rows.person)
        return cls(name, weight, inputs, error_scale(past, seen)[new], model.parts(rows), newcomers)

    @property
    def before(self) -> Floats:
        """What the network says of the new rows, (rows, items) in units of the span."""
        return self.parts[..., 0]


@dataclass(frozen=True)
class _Work:
    """Everything of the people asked; rows are theirs alone.

    `person` (rows,) counts among them, `place` (people,) says where the model keeps them; `unit` (rows, items) are
    answers in units of the span, NaN where there is none.
    """

    model: MacroMicro
    views: tuple[_View, ...]
    answers: Floats
    unit: Floats
    person: Ints
    place: Ints
    kind: Ints

    @classmethod
    def of(cls, model: MacroMicro, cohort: Cohort, new: Mask, asked: Ints) -> _Work:
        seeing = {ONLINE: (cohort, seen_online(cohort)), NIGHTLY: nightly_view(cohort)}
        views = tuple(_View.of(model, c, seen, name, new) for name, (c, seen) in seeing.items())
        fresh = replace(cohort, answers=np.where(new[:, None], cohort.answers, np.nan))
        later = hold_back(fresh, model.settings.validation).check
        known = {p: n for n, p in enumerate(model.participants)}
        return cls(
            model,
            views,
            cohort.answers,
            (cohort.answers - cohort.low) / cohort.span,
            np.searchsorted(asked, cohort.person),
            np.array([known[cohort.participants[p]] for p in asked], dtype=np.int64),
            np.where(later, LATER, np.where(new, EARLIER, OLD)),
        )

    @property
    def new(self) -> Mask:
        """Rows that the macro fit had not seen."""
        return np.asarray(self.kind != OLD)

    def estimate(self, view: _View, network: Floats, of_new: Mask | slice = slice(None)) -> Floats:
        """Network and trees as one for some of the new rows, in units of the span."""
        parts = np.concatenate([network[..., None], view.parts[of_new][..., 1:]], -1)
        return self.model.together(parts, view.newcomers[of_new], view.name)

    @property
    def tells(self) -> Mask:
        """People from whom is learned what holds for all, (people,): those whom the macro fit knew, if anybody."""
        known = self.place < self.model.macro_people
        return np.asarray(known if known.any() else ~known)

    def calibrated(self) -> dict[str, Intervals]:
        """Intervals from what the macro fit says of answers that it had not seen; none where those are too few."""
        of_new = self.tells[self.person[self.new]]
        if of_new.sum() < ENOUGH:
            return {}
        low, high = (np.array([getattr(i, end) for i in self.model.items]) for end in ("low", "high"))
        return {
            view.name: calibrate(
                low + (high - low) * self.estimate(view, view.before)[of_new],
                view.scale[of_new],
                self.answers[self.new][of_new],
                self.model.settings.coverage,
            )
            for view in self.views
        }


@dataclass(frozen=True)
class _Evidence:
    """What answers say of one network's personal parameters, by kind of answer and person.

    Shapes: `known` (kinds, people, parameters, parameters) is the information, `pull` (kinds, people, parameters) where
    answers draw to, `variance` (parameters,) over people.
    """

    known: Tensor
    pull: Tensor
    variance: Tensor

    @classmethod
    def of(cls, member: Network, work: _Work) -> _Evidence:
        variance, people = member.micro.prior().double(), len(work.place)
        known = variance.new_zeros(3 * people, len(variance), len(variance))
        pull = variance.new_zeros(3 * people, len(variance))
        unit = torch.from_numpy(work.unit)
        answered, off = ~torch.isnan(unit), unit - torch.from_numpy(work.views[0].inputs.baseline)
        noise = off[torch.from_numpy(work.tells[work.person])].square().nanmean(0).nan_to_num(1.0).clamp(min=FINEST**2)
        whose = torch.from_numpy(work.kind * people + work.person)
        for view in work.views:
            for rows, said, design in _designs(member, view.inputs):
                weight = view.weight * answered[rows] / noise
                gone = torch.where(answered[rows], unit[rows] - said, 0.0) * weight
                known.index_add_(0, whose[rows], design.mT @ (design * weight[..., None]))
                pull.index_add_(0, whose[rows], (design.mT @ gone[..., None])[..., 0])
        return cls(known.view(3, people, *known.shape[1:]), pull.view(3, people, -1), variance)

    def shift(self, trust: float, last: int) -> Tensor:
        """What new answers up to a kind add to everybody's parameters, (people, parameters), in closed form."""
        known, pull = self.known[: last + 1].sum(0), self.pull[EARLIER : last + 1].sum(0)
        return torch.as_tensor(torch.linalg.solve(torch.diag(1 / self.variance) + trust * known, trust * pull))


def _designs(member: Network, inputs: Inputs) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Some rows at once: their places, estimates (rows, items), and what each personal parameter moves them by."""
    member.eval()
    batch = Batch.of(inputs)
    for rows in torch.split(torch.arange(len(batch)), ROWS) if len(batch) else ():
        chunk = batch.take(rows)
        tokens = member.trunk(chunk)
        yield rows, member.read_out(tokens, chunk).double(), member.design(tokens, chunk).double()


def _move(model: MacroMicro, work: _Work) -> tuple[float, int]:
    """Move the parameters of everybody whom it helps; how much an answer weighs then, and how many people moved."""
    if model.network is None:
        return 0.0, 0
    members = apart(model.network, model.settings, *model.sizes)
    evidence = [_Evidence.of(member, work) for member in members]
    gains = _gains(members, work, [torch.stack([e.shift(t, EARLIER) for t in TRUSTS]) for e in evidence])
    spared = gains[:, work.tells].sum(1)
    best = int(spared.argmax())
    better = torch.from_numpy(gains[best] > 0)
    if spared[best] <= 0:
        return 0.0, 0
    for member, own in zip(members, evidence, strict=True):
        table, place = member.micro.table(), torch.from_numpy(work.place)[better]
        table[place] += own.shift(TRUSTS[best], LATER)[better].to(table.dtype)
        member.micro.become(table)
    model.network = together(members, model.settings.heads)
    return TRUSTS[best], int(better.sum())


def _gains(members: Sequence[Network], work: _Work, shifts: Sequence[Tensor]) -> Floats:
    """How much closer the shifts (one a member: trusts, people, parameters) come to the latest new answers.

    Returns:
        Sums of absolute errors in units of the span that are spared, (trusts, people).
    """
    held = np.flatnonzero(work.kind == LATER)
    of_new = work.kind[work.new] == LATER
    truth, person, people = work.unit[held], work.person[held], len(work.place)
    out = np.zeros((len(TRUSTS), people))
    for view in work.views:
        inputs, moved = view.inputs.take(held), torch.zeros(len(TRUSTS), *truth.shape).double()
        for member, shift in zip(members, shifts, strict=True):
            for rows, _, design in _designs(member, inputs):
                own = shift[:, torch.from_numpy(person)[rows]]
                moved[:, rows] += torch.einsum("rip,trp->tri", design, own) / len(members)
        before = np.abs(work.estimate(view, view.before[of_new], of_new) - truth)
        for trust, after in enumerate(moved.numpy()):
            spared = before - np.abs(work.estimate(view, view.before[of_new] + after, of_new) - truth)
            out[trust] += view.weight * np.bincount(person, np.nan_to_num(spared).sum(1), people)
    return out
