"""A small network that tells from a view what an image shows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from cellseg_monai.networks.definition import recorded

__all__ = ["scout_network"]


@recorded
def scout_network(
    *, in_channels: int = 3, outputs: int = 9, channels: Sequence[int] = (16, 32, 64, 96, 128), dropout: float = 0.1
) -> nn.Module:
    """Build a convolutional network that turns a view into a few numbers; see `scouting.OUTPUTS`.

    Each level halves the resolution and adds a residual block. The mean and the maximum of the last features are
    joined, because a few objects in an empty field are as telling as many.

    Args:
        in_channels: number of channels of a view.
        outputs: number of numbers to return.
        channels: number of channels at each level.
        dropout: fraction of the joined features to drop in training, 0 to 1.

    >>> scout_network(channels=(4, 8)).eval()(torch.zeros(2, 3, 16, 16)).shape
    torch.Size([2, 9])
    """
    layers: list[nn.Module] = []
    before = in_channels
    for level, width in enumerate(channels):
        layers.append(_convolution(before, width, kernel_size=3 if level else 5, stride=2))
        if level:
            layers.append(_Residual(width))
        before = width
    return nn.Sequential(*layers, _MeanAndMaximum(), nn.Dropout(dropout), _Answers(2 * before, outputs))


def _convolution(before: int, width: int, *, kernel_size: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(before, width, kernel_size, stride, kernel_size // 2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    """A convolution whose result is added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = _convolution(width, width, kernel_size=3, stride=1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features + self.convolution(features)


class _MeanAndMaximum(nn.Module):
    """Join the mean and the maximum of features over all pixels, B×C×Y×X to B×2C."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)


class _Answers(nn.Module):
    """A linear layer in float32, whatever the precision of the others: bfloat16 would round diameters to 2 %."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        linear = nn.Linear(features, outputs)
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return F.linear(features.float(), self.weight, self.bias)
