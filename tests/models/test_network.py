"""The network: nothing at first, blind to the batch, whole with any modalities, the shared model for strangers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.batch import Batch
from models.ensemble import shapes
from models.habits import related
from models.history import seen_online
from models.inputs import Inputs, Past, build
from models.losses import absolute, concordance
from models.metrics import pooled_ccc
from models.network import Network, apart, together
from models.population import moments
from models.settings import Settings
from models.standardise import learn
from tests.models.people import made_up

HEADS, SIZES = Settings().heads, (3, 3, {"hrv": 4, "voice": 4})


@pytest.fixture(scope="module")
def inputs() -> Inputs:
    cohort = made_up(people=4, days=4, coupling=1.0)
    standards = {m: learn(v, cohort.labelled, cohort.person) for m, v in cohort.modalities.items()}
    standards["voice"] = standards["hrv"]
    both = replace(cohort, modalities={**cohort.modalities, "voice": cohort.modalities["hrv"]})
    place = np.minimum(cohort.person, 3)  # the last of the four people is unknown
    return build(
        Past.of(both, moments(cohort, cohort.labelled), related(cohort, cohort.labelled)),
        seen_online(cohort),
        standards,
        place,
    )


@pytest.fixture(scope="module")
def batch(inputs: Inputs) -> Batch:
    return Batch.of(inputs)


def _network(*, random: bool = True) -> Network:
    torch.manual_seed(0)
    network = Network(Settings(), *SIZES).eval()
    if random:
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    return network


def test_untrained_it_says_exactly_what_the_baseline_says(batch: Batch, inputs: Inputs) -> None:
    network = _network(random=False)
    assert torch.equal(network(batch), batch.baseline)
    np.testing.assert_array_equal(together([network], HEADS).say(inputs), inputs.baseline)


def test_a_prediction_does_not_depend_on_who_else_is_in_the_batch(batch: Batch, inputs: Inputs) -> None:
    network = _network()
    ensemble = together([network], HEADS)
    among, said = network(batch), ensemble.say(inputs)
    for row in (0, 17, 55):
        torch.testing.assert_close(network(batch.take(torch.tensor([row])))[0], among[row], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(ensemble.say(inputs.take(np.array([row])))[0], said[row], rtol=1e-4, atol=1e-5)


def test_as_numbers_several_say_the_mean_of_what_each_says_and_become_networks_again(
    batch: Batch, inputs: Inputs
) -> None:
    members = [_network() for _ in range(3)]
    for number, member in enumerate(members[1:], 1):
        for parameter in member.parameters():
            torch.nn.init.normal_(parameter, std=0.1 * number)
    ensemble = together(members, HEADS)
    nobody = inputs.without("hrv").without("voice")
    for asked in (inputs, inputs.without("hrv"), nobody):
        with torch.inference_mode():
            each = torch.stack([member(Batch.of(asked)) for member in members])
        assert (each[0] - each[1]).abs().max() > 0.01
        np.testing.assert_allclose(ensemble.say(asked), each.mean(0).numpy(), rtol=1e-4, atol=1e-5)
    again = apart(ensemble, Settings(), *SIZES)
    assert all(torch.equal(one.eval()(batch), other(batch)) for one, other in zip(again, members, strict=True))


def test_the_shapes_of_numbers_are_those_of_the_network() -> None:
    for features in ({"hrv": 4, "voice": 4}, {}):
        network = Network(Settings(), 3, 5, features)
        assert {n: tuple(v.shape) for n, v in network.state_dict().items()} == shapes(Settings(), 3, 5, features)


def test_whoever_is_given_a_place_later_is_a_stranger_until_then(inputs: Inputs) -> None:
    ensemble = together([_network()], HEADS)
    np.testing.assert_array_equal(ensemble.wide(7).say(inputs), ensemble.say(inputs))
    assert len(ensemble.wide(7).numbers["micro.bias"][0]) == 7


def test_training_mode_has_no_batch_statistics_either() -> None:
    names = {type(m).__name__ for m in _network().modules()}
    assert not any("BatchNorm" in name for name in names)


def test_a_missing_modality_is_masked_whatever_its_numbers_say(batch: Batch) -> None:
    network = _network()
    network.micro.body.weight.data.zero_()
    gone = {"hrv": torch.zeros_like(batch.masks["hrv"]), "voice": batch.masks["voice"]}
    zeros = replace(batch, masks=gone, values={**batch.values, "hrv": torch.zeros_like(batch.values["hrv"])})
    noise = replace(batch, masks=gone, values={**batch.values, "hrv": torch.randn_like(batch.values["hrv"])})
    torch.testing.assert_close(network(zeros), network(noise))
    assert not torch.allclose(network(zeros), network(batch))


def test_an_unknown_person_gets_the_shared_model(batch: Batch, inputs: Inputs) -> None:
    network, shared = _network(), Batch.of(inputs.of_strangers(3))
    stranger = batch.person == 3
    assert stranger.any()
    torch.testing.assert_close(network(batch)[stranger], network(shared)[stranger])
    assert not torch.allclose(network(batch)[~stranger], network(shared)[~stranger])


def test_one_persons_parameters_move_nobody_else(batch: Batch) -> None:
    network = _network()
    before = network(batch)
    for name in ("bias", "film", "slopes"):
        getattr(network.micro, name).data[1] += 1.0
    moved = (network(batch) - before).abs().amax(1) > 1e-6
    assert torch.equal(moved, batch.person == 1)


def test_every_parameter_is_registered_and_gets_a_gradient(batch: Batch) -> None:
    network = _network()
    network.train()
    network(batch).sum().backward()
    learned = {n: p for n, p in network.named_parameters() if "log_sd" not in n}  # those are learned in closed form
    assert [n for n, p in learned.items() if p.grad is None or not p.grad.any()] == []


def test_the_ccc_loss_is_one_minus_the_metric_with_missing_answers_left_out() -> None:
    predicted, answers = torch.randn(50, 3), torch.randn(50, 3)
    answered = torch.rand(50, 3) < 0.7
    known = torch.where(answered, answers, torch.nan)
    expected = 1 - pooled_ccc(predicted.double().numpy(), known.double().numpy())
    torch.testing.assert_close(
        concordance(predicted, answers, answered).double(), torch.tensor(expected), rtol=1e-4, atol=1e-4
    )
    item = absolute(predicted, answers, answered)[1]
    torch.testing.assert_close(item, (predicted - answers)[:, 1][answered[:, 1]].abs().mean())
