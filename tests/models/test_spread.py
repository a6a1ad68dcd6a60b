"""How far people differ is learned: closed form against the known answer, and through whole fits."""

import pytest
import torch

from models.paper.design import Design, PaperSettings
from models.paper.fitting import fit_paper
from models.protocols import frozen
from models.spread import Spread
from models.threads import torch_threads
from tests.models.people import made_up


@pytest.mark.parametrize("true", [0.05, 0.2, 0.6])
def test_it_finds_the_variance_that_made_parameters_known_with_error(true: float) -> None:
    """Parameters drawn with a variance, told with noise, shrunk by the variance so far: EM ends where it began."""
    torch.manual_seed(0)
    spread, information = Spread({"bias": 0.2}), {"bias": 200.0}
    told = true * torch.randn(4000) + torch.randn(4000) / 200**0.5
    for _ in range(300):
        variance = spread.variance("bias")
        shrunk = told * variance / (variance + 1 / 200)
        spread.learn({"bias": shrunk}, information)
    assert spread.variance("bias").sqrt().item() == pytest.approx(true, rel=0.1)


def test_with_parameters_at_zero_that_nothing_is_known_of_it_stays_at_its_start() -> None:
    spread = Spread({"bias": 0.2})
    for _ in range(50):
        spread.learn({"bias": torch.zeros(40)}, {"bias": 0.0})
    assert spread.variance("bias").sqrt().item() == pytest.approx(0.2)


def test_the_density_draws_every_parameter_by_its_groups_variance() -> None:
    spread = Spread({"bias": 0.2, "head": 0.5})
    tables = {"bias": torch.tensor([0.1, -0.3], requires_grad=True), "head": torch.tensor([[1.0]], requires_grad=True)}
    spread.density(tables).backward()
    torch.testing.assert_close(tables["bias"].grad, tables["bias"].detach() / 0.04)
    torch.testing.assert_close(tables["head"].grad, tables["head"].detach() / 0.25)
    assert all(not p.requires_grad for p in spread.values())


@pytest.mark.parametrize("kind", ["heads", "fine_tuned"])
def test_heads_of_a_small_study_spread_as_its_people_do(kind: str) -> None:
    """Levels with SDs of 0, .067 and .142 of the scale, from a start of .15, in a study of thirty people."""
    found = []
    for icc in (0.0, 0.2, 0.9):
        cohort = made_up(people=30, days=14, icc=icc, seed=1)
        with torch_threads(1):
            model = fit_paper(cohort, frozen(cohort).train, Design("max", kind, "equal"), PaperSettings())
        found.append(model.network.personal.log_sd.variance("bias").sqrt().item())
    assert found[0] < 0.06
    assert found[0] < found[1] < found[2]
    if kind == "heads":
        assert found[1] == pytest.approx(0.067, rel=0.35)
        assert found[2] == pytest.approx(0.142, rel=0.25)
