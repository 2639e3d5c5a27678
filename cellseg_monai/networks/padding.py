"""Padding that lets a network with fixed size requirements accept images of any size.

The network itself pads and crops, even after export, so callers need not know which multiples an architecture
requires.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["Padded"]


class Padded(nn.Module):
    """A network that pads its image at the bottom and right, and crops its output to the size of the image.

    The padding repeats the border pixels. This works even for a single pixel, and it creates no edge that the network
    could mistake for the edge of a cell. An image whose size is already suitable is passed on unchanged.

    Args:
        network: module that takes B×C×Y×X and returns one tensor, or a list or tuple of tensors, at Y×X.
        multiple: number of pixels that must divide Y and X.
        minimum: smallest Y and X, in pixels.
        in_channels: number of channels C to require, with a helpful message for any other number. None accepts any.

    Raises:
        ValueError: when called, the image is not B×C×Y×X with at least one pixel and `in_channels` channels.

    >>> network = Padded(nn.MaxPool2d(4, stride=1, padding=2), multiple=4)
    >>> network(torch.zeros(1, 3, 5, 1)).shape
    torch.Size([1, 3, 5, 1])
    >>> network.padded_size(5, 1)
    (8, 4)
    """

    def __init__(self, network: nn.Module, *, multiple: int, minimum: int = 1, in_channels: int | None = None) -> None:
        super().__init__()
        self.network = network
        self.multiple = multiple
        self.minimum = minimum
        self.in_channels = in_channels

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the network's output cropped to the size of the image: one tensor, or a list or tuple of tensors."""
        recording = False
        if not torch.jit.is_scripting():
            # A trace cannot branch, so it always pads, possibly by 0 pixels. It then works for other sizes too.
            recording = torch.jit.is_tracing()
            if not recording:
                self._check(image)
        height, width = image.shape[2], image.shape[3]
        padded_height, padded_width = self.padded_size(height, width)
        below, right = padded_height - height, padded_width - width
        if not recording and below == 0 and right == 0:
            return self.network(image)
        output = self.network(F.pad(image, [0, right, 0, below], mode="replicate"))
        if torch.jit.is_scripting():
            return output[:, :, :height, :width]
        if isinstance(output, list | tuple):
            return type(output)(_crop(part, height, width) for part in output)
        return _crop(output, height, width)

    def padded_size(self, height: int, width: int) -> tuple[int, int]:
        """Return (Y, X) in pixels after padding an image of the given height and width."""
        return self._padded_length(height), self._padded_length(width)

    def _padded_length(self, length: int) -> int:
        if self.minimum > self.multiple:
            # This is max(length, minimum), written without a comparison, which tracing cannot record.
            length = (length + self.minimum + abs(length - self.minimum)) // 2
        return (length + self.multiple - 1) // self.multiple * self.multiple

    def _check(self, image: torch.Tensor) -> None:
        shape = "×".join(str(side) for side in image.shape) or "a single number"
        if image.ndim != 4:
            raise ValueError(
                f"the network got an image of shape {shape}, expected four axes, batch×channels×Y×X; "
                "add the missing axes with image[None], or select one image from the stack"
            )
        if 0 in image.shape[2:]:
            raise ValueError(
                f"the network got an image of shape {shape}, expected at least one pixel; check how it was cropped"
            )
        if self.in_channels is not None and image.shape[1] != self.in_channels:
            raise ValueError(
                f"the network got an image of shape {shape} with {image.shape[1]} channels, expected "
                f"{self.in_channels}; select channels, or build the network with in_channels={image.shape[1]}"
            )


def _crop(output: torch.Tensor, height: int, width: int) -> torch.Tensor:
    # An output for the image as a whole, such as a class, has no Y and X axes.
    return output[:, :, :height, :width] if output.ndim == 4 else output
