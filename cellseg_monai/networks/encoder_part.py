"""The encoder of a network: the part that turns an image into features, before a decoder turns these into a mask."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.nets import UNet
from torch import nn

from cellseg_monai.errors import BundleError

__all__ = ["encoder_parameters", "unwrapped"]

# The attributes that make up the encoder, for networks without an attribute `encoder`. MONAI's UNETR networks process
# their skip connections in blocks called `encoder1`, `encoder2` and so on.
_ENCODERS: dict[str, tuple[str, ...]] = {
    "_SwinUnet": ("embed", "encoder", "merges", "norm"),
    "SwinUNETR": ("swinViT", "encoder1", "encoder2", "encoder3", "encoder4", "encoder10"),
    "UNETR": ("vit", "encoder1", "encoder2", "encoder3", "encoder4"),
    "BasicUNet": ("conv_0", "down_1", "down_2", "down_3", "down_4"),
    "SegResNet": ("convInit", "down_layers"),
    "DynUNet": ("input_block", "downsamples", "bottleneck"),
}


def encoder_parameters(network: nn.Module) -> list[nn.Parameter]:
    """Return the parameters of a network's encoder.

    The encoders of all bundles in this package are known, as are those of segmentation-models-pytorch and most of
    MONAI.

    Args:
        network: the network, with or without wrappers such as `Padded` or `DistributedDataParallel`.

    Raises:
        BundleError: it is not known which part of the network is its encoder.

    >>> from cellseg_monai.networks import unet
    >>> network = unet(channels=(2, 4))
    >>> sum(parameter.numel() for parameter in encoder_parameters(network))
    306
    """
    inner = unwrapped(network)
    parameters = [parameter for part in _encoder_parts(inner) for parameter in part.parameters()]
    if not parameters:
        raise BundleError(
            f"got a network of type {type(inner).__name__}, expected one whose encoder is known, so its encoder cannot "
            "be trained apart from the rest; pass --frozen_epochs 0 --encoder_rate 1 to train the whole network alike"
        )
    return parameters


def unwrapped(network: nn.Module) -> nn.Module:
    """Return the network inside wrappers that hold it as `network` or, like PyTorch's own, as `module`."""
    while True:
        inner = getattr(network, "network", getattr(network, "module", None))
        if not isinstance(inner, nn.Module):
            return network
        network = inner


def _encoder_parts(network: nn.Module) -> Sequence[nn.Module]:
    if isinstance(network, UNet):
        return _downward(network.model)
    names = _ENCODERS.get(type(network).__name__, ("encoder",))
    parts = [getattr(network, name, None) for name in names]
    return [part for part in parts if isinstance(part, nn.Module)]


def _downward(level: nn.Module) -> list[nn.Module]:
    """Return the blocks on the way down in MONAI's U-Net, which nests each level in the skip connection of the next."""
    children = list(level.children())
    if len(children) != 3 or not hasattr(children[1], "submodule"):
        return [level]  # the bottom
    return [children[0], *_downward(children[1].submodule)]
