"""What must move in training moves: the weighting's own parameters, people's spread, and the dropping of modalities."""

import numpy as np
import pytest
import torch

from models.batch import Batch
from models.cohort import Floats
from models.habits import related
from models.history import seen_online
from models.inputs import Inputs, Past, build
from models.micro import START_SD
from models.network import Network
from models.population import moments
from models.settings import Settings
from models.spread import HOLD
from models.standardise import learn
from models.training import Training
from models.weighting import KINDS
from tests.models.people import made_up

PEOPLE, ITEMS = 6, 3


@pytest.fixture(scope="module")
def material() -> tuple[Inputs, Floats]:
    cohort = made_up(people=PEOPLE, days=8, items=ITEMS, coupling=2.0)
    standards = {m: learn(v, cohort.labelled, cohort.person) for m, v in cohort.modalities.items()}
    past = Past.of(cohort, moments(cohort, cohort.labelled), related(cohort, cohort.labelled))
    rows = np.flatnonzero(cohort.labelled)
    return build(past, seen_online(cohort), standards, cohort.person, rows), (cohort.answers / 100)[rows]


def trained(material: tuple[Inputs, Floats], settings: Settings, epochs: int = 4) -> Training:
    inputs, unit = material
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Network(settings, ITEMS, PEOPLE, {"hrv": 4})
        training = Training(network, (inputs, inputs), unit, np.full(ITEMS, 0.1), settings)
        training.train(epochs, None, None)
    return training


@pytest.mark.parametrize("kind", [k for k in KINDS if k in ("kendall", "rruw", "druw")])
def test_what_a_weighting_learns_is_moved_by_training(material: tuple[Inputs, Floats], kind: str) -> None:
    training = trained(material, Settings(weighting=kind, batch=64))
    (learned,) = training.weighting.parameters()
    start = 0.0 if kind == "kendall" else 1 / ITEMS
    assert (learned - start).abs().min() > 1e-3


def test_people_are_held_near_the_shared_model_by_how_far_they_differ(
    material: tuple[Inputs, Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = trained(material, Settings(batch=64), 40).network.micro.table().norm()
    monkeypatch.setattr("models.micro.Micro.density", lambda *_: torch.zeros((), requires_grad=True))
    free = trained(material, Settings(batch=64), 40).network.micro.table().norm()
    assert held < 0.9 * free


def test_how_far_people_differ_follows_what_is_kept_of_them(material: tuple[Inputs, Floats]) -> None:
    training = trained(material, Settings(batch=64), 40)
    micro = training.network.micro
    for name, start in START_SD.items():
        values, variance = getattr(micro, name).detach(), micro.log_sd.variance(name)
        unsure = variance / (1 + training.information[name] * variance)
        expected = ((values**2 + unsure).sum() + HOLD * start**2) / (values.numel() + HOLD)
        torch.testing.assert_close(variance, expected, rtol=0.1, atol=0)
        assert abs(float(variance.log() / 2) - np.log(start)) > 0.2


def test_modalities_are_dropped_in_training_and_never_when_asked(material: tuple[Inputs, Floats]) -> None:
    batch = Batch.of(material[0])
    network = Network(Settings(dropout=0.0, modality_dropout=0.5), ITEMS, PEOPLE, {"hrv": 4})
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    with torch.no_grad():
        network.eval()
        asked, again, without = network(batch), network(batch), network(Batch.of(material[0].without("hrv")))
        network.train()
        dropped = network(batch)
    assert torch.equal(asked, again)
    moved = ((dropped - asked).abs() > 1e-6).any(1)
    assert 0.3 < moved[batch.measured["hrv"][1]].float().mean() < 0.7
    torch.testing.assert_close(dropped[moved], without[moved])  # as if not measured, for the person's slopes too
