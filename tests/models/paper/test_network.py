"""A cell's network: every design works with any modalities, for anyone, alone or together; its state is whole."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from models.errors import ModelError
from models.paper.criteria import CRITERIA
from models.paper.design import GRIDS, Design, PaperSettings, cells
from models.paper.fusion import FUSIONS
from models.paper.network import PaperNetwork
from models.paper.personal import PERSONALISATIONS
from tests.models.paper.signals import SIZES, some

ITEMS, PEOPLE = 2, 3
SETTINGS = PaperSettings(width=16, heads=2)
PAIRS = list(product(FUSIONS, PERSONALISATIONS))


def made(fusion: str, personalisation: str) -> PaperNetwork:
    torch.manual_seed(1)
    network = PaperNetwork(Design(fusion, personalisation), SETTINGS, ITEMS, PEOPLE, SIZES).eval()
    for name, parameter in network.named_parameters():
        if "log_sd" not in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return network


@pytest.mark.parametrize(("fusion", "personalisation"), PAIRS)
def test_a_prediction_does_not_depend_on_who_else_is_in_the_batch(fusion: str, personalisation: str) -> None:
    network, signals = made(fusion, personalisation), some()
    together = network(signals)
    assert together.shape == (12, ITEMS)
    for row in (0, 5, 11):
        alone = network(signals.take(torch.tensor([row])))
        torch.testing.assert_close(alone[0], together[row], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("fusion", "personalisation"), PAIRS)
def test_an_unknown_person_gets_the_macro_model_and_a_known_one_their_own(fusion: str, personalisation: str) -> None:
    network, signals = made(fusion, personalisation), some()
    macro = network(replace(signals, person=torch.full_like(signals.person, PEOPLE)))
    said, stranger = network(signals), signals.person == PEOPLE
    torch.testing.assert_close(said[stranger], macro[stranger])
    assert torch.allclose(said[~stranger], macro[~stranger]) == (personalisation == "none")


@pytest.mark.parametrize(("fusion", "personalisation"), PAIRS)
def test_every_parameter_is_stored_and_gets_a_gradient(fusion: str, personalisation: str) -> None:
    network = made(fusion, personalisation)
    signals = some(rows=24)
    gone = torch.arange(24) % 3 == 0  # with the masks below, rows 0 and 15 have nothing at all
    masks = {m: v & ~gone[:, None] if m == "hrv" else v for m, v in signals.masks.items()}
    masks["clock"] = torch.arange(24)[:, None].expand(24, 6) % 5 > 0
    masks["voice"] = (torch.arange(24) % 7 > 2)[:, None].expand(24, 3)
    score = network(replace(signals, masks=masks))
    (score * torch.randn_like(score)).sum().backward()
    stored = {n for n in network.state_dict() if not n.endswith("itself")}
    assert {n for n, _ in network.named_parameters()} == stored
    learned = {n: p for n, p in network.named_parameters() if "log_sd" not in n}  # those are learned in closed form
    assert [n for n, p in learned.items() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("fusion", FUSIONS)
def test_values_of_a_missing_modality_are_never_read(fusion: str) -> None:
    network, signals = made(fusion, "film"), some()
    masks = {**signals.masks, "hrv": torch.zeros_like(signals.masks["hrv"])}
    noise = {**signals.values, "hrv": torch.full_like(signals.values["hrv"], torch.nan)}
    said = network(replace(signals, masks=masks))
    assert torch.isfinite(said).all()
    torch.testing.assert_close(network(replace(signals, masks=masks, values=noise)), said, rtol=0, atol=0)
    nothing = {m: torch.zeros_like(v) for m, v in signals.masks.items()}
    assert torch.isfinite(network(replace(signals, masks=nothing))).all()


@pytest.mark.parametrize("personalisation", [p for p in PERSONALISATIONS if p != "none"])
def test_one_persons_tables_move_nobody_else_and_all_at_zero_is_the_macro_model(personalisation: str) -> None:
    network, signals = made("attention", personalisation), some()
    before = network(signals)
    for table in network.personal.tables.values():
        table.data[1] += 1.0
    moved = (network(signals) - before).abs().amax(1) > 1e-6
    assert torch.equal(moved, signals.person == 1)
    for table in network.personal.tables.values():
        table.data.zero_()
    everyone = replace(signals, person=torch.full_like(signals.person, PEOPLE))
    torch.testing.assert_close(network(signals), network(everyone))


def test_gathering_people_is_what_a_loop_over_them_gives() -> None:
    network, signals = made("attention", "heads"), some()
    views, shares = network.views(signals)
    mixed = torch.einsum("bv,bvw->bw", shares, views)
    said = network.personal.correction(mixed, signals.person)
    tables = network.personal.tables
    for row, person in enumerate(signals.person.tolist()):
        expected = tables["head"][person] @ mixed[row] + tables["bias"][person] if person < PEOPLE else torch.zeros(2)
        torch.testing.assert_close(said[row], expected)


def test_the_papers_grid_is_every_combination_once_and_unknown_parts_are_refused() -> None:
    paper = cells("paper")
    assert len(paper) == len(set(paper)) == 6 * 5 * 6
    assert set(cells("small")) <= set(paper)
    assert all(len(parts) == 4 for parts in GRIDS.values())
    assert {design.loss for design in cells("losses")} == set(CRITERIA)
    with pytest.raises(ModelError, match="cross_attention"):
        Design(fusion="magic")
    with pytest.raises(ModelError, match="small"):
        cells("huge")
