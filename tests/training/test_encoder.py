import pytest
import torch
from ignite.engine import Engine

from cellseg_monai.networks import encoder_parameters, unet
from cellseg_monai.training import FrozenEncoder, parameter_groups


def test_the_encoder_has_a_rate_of_its_own_and_every_parameter_is_in_one_group() -> None:
    network = unet(channels=(2, 4, 8))
    others, encoder = parameter_groups(network, 0.01, encoder_rate=0.1)
    assert (others["lr"], encoder["lr"]) == (0.01, pytest.approx(0.001))
    assert [id(parameter) for parameter in encoder["params"]] == [id(part) for part in encoder_parameters(network)]
    grouped = [id(parameter) for group in (others, encoder) for parameter in group["params"]]
    assert sorted(grouped) == sorted(id(parameter) for parameter in network.parameters())


def test_with_one_rate_for_all_a_network_needs_no_encoder() -> None:
    network = torch.nn.Conv2d(1, 1, 1)
    (group,) = parameter_groups(network, 0.01)
    assert group["params"] == list(network.parameters())


def test_a_rate_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a fraction above 0"):
        parameter_groups(unet(channels=(2, 4)), 0.01, encoder_rate=0)


@pytest.mark.parametrize("first", [1, 3], ids=["from the start", "resumed after epoch 2"])
def test_the_encoder_learns_only_after_the_frozen_epochs(first: int) -> None:
    network = unet(channels=(2, 4))
    trained = {}

    def step(engine: Engine, _: object) -> None:
        trained[engine.state.epoch] = {
            all(parameter.requires_grad for parameter in encoder_parameters(network)),
            any(parameter.requires_grad for parameter in encoder_parameters(network)),
        }

    trainer = Engine(step)
    FrozenEncoder(network, epochs=3).attach(trainer)
    trainer.load_state_dict({"epoch": first - 1, "max_epochs": 5, "epoch_length": 1})
    trainer.run([0], max_epochs=5)
    assert trained == {epoch: {epoch > 3} for epoch in range(first, 6)}
    assert sum(parameter.requires_grad for parameter in network.parameters()) == len(list(network.parameters()))
