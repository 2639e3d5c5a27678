"""Attention gates for the skip connections of a U-Net, and maps of their coefficients."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from cellseg_monai.networks.padding import Padded

__all__ = ["AttentionGate", "attention_maps"]


class AttentionGate(nn.Module):
    """A gate that weights a skip connection using the decoder features from one level deeper.

    This is the additive gate from Oktay et al., "Attention U-Net: learning where to look for the pancreas", 2018
    (arXiv:1804.03999), with the layers from Ghaznavi et al., 2022 (doi:10.1016/j.compbiomed.2022.105805).

    The submodule `coefficients` returns the attention map, B×1×Y/2×X/2 in (0, 1). Register a forward hook on it to
    read the map.

    Args:
        skip_channels: number of channels C of the skip connection, B×C×Y×X with even Y and X.
        gating_channels: number of channels G of the decoder features, B×G×Y/2×X/2.
        norm: True to apply batch normalisation to the gating signal and to the result.
        activation: activation function for the gating signal.

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
        # The reference upsamples phi to the size of theta with a 3×3 transposed convolution. Here both have the same
        # size already, so the stride is 1 and a plain convolution does the same.
        self.phi = nn.Sequential(
            nn.Conv2d(skip_channels, skip_channels, 1), nn.Conv2d(skip_channels, skip_channels, 3, padding=1)
        )
        self.coefficients = nn.Sequential(nn.ReLU(), nn.Conv2d(skip_channels, 1, 1), nn.Sigmoid())
        self.result = nn.Sequential(
            nn.Conv2d(skip_channels, skip_channels, 1),
            nn.BatchNorm2d(skip_channels) if norm else nn.Identity(),
        )

    def forward(self, skip: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Return the skip connection weighted by the attention map, B×C×Y×X."""
        coefficients = self.coefficients(self.theta(skip) + self.phi(self.gating(features)))
        # Nearest-neighbour, as in the decoder, because bilinear gradients are not reproducible on a GPU.
        return self.result(skip * F.interpolate(coefficients, scale_factor=2.0, mode="nearest"))


def attention_maps(network: nn.Module, image: torch.Tensor) -> list[torch.Tensor]:
    """Return the attention map of every gate in a network for an image, from the deepest gate upwards.

    Args:
        network: network with or without attention gates. Its weights and training modes are left unchanged.
        image: B×C×Y×X.

    Returns:
        One map B×1×Y×X in (0, 1) per gate, enlarged to the size of the image without smoothing. The list is empty if
        the network has no gates.

    >>> attention_maps(nn.Conv2d(1, 1, 1), torch.zeros(1, 1, 4, 4))
    []
    """
    gates = [module for module in network.modules() if isinstance(module, AttentionGate)]
    if not gates:
        return []
    maps: list[torch.Tensor] = []
    modes = {module: module.training for module in network.modules()}
    # The decoder runs the deepest gate first, so the hooks collect the maps in that order.
    hooks = [
        gate.coefficients.register_forward_hook(lambda module, inputs, output: maps.append(output)) for gate in gates
    ]
    try:
        network.eval()
        with torch.no_grad():
            network(image)
    finally:
        for hook in hooks:
            hook.remove()
        # Restore each module separately: a frozen encoder can be in evaluation mode while the rest is training.
        for module, training in modes.items():
            module.training = training
    height, width = image.shape[-2:]
    padded = next((module for module in network.modules() if isinstance(module, Padded)), None)
    size = padded.padded_size(height, width) if padded else (height, width)
    return [F.interpolate(gate_map, size=size, mode="nearest")[..., :height, :width] for gate_map in maps]
