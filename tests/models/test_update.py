"""The micro update: exact, only for those who answered, and only where it helps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models import packaging
from models.batch import Batch
from models.cohort import Cohort
from models.errors import CohortError
from models.evaluation import evaluate_again
from models.fitting import fit
from models.history import seen_nightly, seen_online
from models.inputs import Inputs, Past
from models.macro_micro import MacroMicro
from models.micro import START_SD
from models.network import Network, apart
from models.settings import Settings
from models.update import EARLIER, OLD, Updated, _Evidence, _with_newcomers, _Work, update
from tests.models.people import made_up

SMALL = Settings(max_epochs=10, patience=10, width=16, layers=1, batch=128, threads=1, members=2, trees=5)
SILENT, NEWCOMER = "P001", "P011"


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    """Two weeks of twelve people. One stops answering after the first, one begins with the second."""
    whole = made_up(people=12, days=14, coupling=1.5)
    week, code = (whole.day - whole.day.min()) // 7, np.array(whole.participants)[whole.person]
    silent = ((code == SILENT) & (week == 1)) | ((code == NEWCOMER) & (week == 0))
    return replace(whole, answers=np.where(silent[:, None], np.nan, whole.answers))


def until(cohort: Cohort, days: int) -> Cohort:
    return cohort.take(cohort.day < cohort.day.min() + days)


@pytest.fixture(scope="module")
def macro(cohort: Cohort) -> MacroMicro:
    return fit(until(cohort, 7), SMALL)


@pytest.fixture(scope="module")
def updated(cohort: Cohort, macro: MacroMicro) -> Updated:
    return update(macro, until(cohort, 12))


def tables(model: MacroMicro) -> torch.Tensor:
    """(members, people, parameters)."""
    return torch.stack([m.micro.table().detach() for m in networks_of(model)])


def networks_of(model: MacroMicro) -> list[Network]:
    assert model.network is not None
    return apart(model.network, model.settings, *model.sizes)


def inputs_of(model: MacroMicro, cohort: Cohort) -> Inputs:
    return model.inputs(Past.of(cohort, model.population, model.relation), seen_online(cohort))


def test_whoever_the_macro_fit_did_not_know_stays_a_newcomer_until_the_next(
    cohort: Cohort, macro: MacroMicro, updated: Updated, tmp_path: Path
) -> None:
    packaging.save(updated.model, tmp_path)
    model = packaging.load(tmp_path)
    assert model.knows(NEWCOMER)
    assert model.macro_people == macro.macro_people == 11
    spread = {name: replace(mix, factor=2.0) for name, mix in model.mixes.items() if name.startswith("newcomer_")}
    assert len(spread) == 2
    wide = replace(model, mixes=model.mixes | spread)
    wide.intervals = {
        **model.intervals,
        "newcomer_nightly": replace(model.intervals["newcomer_nightly"], above=np.full(3, 50.0)),
        "stranger_nightly": replace(model.intervals["stranger_nightly"], below=np.full(3, -50.0)),
    }
    new = np.array(cohort.participants)[cohort.person] == NEWCOMER
    silent = new & (seen_nightly(cohort) < np.flatnonzero(new & cohort.labelled)[0])
    usual, told = model.predict(cohort, nightly=True), wide.predict(cohort, nightly=True)
    assert (told.high[new & ~silent] == 100).all()
    assert silent.any()
    assert (told.low[silent] == 0).all()
    np.testing.assert_array_equal(told.high[silent], usual.high[silent])
    assert (told.value[new] != usual.value[new]).any()
    np.testing.assert_array_equal(told.value[~new], usual.value[~new])
    np.testing.assert_array_equal(told.high[~new], usual.high[~new])
    before = np.flatnonzero(new)[0]
    np.testing.assert_array_equal(told.value[before], usual.value[before])  # nothing is known that could be spread
    # What knowing the person is worth is told without the newcomers' spread.
    person = model.predict(cohort, why=True).moved["person"]
    np.testing.assert_array_equal(wide.predict(cohort, why=True).moved["person"][~new], person[~new])


def test_a_model_knows_until_when_it_has_whose_answers(cohort: Cohort, macro: MacroMicro) -> None:
    assert NEWCOMER not in macro.participants
    week = cohort.labelled & (cohort.day < cohort.day.min() + 7)
    for participant, last in zip(macro.participants, macro.answered_until, strict=True):
        mine = week & (cohort.person == cohort.participants.index(participant))
        assert last == cohort.time_us[mine].max()
    np.testing.assert_array_equal(macro.unseen(cohort), cohort.labelled & ~week)


def test_what_people_share_stays_to_the_bit(macro: MacroMicro, updated: Updated) -> None:
    assert macro.network is not None
    assert updated.model.network is not None
    before, after = macro.network.numbers, updated.model.network.numbers
    assert list(before) == list(after)
    for name, value in before.items():
        if name.split(".")[-1] not in START_SD:
            np.testing.assert_array_equal(value, after[name], err_msg=name)
    for part in ("population", "standards", "forest", "mixes"):
        assert getattr(updated.model, part) is getattr(macro, part)


def test_who_gave_no_new_answer_is_left_to_the_bit(cohort: Cohort, macro: MacroMicro, updated: Updated) -> None:
    place = macro.participants.index(SILENT)
    assert torch.equal(tables(updated.model)[:, place], tables(macro)[:, place])
    assert updated.asked == 11
    theirs = cohort.person == cohort.participants.index(SILENT)
    silent = cohort.take(theirs)
    before, after = macro.predict(silent).value, updated.model.predict(silent).value
    np.testing.assert_array_equal(before, after)


def test_only_moved_people_have_other_parameters(macro: MacroMicro, updated: Updated) -> None:
    known = len(macro.participants)
    other = (tables(updated.model)[:, :known] != tables(macro)).any(dim=2)
    new = tables(updated.model)[:, known:].any(dim=2)
    assert torch.equal(other[0], other[1])
    assert int(other[0].sum() + new[0].sum()) == updated.moved
    assert 0 < updated.moved <= updated.asked


def test_a_newcomer_gets_a_place_after_everybody_else(macro: MacroMicro, updated: Updated) -> None:
    assert updated.newcomers == 1
    assert updated.model.participants == (*macro.participants, NEWCOMER)
    assert updated.model.knows(NEWCOMER)
    assert not macro.knows(NEWCOMER)


def test_who_joins_changes_nothing_for_those_the_macro_fit_knew(
    cohort: Cohort, macro: MacroMicro, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even somebody whose answers are of another kind; intervals are calibrated anew here, with however few."""
    monkeypatch.setattr("models.update.ENOUGH", 1)
    joins = cohort.person == cohort.participants.index(NEWCOMER)
    alone = update(macro, cohort.take(~joins)).model
    ends = np.where(np.arange(len(cohort))[:, None] % 2, 0.0, 100.0)
    wild = np.where(joins[:, None] & ~np.isnan(cohort.answers), ends, cohort.answers)
    assert not np.array_equal(alone.intervals["online"].below, macro.intervals["online"].below)
    for others in (update(macro, c).model for c in (cohort, replace(cohort, answers=wild))):
        for nightly in (False, True):
            said, before = (m.predict(cohort, ~joins, nightly=nightly) for m in (others, alone))
            for name in ("value", "low", "high"):
                np.testing.assert_allclose(getattr(said, name), getattr(before, name), atol=1e-4)


def test_later_answers_are_said_better_than_without(cohort: Cohort, macro: MacroMicro, updated: Updated) -> None:
    later = cohort.labelled & (cohort.day >= cohort.day.min() + 12)

    def error(model: MacroMicro) -> float:
        return float(np.nanmean(np.abs(model.predict(cohort, later).value - cohort.answers[later])))

    assert error(updated.model) < 0.99 * error(macro)


def test_twice_the_same_update_gives_the_same_bits(cohort: Cohort, macro: MacroMicro, updated: Updated) -> None:
    torch.rand(3)  # whatever else drew numbers before
    again = update(macro, until(cohort, 12))
    assert torch.equal(tables(again.model), tables(updated.model))
    assert replace(again, model=macro) == replace(updated, model=macro)


def test_the_macro_fit_stays_as_it_was(cohort: Cohort, macro: MacroMicro) -> None:
    before, people = tables(macro).clone(), macro.participants
    update(macro, until(cohort, 9))
    assert torch.equal(tables(macro), before)
    assert macro.participants == people


def test_nothing_new_changes_nothing(cohort: Cohort, macro: MacroMicro) -> None:
    same = update(macro, until(cohort, 7))
    assert (same.asked, same.moved, same.calibrated) == (0, 0, False)
    assert torch.equal(tables(same.model), tables(macro))


def test_a_single_new_answer_of_somebody_cannot_show_that_it_helps(cohort: Cohort, macro: MacroMicro) -> None:
    new = cohort.labelled & (cohort.day >= cohort.day.min() + 7)
    only = np.zeros(len(cohort), dtype=bool)
    only[[np.flatnonzero(new & (cohort.person == p))[0] for p in np.unique(cohort.person[new])]] = True
    answers = np.where((new & ~only)[:, None], np.nan, cohort.answers)
    done = update(macro, replace(cohort, answers=answers))
    assert (done.asked, done.moved) == (11, 0)


def test_new_answers_that_later_ones_contradict_move_nobody(cohort: Cohort, macro: MacroMicro) -> None:
    day, answers = (cohort.day - cohort.day.min())[:, None], cohort.answers.copy()
    answers = np.where(~np.isnan(answers) & (day >= 7), 100.0, answers)
    answers = np.where(~np.isnan(answers) & (day >= 9), 0.0, answers)
    done = update(macro, until(replace(cohort, answers=answers), 10))
    assert (done.asked, done.moved, done.trust) == (11, 0, 0.0)


def test_the_model_is_linear_in_what_is_personal(cohort: Cohort, macro: MacroMicro) -> None:
    inputs, member = some(macro, cohort)
    with torch.no_grad():
        before, design = member(inputs), member.design(member.trunk(inputs), inputs)
        start = member.micro.table()
        shift = torch.randn(start.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        member.micro.become(start + shift)
        after = member(inputs)
    own = torch.cat([shift, torch.zeros_like(shift[:1])])[inputs.person]
    torch.testing.assert_close(after - before, (design @ own[..., None])[..., 0])


def some(model: MacroMicro, cohort: Cohort) -> tuple[Batch, Network]:
    """Some rows and one network, both in double precision."""
    rows = Batch.of(inputs_of(model, cohort)).take(torch.arange(0, len(cohort), 7))
    member = networks_of(model)[0].double().eval()
    floats = {m: v.double() for m, v in rows.values.items()}
    return replace(
        rows,
        baseline=rows.baseline.double(),
        history=rows.history.double(),
        context=rows.context.double(),
        values=floats,
    ), member


def test_a_shift_is_the_ridge_regression_of_a_persons_answers(cohort: Cohort, macro: MacroMicro) -> None:
    """The closed form over everybody at once, held against least squares on one person's rows below each other."""
    now = until(cohort, 12)
    new, person = macro.unseen(now), 3
    asked = np.unique(now.person[new])
    mine = np.isin(now.person, asked)
    theirs, new = now.take(mine), new[mine]
    wide = _with_newcomers(macro, theirs, new)
    work = _Work.of(wide, theirs, new, asked)
    member = networks_of(wide)[0]
    with torch.no_grad():
        evidence = _Evidence.of(member, work)
        found = evidence.shift(0.3, EARLIER)[person]
        rows, rights, scale = [], [], 1 / evidence.variance.sqrt()
        off = work.unit - work.views[0].inputs.baseline.astype(float)
        noise = np.nanmean(off[work.tells[work.person]] ** 2, axis=0)
        for view in work.views:
            for kind, counts in ((OLD, 0.0), (EARLIER, 1.0)):
                chosen = np.flatnonzero((work.kind == kind) & (work.person == person))
                taken = Batch.of(view.inputs.take(chosen))
                said, design = member(taken).double(), member.design(member.trunk(taken), taken).double()
                for row, place in enumerate(chosen.tolist()):
                    for item in np.flatnonzero(~np.isnan(work.unit[place])):
                        root = np.sqrt(0.3 * view.weight / noise[item])
                        rows.append(root * design[row, item].numpy())
                        rights.append(counts * root * (work.unit[place, item] - float(said[row, item])))
    rows += list(np.diag(scale.numpy()))
    rights += [0.0] * len(scale)
    expected, *_ = np.linalg.lstsq(np.array(rows), np.array(rights), rcond=None)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-6)


def test_enough_new_answers_give_new_intervals_and_too_few_keep_the_old(
    cohort: Cohort, macro: MacroMicro, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = update(macro, until(cohort, 8))
    assert not kept.calibrated
    assert kept.model.intervals == macro.intervals
    monkeypatch.setattr("models.update.ENOUGH", 100)
    now = until(cohort, 12)
    made, new = update(macro, now), macro.unseen(now)
    assert made.calibrated
    for name in ("newcomer_online", "newcomer_nightly"):
        assert made.model.intervals[name] == macro.intervals[name]  # their own until the next macro fit
    # They hold nine tenths of the answers that they were made from, said by the macro fit.
    said = replace(macro, intervals=made.model.intervals).predict(now, new)
    truth = now.answers[new]
    inside = ((said.low <= truth) & (truth <= said.high))[~np.isnan(truth)].mean()
    assert SMALL.coverage <= inside <= SMALL.coverage + 0.04


def test_an_updated_model_is_stored_and_read_back_the_same(cohort: Cohort, updated: Updated, tmp_path: Path) -> None:
    packaging.save(updated.model, tmp_path)
    again = packaging.load(tmp_path)
    assert again.participants == updated.model.participants
    np.testing.assert_array_equal(again.answered_until, updated.model.answered_until)
    np.testing.assert_array_equal(again.predict(cohort).value, updated.model.predict(cohort).value)


def test_a_baseline_alone_has_nothing_to_move(cohort: Cohort) -> None:
    alone = fit(until(cohort, 7), replace(SMALL, max_epochs=0))
    done = update(alone, until(cohort, 12))
    assert (done.asked, done.newcomers, done.moved) == (11, 1, 0)
    np.testing.assert_array_equal(done.model.predict(cohort).value, alone.predict(cohort).value)


def test_an_earlier_nights_model_is_tested_on_what_came_after_it(cohort: Cohort, macro: MacroMicro) -> None:
    done = evaluate_again(cohort, macro, draw_count=50)
    trained = np.isin(np.array(cohort.participants)[cohort.person], macro.participants)
    np.testing.assert_array_equal(done.tested["P2"].rows, np.flatnonzero(macro.unseen(cohort) & trained))
    assert not trained.all()  # people of whom the model learnt nothing belong to another protocol
    np.testing.assert_array_equal(done.tested["P2N"].rows, done.tested["P2"].rows)
    said = macro.predict(cohort, done.tested["P2"].rows).value
    np.testing.assert_array_equal(done.tested["P2"].values["macro_micro"], said)
    assert done.table["P2"]["personal_mean"]["answers"] == done.table["P2"]["macro_micro"]["answers"]


def test_answers_to_other_items_are_refused(cohort: Cohort, macro: MacroMicro) -> None:
    with pytest.raises(CohortError, match="the model knows the items"):
        update(macro, replace(cohort, items=cohort.items[::-1]))
