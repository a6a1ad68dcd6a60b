"""Weightings by hand, and that what DRUW learns is really learned and kept."""

import math

import pytest
import torch

from models.errors import ModelError
from models.weighting import KINDS, weighting


def test_druw_is_its_formula_step_by_step() -> None:
    druw = weighting("druw", 3)
    given = [torch.tensor(v) for v in ([1.0, 2.0, 3.0], [0.5, 2.0, 1.5], [0.4, 1.0, 1.0])]
    s = torch.full((3,), 1 / 3)
    rest = torch.log1p(s**2).sum() + abs(1 - s.sum())
    plain = 1 / (3 * s**2)
    assert druw.combine(given[0]).item() == pytest.approx(((1 + plain) * given[0]).sum().item() + rest.item(), rel=1e-5)
    assert druw.combine(given[1]).item() == pytest.approx(((1 + plain) * given[1]).sum().item() + rest.item(), rel=1e-5)
    dynamic = 3 * torch.softmax(given[1] / given[0] / 10, 0)
    expected = ((dynamic + plain) * given[2]).sum() + rest
    assert druw.combine(given[2]).item() == pytest.approx(expected.item(), rel=1e-5)


def test_rruw_is_druw_without_its_dynamic_part() -> None:
    losses = torch.tensor([1.0, 2.0])
    gap = weighting("druw", 2).combine(losses) - weighting("rruw", 2).combine(losses)
    assert gap.item() == pytest.approx(3.0)


def test_s_is_a_parameter_that_moves_and_is_kept() -> None:
    druw = weighting("druw", 2)
    assert "s" in dict(druw.named_parameters())
    assert {"s", "previous", "before_previous", "steps"} <= set(druw.state_dict())
    optimiser = torch.optim.AdamW(druw.parameters(), lr=0.01)
    for _ in range(50):
        optimiser.zero_grad()
        druw.combine(torch.tensor([2.0, 0.2])).backward()
        optimiser.step()
    assert druw.state_dict()["s"][0] > 0.55
    assert druw.s[0] > druw.s[1]  # the harder item is trusted less


def test_previous_losses_carry_no_gradient() -> None:
    druw = weighting("druw", 2)
    losses = torch.tensor([1.0, 2.0], requires_grad=True)
    for _ in range(3):
        druw.combine(losses * 1.0)
    assert not druw.previous.requires_grad


@pytest.mark.parametrize("kind", KINDS)
def test_every_weighting_gives_every_item_a_gradient(kind: str) -> None:
    losses = torch.tensor([1.0, 0.5, 2.0], requires_grad=True)
    weighting(kind, 3).combine(losses).backward()
    assert losses.grad is not None
    assert (losses.grad > 0).all()


def test_an_unknown_weighting_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match="druw"):
        weighting("best", 3)


def test_equal_kendall_and_dwa_are_their_formulas() -> None:
    first, second, third = torch.tensor([1.0, 2.0]), torch.tensor([0.5, 2.0]), torch.tensor([0.4, 1.0])
    assert weighting("equal", 2).combine(third).item() == pytest.approx(1.4)
    kendall = weighting("kendall", 2)
    kendall.log_variance.data = torch.tensor([0.5, -1.0])
    expected = 0.4 * math.exp(-0.5) + 0.5 + 1.0 * math.exp(1.0) - 1.0
    assert kendall.combine(third).item() == pytest.approx(expected)
    dwa = weighting("dwa", 2)
    assert [dwa.combine(losses).item() for losses in (first, second)] == pytest.approx([3.0, 2.5])
    a, b = math.exp(0.5 / 10), math.exp(1.0 / 10)
    assert dwa.combine(third).item() == pytest.approx(2 * (a * 0.4 + b * 1.0) / (a + b), rel=1e-5)


def test_random_weights_are_new_each_step_sum_to_the_tasks_and_are_equal_on_average() -> None:
    torch.manual_seed(0)
    random, losses = weighting("random", 3), torch.tensor([1.0, 0.0, 0.0])
    drawn = torch.stack([random.combine(losses) for _ in range(4000)])
    assert len(drawn.unique()) == 4000
    assert drawn.mean().item() == pytest.approx(1.0, abs=0.05)
    assert random.combine(torch.ones(3)).item() == pytest.approx(3.0)


def test_rruw_is_its_formula_away_from_the_start() -> None:
    rruw = weighting("rruw", 2)
    rruw.s.data = torch.tensor([0.8, -0.5])
    total = rruw.combine(torch.tensor([1.0, 2.0])).item()
    expected = 1 / (2 * 0.64) + 2 / (2 * 0.25) + math.log(1.64) + math.log(1.25) + abs(1 - 1.3)
    assert total == pytest.approx(expected)


def test_an_item_that_nobody_answered_keeps_its_last_loss_and_so_its_weight() -> None:
    dwa = weighting("dwa", 2)
    for losses, answered in (([1.0, 1.0], [1, 1]), ([0.5, 0.5], [1, 1]), ([0.4, 0.0], [1, 0])):
        dwa.combine(torch.tensor(losses), torch.tensor(answered, dtype=torch.bool))
    assert dwa.previous.tolist() == pytest.approx([0.4, 0.5])
    assert dwa.before_previous.tolist() == pytest.approx([0.5, 1.0])


def test_what_a_unit_of_loss_counts_is_positive_also_where_a_total_is_not() -> None:
    kendall, losses = weighting("kendall", 2), torch.tensor([0.25, 0.25])
    with torch.no_grad():
        kendall.log_variance.fill_(-1.4)
    total = kendall.combine(losses)
    assert total.item() < 0
    assert kendall.weight(losses, total).item() == pytest.approx(math.exp(1.4), rel=1e-5)


@pytest.mark.parametrize("kind", ["kendall", "rruw", "druw"])
def test_from_an_item_that_nobody_answered_nothing_is_learned(kind: str) -> None:
    """Its loss is a stand-in: what is learned of its weight must not follow it."""
    answered = torch.tensor([True, True, False])
    grads, totals = [], []
    for stand_in in (0.0, 5.0):
        weights = weighting(kind, 3)
        total = weights.combine(torch.tensor([0.5, 2.0, stand_in]), answered)
        total.backward()
        (learned,) = weights.parameters()
        assert learned.grad is not None
        grads.append(learned.grad.tolist())
        totals.append(total.item())
    assert grads[0] == grads[1]
    assert totals[0] == totals[1]
    if kind == "kendall":
        assert grads[0][2] == 0.0
