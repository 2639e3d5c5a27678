"""Measuring the size of networks and their operations per image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["Costs", "network_costs"]


@dataclass(frozen=True)
class Costs:
    """The size of a network and its operations per image.

    Args:
        parameters: number of parameters.
        flops: floating-point operations in convolutions and matrix products for one image. A multiply-add counts as
            two operations. Normalisation, activation and resizing add little and are not counted.
    """

    parameters: int
    flops: int


def network_costs(network: torch.nn.Module, in_channels: int, shape: tuple[int, int] = (256, 256)) -> Costs:
    """Measure the costs of a network in evaluation mode.

    Args:
        network: the network; this function switches it to evaluation mode.
        in_channels: number of image channels that the network expects.
        shape: size of the image in pixels, (Y, X).

    >>> network_costs(torch.nn.Conv2d(1, 2, kernel_size=3, padding=1), in_channels=1, shape=(10, 10))
    Costs(parameters=20, flops=3600)
    """
    parameters = sum(parameter.numel() for parameter in network.parameters())
    first = next(network.parameters())
    image = torch.zeros(1, in_channels, *shape, dtype=first.dtype, device=first.device)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network.eval()(image)
    return Costs(parameters, counter.get_total_flops())
