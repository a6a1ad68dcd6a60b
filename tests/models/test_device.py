"""That training stays on its device. Without a GPU torch still tells whether tensors of two devices would ever meet."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorDeviceMismatchError, FakeTensorMode
from torch.func import functional_call

from models.batch import Batch, mixed
from models.cohort import Floats
from models.errors import ModelError
from models.fitting import fit
from models.inputs import Inputs
from models.losses import agreement_and_error
from models.network import Network
from models.settings import Settings
from models.weighting import KINDS, weighting
from tests.models.people import made_up
from tests.models.test_training import ITEMS, PEOPLE, material

__all__ = ["material"]  # a fixture
ELSEWHERE = torch.device("meta")  # a device that needs none: shapes without numbers
INFORMATION = {"bias": 10.0, "film": 10.0, "slopes": 10.0}


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_of_training_meets_tensors_of_one_device_only(material: tuple[Inputs, Floats], kind: str) -> None:
    inputs, unit = material
    network, combine = Network(Settings(), ITEMS, PEOPLE, {"hrv": 4}).train(), weighting(kind, ITEMS)
    del combine.steps
    combine.steps = 2  # from then on previous losses count; a plain number, since here tensors hold none
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:

        def there(tensor: Tensor) -> Tensor:
            return mode.from_tensor(tensor.detach()).to(ELSEWHERE)

        batch = Batch(*Batch.of(inputs).each(there))
        rows = torch.arange(len(unit)).to(ELSEWHERE)
        seen = mixed(rows, batch, batch, torch.zeros(len(unit), dtype=torch.bool).to(ELSEWHERE))
        numbers = {n: there(v) for n, v in network.state_dict().items()}
        predicted = functional_call(network, numbers, (seen,))
        answers = there(torch.from_numpy(unit))
        usual = there(torch.full((ITEMS,), 0.1))
        losses = agreement_and_error(predicted, answers, ~torch.isnan(answers), usual, 1.0)
        for name, value in dict(combine.named_parameters()).items():
            setattr(combine, name, torch.nn.Parameter(there(value)))
        for name, value in dict(combine.named_buffers()).items():
            setattr(combine, name, there(value))
        total = combine.combine(losses, (~torch.isnan(answers)).any(0))
        micro = network.micro
        for name, value in dict(micro.named_parameters()).items():
            owner, _, last = name.rpartition(".")
            micro.get_submodule(owner).register_parameter(last, torch.nn.Parameter(there(value)))
        assert (total + micro.density()).device == ELSEWHERE
        micro.learn_spread(INFORMATION)


def test_what_is_left_behind_is_noticed() -> None:
    with FakeTensorMode(), pytest.raises(FakeTensorDeviceMismatchError):
        torch.ones(2, device=ELSEWHERE) + torch.ones(2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told_before_anything_is_learned() -> None:
    with pytest.raises(ModelError, match="finds no GPU here; set it to cpu"):
        fit(made_up(people=6, days=8), Settings(device="cuda", max_epochs=1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_says_what_the_processor_says() -> None:
    cohort = made_up(people=8, days=10, coupling=2.0)
    # Without dropout inside the layers, which each device draws for itself, all that is drawn is the same.
    settings = {"max_epochs": 5, "members": 1, "trees": 0, "dropout": 0.0}
    one, other = (fit(cohort, Settings(device=device, **settings)).predict(cohort).value for device in ("cpu", "cuda"))
    np.testing.assert_allclose(one, other, atol=0.05)
