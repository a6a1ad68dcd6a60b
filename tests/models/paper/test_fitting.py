"""A cell's fit: same seed same model, known signal found, newcomers move nobody, fine-tuning only where it helps."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from models.cohort import Cohort
from models.errors import CohortError, ModelError
from models.metrics import pooled_ccc
from models.paper.criteria import Ordinal
from models.paper.design import Design, PaperSettings
from models.paper.fitting import PaperModel, fit_paper
from models.paper.personal import PERSONALISATIONS
from models.protocols import frozen
from models.weighting import KINDS, Weighting, weighting
from tests.models.people import made_up

QUICK = PaperSettings(max_epochs=16, patience=16, width=16, heads=2, batch=128, learning_rate=5e-3)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return made_up(people=8, days=10, coupling=2.0)


@pytest.fixture(scope="module")
def models(cohort: Cohort) -> dict[str, PaperModel]:
    train = frozen(cohort).train
    return {p: fit_paper(cohort, train, Design("attention", p, "equal"), QUICK) for p in PERSONALISATIONS}


def agreement(model: PaperModel, cohort: Cohort) -> float:
    test = np.flatnonzero(frozen(cohort).test)
    return float(pooled_ccc(model.predict(cohort)[test], cohort.answers[test]).mean())


def test_the_same_seed_gives_the_same_model_and_torchs_own_randomness_stays(
    cohort: Cohort, models: dict[str, PaperModel]
) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    again = fit_paper(cohort, frozen(cohort).train, Design("attention", "heads", "equal"), QUICK)
    assert torch.equal(torch.rand(1), expected)
    np.testing.assert_array_equal(again.predict(cohort), models["heads"].predict(cohort))


def test_what_is_kept_per_person_beats_the_macro_model_where_people_differ(
    cohort: Cohort, models: dict[str, PaperModel]
) -> None:
    macro = agreement(models["none"], cohort)
    for kind in ("heads", "film", "low_rank", "fine_tuned"):
        assert agreement(models[kind], cohort) > macro + 0.1, kind


def test_no_answer_of_the_test_stretch_moves_a_prediction(cohort: Cohort, models: dict[str, PaperModel]) -> None:
    split = frozen(cohort)
    changed = replace(cohort, answers=np.where(split.train[:, None], cohort.answers, 1.0))
    again = fit_paper(changed, split.train, Design("attention", "heads", "equal"), QUICK)
    np.testing.assert_array_equal(again.predict(changed), models["heads"].predict(cohort))


@pytest.mark.parametrize("kind", KINDS)
def test_every_weighting_trains(cohort: Cohort, kind: str) -> None:
    model = fit_paper(cohort, frozen(cohort).train, Design("concatenation", "heads", kind), QUICK)
    assert model.curve[-1]["loss"] < model.curve[0]["loss"]


@pytest.mark.parametrize("loss", ["mse", "gaussian", "ordinal"])
def test_every_loss_trains(cohort: Cohort, loss: str) -> None:
    model = fit_paper(cohort, frozen(cohort).train, Design("max", "heads", "equal", loss), QUICK)
    assert agreement(model, cohort) > 0.15
    assert model.network.personal.tables["bias"].abs().max() > 0.02
    assert model.design.name == f"max/heads/equal/{loss}"


@pytest.mark.parametrize("kind", PERSONALISATIONS)
def test_newcomers_are_moved_by_their_answers_and_move_nobody(kind: str) -> None:
    everyone = made_up(people=8, days=10, coupling=2.0)
    known = everyone.labelled & (everyone.person < 6)
    model = fit_paper(everyone, known, Design("max", kind, "equal"), QUICK)
    rank, _ = everyone.rank()
    adapted = model.adapt(everyone, everyone.labelled & (rank < 30))
    assert adapted.participants == everyone.participants
    assert not model.knows("P007")
    before, after = model.predict(everyone), adapted.predict(everyone)
    np.testing.assert_array_equal(before[everyone.person < 6], after[everyone.person < 6])
    for name, table in model.network.personal.tables.items():
        assert torch.equal(adapted.network.personal.tables[name][:6], table)
    later = everyone.labelled & (everyone.person >= 6) & (rank >= 30)
    change = np.abs(after - everyone.answers)[later].mean() - np.abs(before - everyone.answers)[later].mean()
    assert change < -0.5 or kind == "none"
    unmoved = model.adapt(everyone, np.zeros(len(everyone), dtype=bool))
    np.testing.assert_array_equal(unmoved.predict(everyone), before)


def test_a_newcomers_answers_move_only_them() -> None:
    everyone = made_up(people=8, days=10, coupling=2.0)
    model = fit_paper(everyone, everyone.labelled & (everyone.person < 6), Design("max", "heads", "equal"), QUICK)
    both = everyone.labelled & (everyone.person >= 6)
    changed = np.where((everyone.person == 7)[:, None], 100 - everyone.answers, everyone.answers)
    first = model.adapt(everyone, both).predict(everyone)
    second = model.adapt(replace(everyone, answers=changed), both).predict(everyone)
    np.testing.assert_allclose(first[everyone.person == 6], second[everyone.person == 6], atol=1e-4)
    assert np.abs(first - second)[everyone.person == 7].max() > 1


def test_fine_tuning_is_kept_only_where_a_persons_own_held_back_answers_improve() -> None:
    """People 0–3 keep their level; 4–7 turn it round just before the held-back stretch, so that tuning harms them."""
    cohort = made_up(people=8, days=12, icc=0.0, missed=0.0)
    rank, size = cohort.rank()
    level = np.where(cohort.person % 2 == 0, 20.0, -20.0)
    turned = (cohort.person >= 4) & (rank >= 0.75 * size)
    cohort = replace(cohort, answers=np.clip(cohort.answers + np.where(turned, -level, level)[:, None], 0, 100))
    model = fit_paper(cohort, cohort.labelled, Design("max", "fine_tuned", "equal"), QUICK)
    own = model.network.personal.tables["bias"].abs().sum(1) > 0
    assert own[:4].all()
    assert not own[4:].any()
    assert model.kept == int(own.sum())


def test_ordinal_heads_are_tuned_to_the_levels_that_scores_mean() -> None:
    """One of four lies apart; a raw score as far off as their answers would mean levels that lie farther still."""
    cohort = made_up(people=4, days=10, icc=0.0, missed=0.0)
    own, few = cohort.person == 0, replace(QUICK, max_epochs=4)
    cohort = replace(cohort, answers=np.clip(cohort.answers - np.where(own, 15.0, 0.0)[:, None], 0, 100))
    missed = []
    for kind in ("none", "fine_tuned"):
        said = fit_paper(cohort, cohort.labelled, Design("max", kind, "equal", "ordinal"), few).predict(cohort)
        missed.append(abs(np.nanmean((said - cohort.answers)[own])))
    assert missed[1] < 0.6 * missed[0]


def test_answers_that_nobody_gave_are_no_errors_of_zero(cohort: Cohort) -> None:
    """With one answer in three left, what a cell leaves of an answer is not a third of what it is with all."""
    left = np.where(np.random.default_rng(3).random(cohort.answers.shape) < 1 / 3, cohort.answers, np.nan)
    train, design, few = frozen(cohort).train, Design("max", "none", "equal"), replace(QUICK, max_epochs=4)
    whole, sparse = (fit_paper(replace(cohort, answers=a), train, design, few).noise for a in (cohort.answers, left))
    assert sparse > 0.7 * whole


def test_too_few_answers_and_another_studys_items_are_refused(cohort: Cohort, models: dict[str, PaperModel]) -> None:
    with pytest.raises(ModelError, match="too few"):
        fit_paper(cohort, np.arange(len(cohort)) < 10, Design(), QUICK)
    with pytest.raises(CohortError, match="others"):
        models["none"].predict(replace(cohort, items=cohort.items[:1]))


def test_what_a_weighting_learns_is_moved_and_stays_where_decay_cannot_draw_it(
    cohort: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, groups = [], []

    def kept(kind: str, tasks: int) -> Weighting:
        made.append(weighting(kind, tasks))
        return made[-1]

    def seen(params: list[dict[str, Any]], **how: float) -> torch.optim.AdamW:
        groups.extend(params)
        return plain(params, **how)

    plain = torch.optim.AdamW
    monkeypatch.setattr("models.paper.fitting.weighting", kept)
    monkeypatch.setattr("torch.optim.AdamW", seen)
    model = fit_paper(cohort, frozen(cohort).train, Design("max", "heads", "druw"), QUICK)
    assert (made[0].s - 1 / 3).abs().min() > 1e-3
    free = {id(p) for group in groups if group["weight_decay"] == 0 for p in group["params"]}
    assert {id(p) for p in (*model.network.personal.tables.values(), made[0].s)} <= free
    moved = {id(p) for group in groups for p in group["params"]}
    assert not moved & {id(p) for p in model.network.personal.log_sd.values()}  # learned in closed form


def test_a_gaussian_is_not_weighed_by_ratios_of_losses(cohort: Cohort) -> None:
    with pytest.raises(ModelError, match="use equal or kendall"):
        fit_paper(cohort, frozen(cohort).train, Design("max", "none", "druw", "gaussian"), QUICK)


def test_a_newcomer_whose_later_answers_a_tuned_head_says_worse_keeps_the_macro_model() -> None:
    everyone = made_up(people=8, days=10, coupling=2.0)
    model = fit_paper(everyone, everyone.labelled & (everyone.person < 6), Design("max", "fine_tuned", "equal"), QUICK)
    rank, _ = everyone.rank()
    new = everyone.person >= 6
    # The first three quarters say one end of the scale; what follows says what the macro model does.
    said = model.predict(everyone)
    turned = np.where((new & (rank < 37))[:, None], np.where(said > 50, 0.0, 100.0), said)
    answers = np.where(new[:, None] & ~np.isnan(everyone.answers), turned, everyone.answers)
    adapted = model.adapt(replace(everyone, answers=answers), everyone.labelled & new)
    np.testing.assert_array_equal(adapted.predict(everyone), said)
    assert adapted.kept == model.kept


def test_two_answers_each_are_enough_to_choose_by_and_one_is_not(cohort: Cohort) -> None:
    everyone = made_up(people=40, days=2, missed=0.0, coupling=1.0)
    rank, _ = everyone.rank()
    model = fit_paper(everyone, rank < 2, Design("max", "heads", "equal"), QUICK)
    assert np.isfinite(model.predict(everyone)).all()
    with pytest.raises(ModelError, match="somebody with two"):
        fit_paper(everyone, rank < 1, Design("max", "heads", "equal"), QUICK)
    with pytest.raises(ModelError, match="max_epochs must be 1"):
        fit_paper(cohort, cohort.labelled, Design("max", "heads", "equal"), replace(QUICK, max_epochs=0))


def test_features_in_another_order_are_refused(cohort: Cohort, models: dict[str, PaperModel]) -> None:
    hrv = cohort.modalities["hrv"]
    turned = replace(cohort, modalities={"hrv": replace(hrv, names=hrv.names[::-1])})
    for other in (turned, replace(cohort, modalities={})):
        with pytest.raises(CohortError, match="features of hrv"):
            models["none"].predict(other)


@pytest.mark.parametrize("top", [4, 6, 10, 100])
def test_a_level_of_the_ordinal_likelihood_says_what_people_answered_there(top: int) -> None:
    answers = torch.arange(top + 1.0).repeat(3)[:, None] / top
    answers[0] = torch.nan
    criterion = Ordinal(1)
    criterion.look_at(answers)
    known = answers[1:, 0]
    level = (known * 11 + 1e-4).long().clamp(max=10)
    for place in range(11):
        mine = known[level == place]
        expected = mine.mean().item() if len(mine) else (place + 0.5) / 11
        assert criterion.means[0, place].item() == pytest.approx(expected, abs=1e-6)
    assert criterion.means[0][level].mean().item() == pytest.approx(known.mean().item(), abs=1e-6)
    assert len(level.unique()) == min(top, 10) + 1  # a rating scale up to 0 to 10 keeps every answer apart
