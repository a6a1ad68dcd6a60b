"""The network: nothing at first, blind to the batch, whole with any modalities, the shared model for strangers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.habits import related
from models.history import seen_online
from models.inputs import Inputs, Past, build
from models.losses import absolute, concordance
from models.metrics import pooled_ccc
from models.network import Ensemble, Network, macro_only
from models.settings import Settings
from models.standardise import learn
from models.state_space import moments
from tests.models.people import made_up


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


def _network(*, random: bool = True) -> Network:
    torch.manual_seed(0)
    network = Network(Settings(), 3, 3, {"hrv": 4, "voice": 4}).eval()
    if random:
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    return network


def test_untrained_it_says_exactly_what_the_baseline_says(inputs: Inputs) -> None:
    assert torch.equal(_network(random=False)(inputs), inputs.baseline)


def test_a_prediction_does_not_depend_on_who_else_is_in_the_batch(inputs: Inputs) -> None:
    network = _network()
    together = network(inputs)
    for row in (0, 17, 55):
        alone = network(inputs.take(torch.tensor([row])))
        torch.testing.assert_close(alone[0], together[row], rtol=1e-4, atol=1e-5)


def test_several_in_one_pass_say_the_mean_of_what_each_says_also_after_one_has_changed(inputs: Inputs) -> None:
    members = [_network() for _ in range(3)]
    for number, member in enumerate(members[1:], 1):
        for parameter in member.parameters():
            torch.nn.init.normal_(parameter, std=0.1 * number)
    together = Ensemble(members)
    for _ in range(2):
        with torch.inference_mode():
            said, each = together(inputs), torch.stack([member(inputs) for member in members])
        assert (each[0] - each[1]).abs().max() > 0.01
        torch.testing.assert_close(said, each.mean(0), rtol=1e-4, atol=1e-5)
        with torch.no_grad():
            members[1].trunk.item.mul_(2)


def test_training_mode_has_no_batch_statistics_either() -> None:
    names = {type(m).__name__ for m in _network().modules()}
    assert not any("BatchNorm" in name for name in names)


def test_a_missing_modality_is_masked_whatever_its_numbers_say(inputs: Inputs) -> None:
    network = _network()
    network.micro.body.weight.data.zero_()
    gone = {"hrv": torch.zeros_like(inputs.masks["hrv"]), "voice": inputs.masks["voice"]}
    zeros = replace(inputs, masks=gone, values={**inputs.values, "hrv": torch.zeros_like(inputs.values["hrv"])})
    noise = replace(inputs, masks=gone, values={**inputs.values, "hrv": torch.randn_like(inputs.values["hrv"])})
    torch.testing.assert_close(network(zeros), network(noise))
    assert not torch.allclose(network(zeros), network(inputs))


def test_an_unknown_person_gets_the_shared_model(inputs: Inputs) -> None:
    network = _network()
    stranger = inputs.person == 3
    assert stranger.any()
    torch.testing.assert_close(network(inputs)[stranger], network(macro_only(inputs, 3))[stranger])
    known = ~stranger
    assert not torch.allclose(network(inputs)[known], network(macro_only(inputs, 3))[known])


def test_one_persons_parameters_move_nobody_else(inputs: Inputs) -> None:
    network = _network()
    before = network(inputs)
    for name in ("bias", "film", "slopes"):
        getattr(network.micro, name).data[1] += 1.0
    moved = (network(inputs) - before).abs().amax(1) > 1e-6
    assert torch.equal(moved, inputs.person == 1)


def test_every_parameter_is_registered_and_gets_a_gradient(inputs: Inputs) -> None:
    network = _network()
    network.train()
    information = {"bias": 1.0, "film": 1.0, "slopes": 1.0}
    (network(inputs).sum() + network.micro.penalty(information)).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


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
