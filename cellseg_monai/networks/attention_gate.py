"""Attention gates on the skip connections of a U-Net, and the maps of where they look."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from cellseg_monai.networks.padding import Padded

__all__ = ["AttentionGate", "attention_maps"]


class AttentionGate(nn.Module):
    """Weigh the features of a skip connection by where the decoder, one level deeper, sees something.

    The additive gate of Oktay et al., "Attention U-Net: learning where to look for the pancreas", 2018
    (arXiv:1804.03999), with the layers of Ghaznavi et al., 2022 (doi:10.1016/j.compbiomed.2022.105805).

    `coefficients` is the part whose output, B×1×Y/2×X/2 in (0, 1), is the map: hook it to see it.

    Args:
        skip_channels: of the skip connection, B×C×Y×X with even Y and X.
        gating_channels: of the decoder's features, B×G×Y/2×X/2.
        norm: batch normalisation of the gating signal and of the result.
        activation: of the gating signal.

    >>> gate = AttentionGate(skip_channels=2, gating_channels=4)
    >>> gate(torch.zeros(1, 2, 8, 6), torch.zeros(1, 4, 4, 3)).shape
    torch.Size([1, 2, 8, 6])
    """

    def __init__(
        self,
        skip_channels: int,
        gating_channels: int,
        *,
        norm: bool = True,
        activation: type[nn.Module] = nn.LeakyReLU,
    ) -> None:
        super().__init__()
        self.gating = nn.Sequential(
            nn.Conv2d(gating_channels, skip_channels, 1),
            nn.BatchNorm2d(skip_channels) if norm else nn.Identity(),
            activation(),
        )
        self.theta = nn.Conv2d(skip_channels, skip_channels, 2, stride=2)
        # The 3×3 is, in the reference, a transposed convolution to theta's size, which is this size already: its
        # stride is 1, and it is a convolution.
        self.phi = nn.Sequential(
            nn.Conv2d(skip_channels, skip_channels, 1), nn.Conv2d(skip_channels, skip_channels, 3, padding=1)
        )
        self.coefficients = nn.Sequential(nn.ReLU(), nn.Conv2d(skip_channels, 1, 1), nn.Sigmoid())
        self.result = nn.Sequential(
            nn.Conv2d(skip_channels, skip_channels, 1),
            nn.BatchNorm2d(skip_channels) if norm else nn.Identity(),
        )

    def forward(self, skip: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """The weighed skip connection, B×C×Y×X."""
        coefficients = self.coefficients(self.theta(skip) + self.phi(self.gating(features)))
        # To the nearest, as the decoder does: on a GPU, the gradient of bilinear interpolation differs between runs.
        return self.result(skip * F.interpolate(coefficients, scale_factor=2.0, mode="nearest"))


def attention_maps(network: nn.Module, image: torch.Tensor) -> list[torch.Tensor]:
    """The coefficients of each attention gate of a network for an image, the deepest gate first.

    Args:
        network: with or without gates; left as it was.
        image: B×C×Y×X.

    Returns:
        Per gate a map B×1×Y×X in (0, 1), enlarged to the image without smoothing; none without gates.

    >>> attention_maps(nn.Conv2d(1, 1, 1), torch.zeros(1, 1, 4, 4))
    []
    """
    gates = [module for module in network.modules() if isinstance(module, AttentionGate)]
    if not gates:
        return []
    maps: list[torch.Tensor] = []
    modes = {module: module.training for module in network.modules()}
    # Gates answer in the order in which the decoder asks them, from the deepest on.
    hooks = [
        gate.coefficients.register_forward_hook(lambda module, given, result: maps.append(result)) for gate in gates
    ]
    try:
        network.eval()
        with torch.no_grad():
            network(image)
    finally:
        for hook in hooks:
            hook.remove()
        # Module by module: a frozen encoder may be in evaluation mode while the rest trains.
        for module, training in modes.items():
            module.training = training
    height, width = image.shape[-2:]
    padded = next((module for module in network.modules() if isinstance(module, Padded)), None)
    size = padded.padded_size(height, width) if padded else (height, width)
    return [F.interpolate(each, size=size, mode="nearest")[..., :height, :width] for each in maps]
