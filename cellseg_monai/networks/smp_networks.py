"""Networks from segmentation-models-pytorch (SMP), with encoder weights from the hub or from a file.

On CUDA, torch sums the gradients of adaptive pooling and bilinear interpolation in no fixed order. Two training runs of
PSPNet with the same seed are therefore close but not identical bit for bit. The same holds for a resumed run and an
uninterrupted one.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

import segmentation_models_pytorch as smp
import torch

from cellseg_monai.errors import BundleError
from cellseg_monai.networks.definition import recorded
from cellseg_monai.networks.encoder import drop_unused_stages, load_encoder_weights
from cellseg_monai.networks.padding import Padded

__all__ = ["built_by_smp", "smp_model"]

# Minimum number of positions along each side of the deepest features. PSPNet pools them into 6×6 bins, which should
# not overlap, and PAN halves them three times.
_MINIMUM_POSITIONS = {"pspnet": 6, "pan": 8}


@recorded
def smp_model(
    architecture: str,
    *,
    encoder_name: str,
    encoder_weights: str | None = None,
    in_channels: int = 1,
    classes: int = 1,
    **options: Any,
) -> torch.nn.Module:
    """Build a network from segmentation-models-pytorch (https://smp.readthedocs.io) for images of any size.

    Args:
        architecture: name of the architecture in SMP, such as `"unet"`, `"unetplusplus"` or `"pspnet"`.
        encoder_name: name of the encoder in SMP, such as `"resnet34"`.
        encoder_weights: the name of pretrained weights in SMP, such as `"imagenet"`, which are downloaded once; or the
            path of the encoder's state dict (`.safetensors` or a torch file) for 3-channel images. None for random
            weights.
        in_channels: number of image channels. For numbers other than 3, weights are adapted as in SMP.
        classes: number of output channels. The network returns logits, B×classes×Y×X.
        options: further arguments of the architecture.

    Raises:
        BundleError: the architecture does not exist, an option is unknown, or the weights cannot be loaded.

    >>> network = smp_model("unet", encoder_name="resnet18", classes=2).eval()
    >>> network(torch.zeros(1, 1, 33, 5)).shape
    torch.Size([1, 2, 33, 5])
    """
    network, stride = built_by_smp(
        architecture, encoder_name, encoder_weights, in_channels=in_channels, classes=classes, **options
    )
    minimum = stride * _MINIMUM_POSITIONS.get(architecture.lower(), 1)
    return Padded(network, multiple=stride, minimum=minimum, in_channels=in_channels)


def built_by_smp(
    architecture: str,
    encoder_name: str,
    encoder_weights: str | None,
    *,
    in_channels: int,
    classes: int,
    **options: Any,
) -> tuple[torch.nn.Module, int]:
    """Return a network of SMP without padding, and the number of pixels that must divide the sides of its images.

    Args:
        architecture: name of the architecture in SMP.
        encoder_name: name of the encoder in SMP.
        encoder_weights: see `smp_model`.
        in_channels: number of image channels.
        classes: number of output channels.
        options: further arguments of the architecture.

    Raises:
        BundleError: see `smp_model`.
    """
    _check_options(architecture, encoder_name, options)
    try:
        network = smp.create_model(
            architecture,
            encoder_name=encoder_name,
            encoder_weights=None,
            in_channels=in_channels,
            classes=classes,
            **options,
        )
    except KeyError as error:
        raise BundleError(str(error.args[0])) from error
    depth = len(network.encoder.out_channels) - 1
    if depth < 5:
        drop_unused_stages(network.encoder, in_channels=in_channels)
    load_encoder_weights(
        network.encoder, encoder_weights, encoder_name=encoder_name, in_channels=in_channels, depth=depth
    )
    return network, network.encoder.output_stride


def _check_options(architecture: str, encoder_name: str, options: Mapping[str, Any]) -> None:
    """Raise an error for unknown options, which SMP would silently pass to the encoder."""
    kind = smp.MODEL_ARCHITECTURES_MAPPING.get(architecture.lower())
    # Encoders from timm, which have this prefix, take further options. SMP itself rejects unknown architectures.
    if kind is None or encoder_name.startswith("tu-"):
        return
    known = [name for name in inspect.signature(kind.__init__).parameters if name not in ("self", "kwargs")]
    for name in options:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            remedy = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(known)}"
            raise BundleError(f"{architecture} has no option {name!r}; {remedy}")
