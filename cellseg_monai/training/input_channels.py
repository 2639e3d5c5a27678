"""Fitting the weights of a network to images with another number of channels."""

from __future__ import annotations

from collections.abc import Mapping

import torch

__all__ = ["fitted_to_channels"]


def fitted_to_channels(weights: Mapping[str, torch.Tensor], network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return weights in which the layers that see the image fit the channels of a network.

    One channel is repeated and divided by their number, and several are added up to one. An image whose channels are
    all equal therefore gives the same result as before. Tensors that differ in any other way are left as they are.

    Args:
        weights: tensors by name, of a network that may take another number of channels.
        network: the network for which they are meant. Its `definition` states its number of channels.

    >>> network = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1))
    >>> network.definition = {"in_channels": 3}
    >>> fitted_to_channels({"0.weight": torch.ones(2, 1, 1, 1)}, network)["0.weight"].shape
    torch.Size([2, 3, 1, 1])
    """
    channels = getattr(network, "definition", {}).get("in_channels")
    expected = network.state_dict()
    return {
        name: _fitted(value, expected[name].shape[1])
        if name in expected and _is_input(value, expected[name], channels)
        else value
        for name, value in weights.items()
    }


def _is_input(value: torch.Tensor, expected: torch.Tensor, channels: int | None) -> bool:
    """Return True if two tensors differ only in the number of image channels, and one of them has a single channel."""
    if value.ndim != 4 or expected.ndim != 4 or value.shape[1] == expected.shape[1]:
        return False
    rest = [(one.shape[0], *one.shape[2:]) for one in (value, expected)]
    return rest[0] == rest[1] and expected.shape[1] == channels and 1 in (value.shape[1], channels)


def _fitted(value: torch.Tensor, channels: int) -> torch.Tensor:
    if channels == 1:
        return value.float().sum(1, keepdim=True)
    return value.float().repeat(1, channels, 1, 1) / channels
