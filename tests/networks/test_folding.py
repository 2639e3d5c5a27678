"""Batch normalisation folded into convolutions: the same answers, and only where that is so."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import weight_norm
from torchvision.models.resnet import BasicBlock, Bottleneck

from cellseg_monai.networks import fold_normalisation


def normalisation(channels: int) -> nn.BatchNorm2d:
    """One that has seen images."""
    found = nn.BatchNorm2d(channels)
    with torch.no_grad():
        for values in (found.running_mean, found.bias):
            values.normal_()
        for values in (found.running_var, found.weight):
            values.uniform_(0.5, 2)
    return found


def check(network: nn.Module, *, left: int) -> None:
    """Beside two that can be folded, the network says the same when it is folded, with so many left."""
    around = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 3, 1), normalisation(3), nn.ReLU()),
        network,
        nn.Sequential(nn.LazyConv2d(2, 1), normalisation(2)),
    )
    image = torch.rand(2, 3, 12, 20)
    around.eval()(image)
    folded = fold_normalisation(copy.deepcopy(around))
    torch.testing.assert_close(folded(image), around(image), rtol=1e-4, atol=1e-4)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in folded.modules()) == left


def test_the_result_by_hand() -> None:
    convolution, after = nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1, eps=0)
    with torch.no_grad():
        for values, number in (
            (convolution.weight, 3),
            (convolution.bias, 1),
            (after.running_mean, 2),
            (after.running_var, 4),
            (after.weight, 10),
            (after.bias, 7),
        ):
            values.fill_(number)
    network = nn.Sequential(convolution, after)
    assert fold_normalisation(network) is network
    # (3 x + 1 - 2) / 2 * 10 + 7
    assert (network[0].weight.item(), network[0].bias.item()) == (15, 2)
    assert isinstance(network[1], nn.Identity)
    assert not network.training


@pytest.mark.parametrize(
    ("convolution", "left"),
    [
        (nn.Conv2d(3, 6, 3, bias=False), 0),
        (nn.Conv2d(3, 6, 3, groups=3), 0),
        (nn.ConvTranspose2d(3, 6, 2, stride=2), 0),
        (nn.ConvTranspose2d(3, 6, 2, stride=2, groups=3), 1),
    ],
    ids=["without bias", "grouped", "transposed", "transposed and grouped"],
)
def test_kinds_of_convolutions(convolution: nn.Module, left: int) -> None:
    check(nn.Sequential(convolution, normalisation(6)), left=left)


def residual(block: type[nn.Module], inner: int) -> nn.Module:
    """A block of a ResNet whose normalisation has seen images."""
    found = block(3, inner, downsample=nn.Sequential(nn.Conv2d(3, inner * block.expansion, 1), nn.Identity()))
    for name, module in list(found.named_children()):
        if isinstance(module, nn.BatchNorm2d):
            setattr(found, name, normalisation(module.num_features))
    return found


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_blocks_of_residual_networks(block: type[nn.Module]) -> None:
    check(residual(block, 4), left=0)


def test_sequences_within_sequences() -> None:
    inner = nn.Sequential(nn.Sequential(normalisation(4)), nn.ReLU())
    check(nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3)), inner), left=0)


def test_normalisation_of_what_is_no_convolution_stays() -> None:
    check(nn.Sequential(nn.ReLU(), normalisation(3), nn.Conv2d(3, 4, 3), nn.ReLU(), normalisation(4)), left=2)


def test_what_comes_twice_is_counted_twice() -> None:
    activation = nn.ReLU()
    check(nn.Sequential(activation, nn.Conv2d(3, 4, 3), activation, normalisation(4)), left=1)


class Doubled(nn.Conv2d):
    """A convolution, and more."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return super().forward(image) ** 2


class Squared(nn.BatchNorm2d):
    """A normalisation, and more."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return super().forward(image**2)


class Backwards(nn.Sequential):
    """A sequence that is none."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self[0](self[1](image))


class Adapting(nn.Sequential):
    """Goes on normalising by the batch in evaluation."""

    def train(self, mode: bool = True) -> nn.Module:
        super().train(mode)
        self[1].train()
        return self


@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.Sequential(Doubled(3, 4, 3), normalisation(4)),
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), Squared(4)),
        lambda: Backwards(nn.Conv2d(3, 3, 1), normalisation(3)),
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)),
        lambda: Adapting(nn.Conv2d(3, 4, 3), normalisation(4)),
    ],
    ids=["convolution", "normalisation", "sequence", "of the batch itself", "in training"],
)
def test_what_does_something_else_stays(build: Callable[[], nn.Module]) -> None:
    check(build(), left=1)


@pytest.mark.parametrize("at", [0, 1])
def test_hooks_stay(at: int) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), normalisation(4))
    network[at].register_forward_hook(lambda _, __, answer: answer + 1)
    check(network, left=1)


def test_a_hook_on_a_sequence_within_stays() -> None:
    first = nn.Sequential(nn.Conv2d(3, 4, 3))
    first.register_forward_hook(lambda _, __, answer: answer**2)
    check(nn.Sequential(first, normalisation(4)), left=1)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_weights_that_are_made_anew_with_each_call_stay() -> None:
    network = nn.Sequential(weight_norm(nn.Conv2d(3, 4, 3)), normalisation(4))
    image = torch.rand(1, 3, 12, 20)
    expected = network.eval()(image)
    torch.testing.assert_close(fold_normalisation(network)(image), expected, rtol=0, atol=0)
    assert isinstance(network[1], nn.BatchNorm2d)


def test_what_two_sequences_share_stays() -> None:
    convolution, shared = nn.Conv2d(3, 3, 1), normalisation(3)
    check(nn.Sequential(nn.Sequential(nn.Conv2d(3, 3, 1), shared), nn.Sequential(nn.Conv2d(3, 3, 1), shared)), left=1)
    check(
        nn.Sequential(nn.Sequential(convolution, normalisation(3)), nn.Sequential(convolution, normalisation(3))),
        left=2,
    )
    both = nn.Sequential(shared)
    check(nn.Sequential(nn.Sequential(nn.Conv2d(3, 3, 1), both), nn.Sequential(nn.ReLU(), both)), left=1)
