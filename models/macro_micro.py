"""The default model: a personal baseline, corrected by a shared network with personal layers.

`MacroMicro` is what a fit returns and what the registry stores: it predicts any cohort that has its items, known and
unknown people alike, with intervals. A row's prediction uses the row's own features and the answers of the same
person that the row may see; who else is in the cohort never matters. Training belongs to `fitting.py`, storing to
`packaging.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from models.cohort import Cohort, Floats, Ints, Item, Mask
from models.ensemble import Ensemble
from models.forest import LOSSES, Forest
from models.history import NONE, History, seen_online, select
from models.inputs import Inputs, Past, build, stacked
from models.intervals import Intervals, own_width
from models.mix import Mix
from models.protocols import nightly_view
from models.settings import Settings
from models.standardise import Standard
from models.state_space import Forecast, Population

NEVER = np.iinfo(np.int64).min  # before any answer, UTC µs
ONLINE, NIGHTLY = "online", "nightly"
NEWCOMER, STRANGER = "newcomer_", "stranger_"  # stand before a view's name; a stranger has answered nothing yet
VIEWS = tuple(who + view for who in ("", NEWCOMER, STRANGER) for view in (ONLINE, NIGHTLY))


@dataclass(frozen=True)
class Prediction:
    """Estimates with intervals, each (rows, items) in scale units; `moved` says by what, where that was asked."""

    value: Floats
    low: Floats
    high: Floats
    moved: dict[str, Floats] = field(default_factory=dict)


@dataclass
class MacroMicro:
    """A fitted model.

    `network` is None where the baseline alone was best or where there was too little to learn from; `note` says so, and
    what else was left out. `curve` holds training losses and validation scores by epoch; `score` what validation gave
    (and `baseline_score` without any correction). `forest` and `mixes` stand beside a network: the trees that are asked
    too, and how the two become one estimate, by view; people whom the macro fit did not know, who are those from
    `macro_people` on, are newcomers in every view, and strangers before their first answer. `unused` are modalities
    that did not help on held-back answers and are treated as never measured. `answered_until` (people,) is the time of
    each participant's last answer in training, UTC µs. `relation` (items, items) tells how much items say of each other
    (`habits.related`).
    """

    settings: Settings
    items: tuple[Item, ...]
    features: dict[str, tuple[str, ...]]
    participants: tuple[str, ...]
    population: Population
    relation: Floats
    standards: dict[str, Standard]
    network: Ensemble | None
    intervals: dict[str, Intervals]
    macro_people: int
    forest: Forest | None = None
    mixes: dict[str, Mix] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    answered_until: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    note: str = ""
    curve: list[dict[str, float]] = field(default_factory=list)

    def knows(self, participant: str) -> bool:
        """Whether the fit, or an update since, had answers of this person."""
        return participant in self._known

    @property
    def sizes(self) -> tuple[int, int, dict[str, int]]:
        """What a network of this model is built for: how many items, people and, by modality, features."""
        return len(self.items), len(self.participants), {name: len(names) for name, names in self.features.items()}

    def unseen(self, cohort: Cohort) -> Mask:
        """Rows with answers later than those of their person that the model was fitted on, (rows,)."""
        until = dict(zip(self.participants, self.answered_until.tolist(), strict=True))
        last = np.array([until.get(p, NEVER) for p in cohort.participants], dtype=np.int64)
        return np.asarray(cohort.labelled & (cohort.time_us > last[cohort.person]))

    @cached_property
    def _known(self) -> dict[str, int]:
        return {p: n for n, p in enumerate(self.participants)}

    def _places(self, cohort: Cohort) -> Ints:
        """Where the parameters of each row's person lie, (rows,); after the last for people the model does not know."""
        known = self._known
        place = np.array([known.get(p, len(known)) for p in cohort.participants], dtype=np.int64)
        return np.asarray(place[cohort.person])

    def predict(
        self,
        cohort: Cohort,
        rows: Ints | Mask | None = None,
        *,
        nightly: bool = False,
        seen: Ints | None = None,
        why: bool = False,
    ) -> Prediction:
        """Estimate every item of some rows.

        Args:
            cohort: moments with the model's items; feature columns may be absent or NaN.
            rows: which rows to return; all by default. Every row's history is taken from the whole cohort.
            nightly: predict as a nightly batch: answers of earlier local days only, this moment's body and voice
                unknown.
            seen: (rows of the cohort,) the last row that each row sees, where a protocol decides.
            why: also say what each part of what is known moves the estimates by: the estimate less what it would be had
                the modality not been measured (each modality's name), had the person never answered (`history`), had
                the model no parameters of the person's own (`person`; of a stranger it would besides trust its parts by
                other weights). Parts act together, so they need not add up.

        Raises:
            CohortError: the cohort's items are not the model's.
        """
        cohort, seen = self._known_of(cohort, seen, nightly=nightly)
        chosen, past = _index(cohort, rows), Past.of(cohort, self.population, self.relation)
        inputs = self.inputs(past, seen, chosen)
        fresh = self.inputs(past, np.full(len(cohort), NONE), chosen) if why else None
        unit, moved = self._estimate(inputs, fresh, nightly=nightly)
        if self.network is None:
            value = np.clip(past.forecast(seen, chosen).value, cohort.low, cohort.low + cohort.span)
        else:
            value = cohort.low + cohort.span * unit
        scale = error_scale(past, seen)[chosen]
        view, new = view_name(nightly=nightly), self._places(cohort)[chosen] >= self.macro_people
        low, high = self.intervals[view].around(value, scale, cohort.low, cohort.span)
        for who, these in ((NEWCOMER, new & inputs.answered), (STRANGER, new & ~inputs.answered)):
            if who + view in self.intervals:
                ends = self.intervals[who + view].around(value[these], scale[these], cohort.low, cohort.span)
                low[these], high[these] = ends
        return Prediction(value, low, high, {name: cohort.span * by for name, by in moved.items()})

    def _estimate(self, inputs: Inputs, fresh: Inputs | None, *, nightly: bool) -> tuple[Floats, dict[str, Floats]]:
        """Estimates and what parts move them by, in units of the span, by ablation to the mask.

        `fresh` are the same rows as if they saw no answer; without them nothing is said of what moved.
        """
        if fresh is None:
            return self.estimate(inputs, nightly=nightly), {}
        # Taking away what no row has, or what is not read, moves nothing.
        without = {name: inputs.without(name) for name in self.standards if inputs.masks[name].any()}
        without["history"] = replace(inputs, baseline=fresh.baseline, history=fresh.history, context=fresh.context)
        without["person"] = inputs.of_strangers(len(self.participants))
        both, place = stacked([inputs, *without.values()]), np.tile(inputs.person, 1 + len(without))
        unit, *said = np.split(self.estimate(both, nightly=nightly, place=place), 1 + len(without))
        return unit, dict.fromkeys(self.standards, np.zeros_like(unit)) | {
            name: unit - other for name, other in zip(without, said, strict=True)
        }

    def inputs(self, past: Past, seen: Ints, rows: Ints | None = None) -> Inputs:
        """What network and trees read of some rows of a cohort, of all by default."""
        inputs = build(past, seen, self.standards, self._places(past.cohort), rows)
        for name in self.unused:
            inputs = inputs.without(name)
        return inputs

    def estimate(self, inputs: Inputs, *, nightly: bool = False, place: Ints | None = None) -> Floats:
        """Network and trees as one, (rows, items) in units of the span, kept inside the scale.

        `place` (rows,) says whose mix a row gets, where that is not the person whose parameters it gets.
        """
        if self.forest is None:
            return np.clip(self.of_network(inputs), 0.0, 1.0)
        whose = inputs.person if place is None else place
        return self.together(self.parts(inputs), self.newcomers(inputs, whose), view_name(nightly=nightly))

    def newcomers(self, inputs: Inputs, place: Ints) -> Mask:
        """Rows of people whom the macro fit did not know and who have said something since, (rows,)."""
        return np.asarray((place >= self.macro_people) & inputs.answered)

    def together(self, parts: Floats, new: Mask, view: str) -> Floats:
        """Parts (rows, items, PARTS) as one estimate, in units of the span, clipped; `new` (rows,) are newcomers."""
        if view not in self.mixes:
            return np.clip(parts[..., 0], 0.0, 1.0)
        out = self.mixes[view].of(parts)
        if NEWCOMER + view in self.mixes:
            out[new] = self.mixes[NEWCOMER + view].of(parts[new])
        return out

    def parts(self, inputs: Inputs) -> Floats:
        """What is put together, (rows, items, PARTS) in units of the span: see `mix.PARTS`."""
        baseline = inputs.baseline.astype(np.float64)[..., None]
        trees = baseline + (np.zeros(len(LOSSES)) if self.forest is None else self.forest.correction(inputs))
        network, others = self.of_network(inputs)[..., None], np.stack([inputs.recent, inputs.habit], -1)
        return np.concatenate([network, trees, others], -1)

    def of_network(self, inputs: Inputs) -> Floats:
        """What the network alone says, (rows, items) in units of the span."""
        return inputs.baseline.astype(np.float64) if self.network is None else self.network.say(inputs)

    def _known_of(self, cohort: Cohort, seen: Ints | None, *, nightly: bool) -> tuple[Cohort, Ints]:
        """The cohort as it is known online or by night, and the last row that each row sees."""
        cohort.check(self.items, self.features)
        if not nightly:
            return cohort, seen_online(cohort) if seen is None else seen
        cohort, by_night = nightly_view(cohort)
        return cohort, by_night if seen is None else seen


def _index(cohort: Cohort, rows: Ints | Mask | None) -> Ints:
    every = np.arange(len(cohort))
    return every if rows is None else every[rows]


def view_name(*, nightly: bool) -> str:
    """What intervals and mixes of a view are kept under."""
    return NIGHTLY if nightly else ONLINE


def error_scale(past: Past, seen: Ints) -> Floats:
    """How far off this person's answers usually lie, (rows, items) in scale units, from what is seen.

    What the baseline expects of its own error, which grows with the time ahead and where little is known of a level;
    times how much more than others the person's answers change, shrunk towards 1 by ten answers' weight; and all items
    together wider or narrower by how far the person's answers lay from the baseline before.
    """
    ahead = past.forecast(seen)
    usual = _usual_error(past.history(seen), ahead, past.population, past.cohort.span)
    off = np.abs(past.cohort.answers - ahead.value) / usual
    return usual * select(own_width(past.cohort, off), seen, 1.0)[:, None]


def _usual_error(before: History, ahead: Forecast, population: Population, span: Floats) -> Floats:
    """The mean size of errors, .8 SD of a normal one, and a hair of the scale: nobody is sure to stay as they are."""
    expected, typical = 0.8 * ahead.sd, 0.8 * population.within_sd
    count = np.maximum(before.count - 1, 0.0)
    own = np.where(np.isnan(before.deviation), typical, before.deviation)
    return np.asarray(expected * (count * own / typical + 10) / (count + 10) + 0.01 * span)
