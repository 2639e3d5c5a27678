"""A U-Net with an encoder of segmentation-models-pytorch (SMP) whose channels belong to several heads.

All heads share encoder and decoder. A channel that describes each pixel, such as a mask or the class of a cell, comes
from the decoder. A channel that describes the image, such as its cell type, comes from the encoder's deepest features,
averaged over the image, and is repeated at each pixel. The network thus returns a single tensor with named channels
(`heads.JoinedHeads`), and a further head needs no change here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from cellseg_monai.errors import BundleError
from cellseg_monai.networks.definition import recorded
from cellseg_monai.networks.padding import Padded
from cellseg_monai.networks.smp_networks import built_by_smp

__all__ = ["multihead_unet"]


@recorded
def multihead_unet(
    encoder_name: str,
    *,
    encoder_weights: str | None = None,
    in_channels: int = 1,
    classes: int = 1,
    pooled: Sequence[int] = (),
    **options: Any,
) -> nn.Module:
    """Build a U-Net for several heads, for images of any size.

    Args:
        encoder_name: name of the encoder in SMP, such as `"tu-tf_efficientnetv2_b0"` or `"mit_b0"`.
        encoder_weights: see `smp_model`.
        in_channels: number of image channels.
        classes: number of output channels of all heads. The network returns logits, B×classes×Y×X.
        pooled: numbers of the output channels with one value for the whole image; see `heads.Head.pooled_channels`.
        options: further arguments of SMP's `Unet`, such as `decoder_channels`.

    Raises:
        BundleError: `pooled` does not fit `classes`, an option is unknown, or the weights cannot be loaded.

    >>> network = multihead_unet("resnet18", classes=4, pooled=[2, 3]).eval()
    >>> logits = network(torch.rand(1, 1, 33, 5))
    >>> logits.shape, [len(channel.unique()) for channel in logits[0, 2:]]
    (torch.Size([1, 4, 33, 5]), [1, 1])
    """
    numbers = sorted(pooled)
    if len(set(numbers)) < len(numbers) or not set(numbers) < set(range(classes)):
        raise BundleError(
            f"got pooled={list(pooled)} for {classes} output channels, expected different numbers from 0 to "
            f"{classes - 1}, and at least one channel that is not pooled; pass the head's pooled_channels"
        )
    network, stride = built_by_smp(
        "unet", encoder_name, encoder_weights, in_channels=in_channels, classes=classes - len(numbers), **options
    )
    return Padded(_ManyHeads(network, numbers), multiple=stride, in_channels=in_channels)


class _ManyHeads(nn.Module):
    """A network of SMP with further channels that have one value for the whole image.

    Args:
        network: network of SMP, with an encoder, a decoder and a segmentation head.
        pooled: numbers of the pooled channels in the output, in increasing order.
    """

    def __init__(self, network: nn.Module, pooled: Sequence[int]) -> None:
        super().__init__()
        self.encoder, self.decoder, self.pixels = network.encoder, network.decoder, network.segmentation_head
        self.image = nn.Linear(self.encoder.out_channels[-1], len(pooled)) if pooled else None
        dense = self.pixels[0].out_channels
        # Where each output channel lies after the dense channels have been followed by the pooled ones.
        places, taken = list(range(dense)), list(range(dense, dense + len(pooled)))
        for number, place in zip(pooled, taken, strict=True):
            places.insert(number, place)
        self.is_in_order = places == sorted(places)
        self.register_buffer("places", torch.tensor(places), persistent=False)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits of all channels, B×K×Y×X."""
        features = self.encoder(image)
        logits = self.pixels(self.decoder(features))
        if self.image is None:
            return logits
        pooled = self.image(features[-1].mean(dim=(2, 3)))[:, :, None, None]
        logits = torch.cat([logits, pooled.expand(-1, -1, logits.shape[2], logits.shape[3]).to(logits.dtype)], dim=1)
        return logits if self.is_in_order else logits[:, self.places]
