"""Networks that ask for sides of certain lengths, made to take images of any size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["Padded"]


class Padded(nn.Module):
    """A network that pads its image at the bottom and right, and crops its answer to the image's size.

    The border is continued by replication: it is valid for an image of one pixel, and makes no edge that a network
    could take for one of a cell. An image that fits already is handed on as it is.

    Args:
        network: takes B×C×Y×X, gives a tensor, or a list or tuple of tensors, at Y×X.
        multiple: Y and X must be multiples of it, in pixels.
        minimum: Y and X must not be smaller, in pixels.
        in_channels: C, that a wrong number is refused with a message that helps; None takes any.

    Raises:
        ValueError: on a call, if the image is not B×C×Y×X with that C and at least one pixel.

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
        """Logits B×classes×Y×X, or a list or tuple of such, as the network gives them."""
        recording = False
        if not torch.jit.is_scripting():
            # A trace holds no decision: it pads always, perhaps by nothing, and so takes other sizes as well.
            recording = torch.jit.is_tracing()
            if not recording:
                self._check(image)
        height, width = image.shape[2], image.shape[3]
        padded_height, padded_width = self.padded_size(height, width)
        below, right = padded_height - height, padded_width - width
        if not recording and below == 0 and right == 0:
            return self.network(image)
        answer = self.network(F.pad(image, [0, right, 0, below], mode="replicate"))
        if torch.jit.is_scripting():
            return answer[:, :, :height, :width]
        if isinstance(answer, list | tuple):
            return type(answer)(_crop(each, height, width) for each in answer)
        return _crop(answer, height, width)

    def padded_size(self, height: int, width: int) -> tuple[int, int]:
        """Y and X, in pixels, as the network sees an image of this size."""
        return self._padded_length(height), self._padded_length(width)

    def _padded_length(self, length: int) -> int:
        if self.minimum > self.multiple:
            # max(length, minimum), without the comparison that tracing cannot record.
            length = (length + self.minimum + abs(length - self.minimum)) // 2
        return (length + self.multiple - 1) // self.multiple * self.multiple

    def _check(self, image: torch.Tensor) -> None:
        shape = "×".join(str(side) for side in image.shape) or "a single number"
        if image.ndim != 4:
            raise ValueError(
                f"the network got an image of {shape}, expected four axes, batch×channels×Y×X; "
                "add the missing axes with image[None], or take one image out of a stack"
            )
        if 0 in image.shape[2:]:
            raise ValueError(f"the network got an image of {shape}, without a pixel; check how it was cropped")
        if self.in_channels is not None and image.shape[1] != self.in_channels:
            raise ValueError(
                f"the network got an image of {shape}, thus {image.shape[1]} channels, and was built for "
                f"{self.in_channels}; select the channels of the image, or build the network with in_channels="
                f"{image.shape[1]}"
            )


def _crop(answer: torch.Tensor, height: int, width: int) -> torch.Tensor:
    # An answer on the whole image, such as a class, has no Y and X.
    return answer[:, :, :height, :width] if answer.ndim == 4 else answer
