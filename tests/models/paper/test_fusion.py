"""Every fusion, for every subset of modalities: defined, blind to what is absent and to the rest of the batch."""

from itertools import product

import pytest
import torch

from models.paper.fusion import FUSIONS, Fusion

COUNT, WIDTH = 3, 8
SUBSETS = list(product((False, True), repeat=COUNT))


def made(name: str) -> Fusion:
    torch.manual_seed(0)
    fusion = FUSIONS[name](COUNT, WIDTH).eval()
    for parameter in fusion.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return fusion


def mixed(fusion: Fusion, tokens: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    views, shares = fusion(tokens, present)
    return torch.einsum("bv,bvw->bw", shares, views)


@pytest.mark.parametrize("name", FUSIONS)
@pytest.mark.parametrize("subset", SUBSETS)
def test_any_subset_is_defined_and_what_is_absent_is_never_read(name: str, subset: tuple[bool, ...]) -> None:
    fusion, present = made(name), torch.tensor([subset] * 4)
    tokens, others = torch.randn(4, COUNT, WIDTH), torch.randn(4, COUNT, WIDTH)
    views, shares = fusion(tokens, present)
    assert views.shape == (4, fusion.views, WIDTH)
    assert torch.isfinite(views).all()
    torch.testing.assert_close(shares.sum(1), torch.ones(4))
    for garbage in (others, torch.zeros_like(others), torch.full_like(others, torch.nan)):
        changed = torch.where(present[..., None], tokens, garbage)
        torch.testing.assert_close(mixed(fusion, changed, present), mixed(fusion, tokens, present), rtol=0, atol=0)


@pytest.mark.parametrize("name", FUSIONS)
@pytest.mark.parametrize("subset", SUBSETS)
def test_every_present_modality_counts_and_being_absent_is_not_being_zero(name: str, subset: tuple[bool, ...]) -> None:
    fusion, present = made(name), torch.tensor([subset])
    tokens = torch.randn(1, COUNT, WIDTH)
    for place in range(COUNT):
        other = tokens.clone()
        other[0, place] = -5 * tokens[0, place] + 3
        same = torch.allclose(mixed(fusion, other, present), mixed(fusion, tokens, present))
        assert same == (not subset[place])
        if subset[place]:
            zero, gone = tokens.clone(), present.clone()
            zero[0, place], gone[0, place] = 0.0, False
            assert not torch.allclose(mixed(fusion, zero, present), mixed(fusion, zero, gone))


@pytest.mark.parametrize("name", FUSIONS)
def test_a_view_does_not_depend_on_who_else_is_in_the_batch(name: str) -> None:
    fusion, present = made(name), torch.tensor(SUBSETS)
    tokens = torch.randn(len(SUBSETS), COUNT, WIDTH)
    together = mixed(fusion, tokens, present)
    for row in range(len(SUBSETS)):
        alone = mixed(fusion, tokens[row : row + 1], present[row : row + 1])
        torch.testing.assert_close(alone[0], together[row], rtol=1e-5, atol=1e-6)
    order = torch.randperm(len(SUBSETS))
    torch.testing.assert_close(mixed(fusion, tokens[order], present[order]), together[order], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", FUSIONS)
def test_every_parameter_is_registered_and_moves(name: str) -> None:
    fusion = made(name)
    present = torch.tensor(SUBSETS)
    views, shares = fusion(torch.randn(len(SUBSETS), COUNT, WIDTH), present)
    ((views * torch.randn_like(views)).sum(-1) * shares).sum().backward()
    assert set(dict(fusion.named_parameters())) == set(fusion.state_dict())
    assert [n for n, p in fusion.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_max_and_late_are_what_their_names_say() -> None:
    tokens = torch.randn(5, COUNT, WIDTH)
    everything = torch.ones(5, COUNT, dtype=torch.bool)
    largest = made("max")
    expected = largest.norm(largest.shape(tokens).amax(1))
    torch.testing.assert_close(largest(tokens, everything)[0][:, 0], expected)
    only_two = torch.tensor([[True, False, True]])
    trust = made("late").trust.exp()
    share = made("late")(tokens[:1], only_two)[1][0]
    torch.testing.assert_close(share, torch.stack([trust[0], trust[0] * 0, trust[2]]) / (trust[0] + trust[2]))
