"""Batch normalisation is folded into convolutions only if the outputs stay the same."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import weight_norm
from torchvision.models.resnet import BasicBlock, Bottleneck

from cellseg_monai.networks import fold_normalisation


def normalisation(channels: int) -> nn.BatchNorm2d:
    """Return a normalisation with random statistics, as after training."""
    layer = nn.BatchNorm2d(channels)
    with torch.no_grad():
        for values in (layer.running_mean, layer.bias):
            values.normal_()
        for values in (layer.running_var, layer.weight):
            values.uniform_(0.5, 2)
    return layer


def check(network: nn.Module, *, left: int) -> None:
    """Check that folding keeps the output, and how many normalisations it leaves.

    The network is put between two normalisations that can be folded.
    """
    surrounded = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 3, 1), normalisation(3), nn.ReLU()),
        network,
        nn.Sequential(nn.LazyConv2d(2, 1), normalisation(2)),
    )
    image = torch.rand(2, 3, 12, 20)
    surrounded.eval()(image)
    folded = fold_normalisation(copy.deepcopy(surrounded))
    torch.testing.assert_close(folded(image), surrounded(image), rtol=1e-4, atol=1e-4)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in folded.modules()) == left


def test_folded_weights_match_a_calculation_by_hand() -> None:
    convolution, norm = nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1, eps=0)
    with torch.no_grad():
        for values, number in (
            (convolution.weight, 3),
            (convolution.bias, 1),
            (norm.running_mean, 2),
            (norm.running_var, 4),
            (norm.weight, 10),
            (norm.bias, 7),
        ):
            values.fill_(number)
    network = nn.Sequential(convolution, norm)
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
def test_normalisation_after_convolutions_of_several_kinds(convolution: nn.Module, left: int) -> None:
    check(nn.Sequential(convolution, normalisation(6)), left=left)


def residual(block: type[nn.Module], inner: int) -> nn.Module:
    """Return a block of a ResNet whose normalisations have random statistics, as after training."""
    layer = block(3, inner, downsample=nn.Sequential(nn.Conv2d(3, inner * block.expansion, 1), nn.Identity()))
    for name, module in list(layer.named_children()):
        if isinstance(module, nn.BatchNorm2d):
            setattr(layer, name, normalisation(module.num_features))
    return layer


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_normalisation_in_residual_blocks_is_folded(block: type[nn.Module]) -> None:
    check(residual(block, 4), left=0)


def test_normalisation_in_nested_sequences_is_folded() -> None:
    inner = nn.Sequential(nn.Sequential(normalisation(4)), nn.ReLU())
    check(nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3)), inner), left=0)


def test_normalisation_that_does_not_follow_a_convolution_is_kept() -> None:
    check(nn.Sequential(nn.ReLU(), normalisation(3), nn.Conv2d(3, 4, 3), nn.ReLU(), normalisation(4)), left=2)


def test_a_repeated_module_is_not_skipped() -> None:
    activation = nn.ReLU()
    check(nn.Sequential(activation, nn.Conv2d(3, 4, 3), activation, normalisation(4)), left=1)


class Doubled(nn.Conv2d):
    """A convolution that does more than convolve."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return super().forward(image) ** 2


class Squared(nn.BatchNorm2d):
    """A normalisation that does more than normalise."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return super().forward(image**2)


class Backwards(nn.Sequential):
    """A sequence that runs its modules in another order."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self[0](self[1](image))


class Adapting(nn.Sequential):
    """A sequence whose normalisation stays in training mode."""

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
    ids=["convolution", "normalisation", "sequence", "statistics of the batch", "training mode"],
)
def test_modules_with_other_behaviour_are_kept(build: Callable[[], nn.Module]) -> None:
    check(build(), left=1)


@pytest.mark.parametrize("position", [0, 1])
def test_modules_with_hooks_are_kept(position: int) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), normalisation(4))
    network[position].register_forward_hook(lambda _, __, output: output + 1)
    check(network, left=1)


def test_a_nested_sequence_with_a_hook_is_kept() -> None:
    first = nn.Sequential(nn.Conv2d(3, 4, 3))
    first.register_forward_hook(lambda _, __, output: output**2)
    check(nn.Sequential(first, normalisation(4)), left=1)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_a_convolution_that_recomputes_its_weights_on_each_call_is_kept() -> None:
    network = nn.Sequential(weight_norm(nn.Conv2d(3, 4, 3)), normalisation(4))
    image = torch.rand(1, 3, 12, 20)
    expected = network.eval()(image)
    torch.testing.assert_close(fold_normalisation(network)(image), expected, rtol=0, atol=0)
    assert isinstance(network[1], nn.BatchNorm2d)


def test_modules_shared_by_two_sequences_are_kept() -> None:
    convolution, shared = nn.Conv2d(3, 3, 1), normalisation(3)
    check(nn.Sequential(nn.Sequential(nn.Conv2d(3, 3, 1), shared), nn.Sequential(nn.Conv2d(3, 3, 1), shared)), left=1)
    check(
        nn.Sequential(nn.Sequential(convolution, normalisation(3)), nn.Sequential(convolution, normalisation(3))),
        left=2,
    )
    both = nn.Sequential(shared)
    check(nn.Sequential(nn.Sequential(nn.Conv2d(3, 3, 1), both), nn.Sequential(nn.ReLU(), both)), left=1)
