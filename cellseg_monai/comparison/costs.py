"""What a network costs, whatever it is worth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["Costs", "network_costs"]


@dataclass(frozen=True)
class Costs:
    """The size of a network, and its work on one image.

    Args:
        parameters: numbers that are learnt.
        flops: floating-point operations for one image, a multiply-add counted as 2, of convolutions and matrix
            products; what normalisations, activations and resizing add is small beside them and is left out.
    """

    parameters: int
    flops: int


def network_costs(network: torch.nn.Module, in_channels: int, shape: tuple[int, int] = (256, 256)) -> Costs:
    """The costs of a network for one image of a size, in evaluation mode.

    Args:
        network: is brought into evaluation mode.
        in_channels: of the image.
        shape: (Y, X) of the image.

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
