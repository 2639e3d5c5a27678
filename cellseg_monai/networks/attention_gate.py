"""Attention gates on the skip connections of a U-Net, and maps of their coefficients."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from cellseg_monai.networks.padding import Padded

__all__ = ["AttentionGate", "attention_maps"]


class AttentionGate(nn.Module):
    """A gate that weights the features of a skip connection by those of the decoder one level deeper.

    The additive gate of Oktay et al., "Attention U-Net: learning where to look for the pancreas", 2018
    (arXiv:1804.03999), with the layers of Ghaznavi et al., 2022 (doi:10.1016/j.compbiomed.2022.105805).

    The output of the submodule `coefficients`, B×1×Y/2×X/2 in (0, 1), is the attention map; hook it to see the map.

    Args:
        skip_channels: number of channels C of the skip connection, B×C×Y×X with even Y and X.
        gating_channels: number of channels G of the decoder's features, B×G×Y/2×X/2.
        norm: apply batch normalisation to the gating signal and the result.
        activation: activation of the gating signal.

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
        # The reference upsamples to the size of theta with a 3×3 transposed convolution. Here the sizes are equal, so
        # its stride is 1 and a plain convolution does the same.
        self.phi = nn.Sequential(
            nn.Conv2d(skip_channels, skip_channels, 1), nn.Conv2d(skip_channels, skip_channels, 3, padding=1)
        )
        self.coefficients = nn.Sequential(nn.ReLU(), nn.Conv2d(skip_channels, 1, 1), nn.Sigmoid())
        self.result = nn.Sequential(
            nn.Conv2d(skip_channels, skip_channels, 1),
            nn.BatchNorm2d(skip_channels) if norm else nn.Identity(),
        )

    def forward(self, skip: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Return the weighted skip connection, B×C×Y×X."""
        coefficients = self.coefficients(self.theta(skip) + self.phi(self.gating(features)))
        # Nearest-neighbour, as in the decoder: gradients of bilinear interpolation are not reproducible on a GPU.
        return self.result(skip * F.interpolate(coefficients, scale_factor=2.0, mode="nearest"))


def attention_maps(network: nn.Module, image: torch.Tensor) -> list[torch.Tensor]:
    """Return the coefficients of the attention gates of a network for an image, the deepest gate first.

    Args:
        network: network with or without gates; its modes and weights are left unchanged.
        image: B×C×Y×X.

    Returns:
        A map B×1×Y×X in (0, 1) for each gate, enlarged to the size of the image without smoothing.

    >>> attention_maps(nn.Conv2d(1, 1, 1), torch.zeros(1, 1, 4, 4))
    []
    """
    gates = [module for module in network.modules() if isinstance(module, AttentionGate)]
    if not gates:
        return []
    maps: list[torch.Tensor] = []
    modes = {module: module.training for module in network.modules()}
    # The decoder runs the gates from the deepest up, so the hooks collect the maps in that order.
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
        # Restored module by module: a frozen encoder can be in evaluation mode while the rest is in training mode.
        for module, training in modes.items():
            module.training = training
    height, width = image.shape[-2:]
    padded = next((module for module in network.modules() if isinstance(module, Padded)), None)
    size = padded.padded_size(height, width) if padded else (height, width)
    return [F.interpolate(gate_map, size=size, mode="nearest")[..., :height, :width] for gate_map in maps]
