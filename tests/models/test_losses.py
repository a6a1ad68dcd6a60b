"""Losses against closed forms; missing labels count nowhere, not even in the gradient."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.losses import absolute, concordance, gaussian, ordinal, ordinal_probabilities, squared
from models.paper.criteria import CRITERIA, LEVELS, Ordinal

CUTS = torch.tensor([[-1.0, 0.0, 2.0], [0.0, 1.0, 1.5]])


def test_a_shift_and_a_scale_cost_what_lins_formula_says() -> None:
    answers = torch.randn(400, 1)
    everywhere = torch.ones_like(answers, dtype=torch.bool)
    mean, variance = answers.mean(), answers.var(correction=0)
    shifted = concordance(answers + 1, answers, everywhere)
    assert shifted.item() == pytest.approx(1 - 2 * variance.item() / (2 * variance.item() + 1), abs=1e-4)
    halved = concordance(mean + (answers - mean) / 2, answers, everywhere)
    assert halved.item() == pytest.approx(1 - 2 * 0.5 / (1 + 0.25), abs=1e-4)


def test_items_have_losses_of_their_own_never_one_over_the_flattened_batch() -> None:
    answers = torch.randn(50, 2) * torch.tensor([1.0, 5.0]) + torch.tensor([0.0, 30.0])
    predicted = answers.clone()
    predicted[:, 0] = answers[:, 0].flip(0)
    loss = concordance(predicted, answers, torch.ones_like(answers, dtype=torch.bool))
    assert loss[0] > 0.5
    assert loss[1] < 1e-4


def test_gaussian_is_torchs_and_best_at_the_errors_own_spread() -> None:
    predicted, answers = torch.randn(30, 2), torch.randn(30, 2)
    everywhere, log_sd = torch.ones(30, 2, dtype=torch.bool), torch.tensor([0.3, -0.4])
    expected = torch.nn.functional.gaussian_nll_loss(
        predicted, answers, (2 * log_sd).exp().expand(30, 2), reduction="none"
    )
    torch.testing.assert_close(gaussian(predicted, log_sd, answers, everywhere), expected.mean(0))
    own = (predicted - answers).square().mean(0).sqrt().log().requires_grad_()
    gaussian(predicted, own, answers, everywhere).sum().backward()
    torch.testing.assert_close(own.grad, torch.zeros(2), rtol=0, atol=1e-5)


def test_ordinal_is_the_difference_of_two_logistic_curves() -> None:
    score = torch.tensor([[0.5, -0.2]])
    chance = ordinal_probabilities(score, CUTS)

    def below(cut: float, s: float) -> float:
        return 1 / (1 + math.exp(-(cut - s)))

    assert chance[0, 0].tolist() == pytest.approx(
        [below(-1, 0.5), below(0, 0.5) - below(-1, 0.5), below(2, 0.5) - below(0, 0.5), 1 - below(2, 0.5)]
    )
    torch.testing.assert_close(chance.sum(-1), torch.ones(1, 2))
    loss = ordinal(score, CUTS, torch.tensor([[2, 0]]), torch.ones(1, 2, dtype=torch.bool))
    assert loss.tolist() == pytest.approx([-math.log(below(2, 0.5) - below(0, 0.5)), -math.log(below(0, -0.2))])


def test_cut_points_start_even_and_stay_in_order_whatever_is_learned() -> None:
    criterion = Ordinal(2)
    torch.testing.assert_close(torch.sigmoid(criterion.cuts())[0], torch.arange(1, LEVELS) / LEVELS)
    torch.nn.init.normal_(criterion.steps, std=5)
    assert (criterion.cuts().diff(dim=1) > 0).all()
    assert criterion.value(torch.tensor([[-9.0, 9.0]])).tolist()[0] == pytest.approx([0.05, 0.95], abs=0.01)


def _gaussian(p: Tensor, y: Tensor, known: Tensor) -> Tensor:
    return gaussian(p, torch.zeros(p.shape[1]), y, known)


def _ordinal(p: Tensor, y: Tensor, known: Tensor) -> Tensor:
    return ordinal(p, CUTS, (torch.nan_to_num(y).abs() * 2).long().clamp(0, 3), known)


@pytest.mark.parametrize("loss", [concordance, absolute, squared, _gaussian, _ordinal])
def test_missing_labels_are_as_if_the_row_were_not_there(loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    predicted, answers = torch.randn(20, 2, requires_grad=True), torch.randn(20, 2)
    answers[:5, 0] = torch.nan
    whole = loss(predicted, answers, ~torch.isnan(answers))
    whole.sum().backward()
    assert torch.isfinite(whole).all()
    assert (predicted.grad[:5, 0] == 0).all()
    assert (predicted.grad[5:, 0] != 0).any()
    without = loss(predicted[5:], answers[5:], torch.ones(15, 2, dtype=torch.bool))
    torch.testing.assert_close(whole[0], without[0])
    nothing = loss(predicted, torch.full_like(answers, torch.nan), torch.zeros(20, 2, dtype=torch.bool))
    assert torch.isfinite(nothing).all()


@pytest.mark.parametrize("name", CRITERIA)
def test_descending_a_criterion_finds_the_answers(name: str) -> None:
    torch.manual_seed(0)
    criterion, answers = CRITERIA[name](1), torch.rand(200, 1)
    known = torch.ones_like(answers, dtype=torch.bool)
    weight = torch.tensor([[0.5, 0.0]], requires_grad=True)

    def score() -> Tensor:
        return weight[:, :1] + weight[:, 1:] * answers

    optimiser = torch.optim.Adam([weight, *criterion.parameters()], lr=0.05)
    for _ in range(200):
        optimiser.zero_grad()
        criterion.losses(score(), answers, known).sum().backward()
        optimiser.step()
    assert absolute(criterion.value(score()), answers, known).item() < 0.06
