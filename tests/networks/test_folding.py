"""Batch normalisation folded into convolutions: the same answers, and only where that is so."""

import pytest
import torch
from torch import nn
from torch.nn.utils import weight_norm

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


def count(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def check(network: nn.Module, *, left: int) -> None:
    """The network says the same when folded, with so many normalisations left, and is itself as it was."""
    network.eval()
    image, before = torch.rand(2, 3, 12, 20), count(network)
    with torch.inference_mode():
        expected = network(image)
        folded = fold_normalisation(network, in_channels=3)
        torch.testing.assert_close(folded(image), expected, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(network(image), expected, rtol=0, atol=0)
    assert (count(folded), count(network)) == (left, before)


@pytest.mark.parametrize("bias", [True, False])
def test_what_follows_a_convolution_is_folded(bias: bool) -> None:
    check(nn.Sequential(nn.Conv2d(3, 4, 3, bias=bias), normalisation(4), nn.ReLU(inplace=True)), left=0)


def test_the_result_by_hand() -> None:
    convolution, after = nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1, eps=0)
    with torch.no_grad():
        convolution.weight.fill_(3)
        convolution.bias.fill_(1)
        after.running_mean.fill_(2)
        after.running_var.fill_(4)
        after.weight.fill_(10)
        after.bias.fill_(7)
    folded = fold_normalisation(nn.Sequential(convolution, after), in_channels=1)
    # (3 x + 1 - 2) / 2 * 10 + 7
    assert (folded[0].weight.item(), folded[0].bias.item()) == (15, 2)
    assert isinstance(folded[1], nn.Identity)


@pytest.mark.parametrize(
    ("convolution", "left"),
    [
        (nn.Conv2d(3, 6, 3, groups=3), 0),
        (nn.ConvTranspose2d(3, 6, 2, stride=2), 0),
        (nn.ConvTranspose2d(3, 6, 2, stride=2, groups=3), 1),
    ],
    ids=["grouped", "transposed", "transposed and grouped"],
)
def test_other_convolutions(convolution: nn.Module, left: int) -> None:
    check(nn.Sequential(convolution, normalisation(6)), left=left)


def test_normalisation_of_what_is_no_convolution_stays() -> None:
    check(nn.Sequential(normalisation(3), nn.Conv2d(3, 4, 3), nn.ReLU(), normalisation(4)), left=2)


def test_normalisation_by_the_batch_itself_stays() -> None:
    check(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)), left=1)


def test_a_subclass_stays() -> None:
    class Doubled(nn.Conv2d):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return super().forward(image) ** 2

    check(nn.Sequential(Doubled(3, 4, 3), normalisation(4)), left=1)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_weights_that_are_made_anew_with_each_call_stay() -> None:
    check(nn.Sequential(weight_norm(nn.Conv2d(3, 4, 3)), normalisation(4)), left=1)


class TwoNames(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = self.second = nn.Conv2d(3, 4, 3)
        self.normalisation = normalisation(4)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.normalisation(self.second(image))


def test_a_convolution_that_has_two_names() -> None:
    check(TwoNames(), left=0)


class Network(nn.Module):
    """A convolution and a normalisation, put together by `how`."""

    def __init__(self, how: str, channels: int = 4) -> None:
        super().__init__()
        self.how = how
        self.convolution, self.normalisation = nn.Conv2d(3, channels, 1), normalisation(channels)

    def forward(self, image: torch.Tensor) -> torch.Tensor | list[torch.Tensor] | dict[str, torch.Tensor]:
        said = self.convolution(image)
        match self.how:
            case "as well":
                return self.normalisation(said) + said
            case "given back":
                return [self.normalisation(said), said]
            case "twice":
                return self.convolution(self.normalisation(said))
            case "normalised twice":
                return self.normalisation(self.normalisation(said))
            case "activated":
                return self.normalisation(torch.relu_(said))
            case "compared":
                return self.normalisation(said) * (said > 0)
            case "a list":
                return [self.normalisation(said), image]
            case "a mapping":
                return {"logits": self.normalisation(said)}
        raise ValueError(self.how)


@pytest.mark.parametrize(
    ("how", "left"),
    [
        ("as well", 1),
        ("given back", 1),
        ("twice", 1),
        ("normalised twice", 1),
        ("activated", 1),
        ("compared", 1),
        ("a list", 0),
        ("a mapping", 0),
    ],
)
def test_who_else_sees_what_the_convolution_says(how: str, left: int) -> None:
    check(Network(how, channels=3 if how == "twice" else 4), left=left)


def test_frozen_weights() -> None:
    check(nn.Sequential(nn.Conv2d(3, 4, 3), normalisation(4)).requires_grad_(False), left=0)


def test_a_network_without_weights() -> None:
    check(nn.Sequential(nn.MaxPool2d(2)), left=0)
