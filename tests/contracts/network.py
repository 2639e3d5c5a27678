"""Tests for every network. A network joins with a subclass that builds a small one:

class TestUnet(NetworkContract):
    def build(self, **channels: int) -> nn.Module:
        return unet(channels=(4, 8), **channels)
"""

import json
from collections.abc import Callable
from typing import ClassVar

import pytest
import torch
from torch import nn

from cellseg_monai.networks import build_network, fold_normalisation


def normalisations(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


class NetworkContract:
    # True if TorchScript also compiles the network; tracing must always work.
    scripts: ClassVar[bool] = False
    # False if `fold_normalisation` does not know the order of the network's blocks, which only makes it slower.
    folds: ClassVar[bool] = True
    # Part of the names of the parameters that the network has but does not use.
    unused: ClassVar[str | None] = None

    def build(self, **channels: int) -> nn.Module:
        """Build a small network; `channels` are `in_channels` and `classes`."""
        raise NotImplementedError

    def seeded(self, in_channels: int = 1, classes: int = 1) -> nn.Module:
        torch.manual_seed(0)
        return self.build(in_channels=in_channels, classes=classes)

    @pytest.mark.parametrize(
        ("batch", "in_channels", "classes", "size"),
        [(1, 3, 2, (1, 1)), (1, 1, 1, (31, 977)), (2, 1, 2, (65, 63))],
        ids=["one pixel", "a strip", "odd sides"],
    )
    def test_keeps_the_size_of(self, batch: int, in_channels: int, classes: int, size: tuple[int, int]) -> None:
        network = self.seeded(in_channels, classes).eval()
        with torch.no_grad():
            logits = network(torch.rand(batch, in_channels, *size))
        assert logits.shape == (batch, classes, *size)
        assert logits.isfinite().all()

    @pytest.mark.parametrize(
        ("shape", "message"),
        [
            ((1, 64, 64), "an image of shape 1×64×64, expected four axes, batch×channels×Y×X"),
            ((1, 2, 64, 64), "an image of shape 1×2×64×64 with 2 channels, expected 1; select channels"),
            ((1, 1, 64, 0), "an image of shape 1×1×64×0, expected at least one pixel"),
        ],
        ids=["no batch", "another number of channels", "no pixel"],
    )
    def test_refuses_an_image_with(self, shape: tuple[int, ...], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            self.seeded()(torch.zeros(shape))

    def test_gradients_reach_every_parameter(self) -> None:
        network = self.seeded().train()
        answer = network(torch.rand(2, 1, 64, 64))
        # Squared, because the sum of the output of batch normalisation is constant.
        sum((logits**2).sum() for logits in (answer if isinstance(answer, list) else [answer])).backward()
        parameters = {
            name: parameter
            for name, parameter in network.named_parameters()
            if self.unused is None or self.unused not in name
        }
        assert [name for name, parameter in parameters.items() if parameter.grad is None] == []
        # A bias has no effect if normalisation follows.
        without_effect = [
            name for name, parameter in parameters.items() if parameter.ndim > 1 and not parameter.grad.any()
        ]
        assert without_effect == []

    def test_can_be_rebuilt_from_its_definition(self) -> None:
        network = self.seeded(in_channels=3, classes=2)
        again = build_network(json.loads(json.dumps(network.definition)))
        assert again.definition == network.definition
        shapes = {key: value.shape for key, value in again.state_dict().items()}
        assert shapes == {key: value.shape for key, value in network.state_dict().items()}
        again.load_state_dict(network.state_dict())
        image = torch.rand(1, 3, 64, 64)
        with torch.no_grad():
            torch.testing.assert_close(again.eval()(image), network.eval()(image))

    def test_gives_the_same_output_with_its_normalisation_folded(self) -> None:
        network = self.seeded().train()
        image = torch.rand(2, 1, 64, 64)
        with torch.no_grad():
            network(image)  # so that the running statistics of its normalisation are not the initial ones
            expected, before = network.eval()(image), normalisations(network)
            torch.testing.assert_close(fold_normalisation(network)(image), expected, rtol=1e-3, atol=1e-4)
        if self.folds:
            assert normalisations(network) <= before // 10

    def test_gives_the_same_output_when_traced(self, record: Callable[..., str]) -> None:
        assert record(definition=self.seeded().definition, side=64, script=False) == ""

    def test_gives_the_same_output_when_scripted(self, record: Callable[..., str]) -> None:
        if not self.scripts:
            pytest.skip("TorchScript does not compile this network")
        assert record(definition=self.seeded().definition, side=64, script=True) == ""
