"""Networks of segmentation-models-pytorch, with encoder weights from the hub or from a file."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import segmentation_models_pytorch as smp
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from segmentation_models_pytorch.encoders import get_encoder

from cellseg_monai.errors import BundleError

__all__ = ["smp_model"]


def smp_model(
    architecture: str,
    *,
    encoder_name: str,
    encoder_weights: str | None = None,
    in_channels: int = 1,
    classes: int = 1,
    **options: Any,
) -> torch.nn.Module:
    """A network of segmentation-models-pytorch (https://smp.readthedocs.io).

    Args:
        architecture: such as `"unet"`, `"unetplusplus"`, `"pspnet"`.
        encoder_name: such as `"resnet34"`.
        encoder_weights: None for a random start; a name that SMP knows, such as `"imagenet"`, which is downloaded
            once; or the path of a state dict of the encoder (`.safetensors` or a torch file) for 3-channel images.
        in_channels: channels of the image; 3-channel weights are fitted to other numbers as SMP does it.
        classes: channels of the output, logits B×classes×Y×X.
        options: handed to the architecture.

    Raises:
        BundleError: the weights cannot be had or do not fit the encoder.
    """
    named = encoder_weights is not None and not _is_path(encoder_weights)
    try:
        network = smp.create_model(
            architecture,
            encoder_name=encoder_name,
            encoder_weights=encoder_weights if named else None,
            in_channels=in_channels,
            classes=classes,
            **options,
        )
    except OSError as error:
        # All that the hub's client raises without a network or without the file derives from OSError.
        raise BundleError(
            f"the {encoder_weights} weights of {encoder_name} could not be downloaded; connect to the internet, "
            "give the path of a local file as encoder_weights, or null for a random start"
        ) from error
    except KeyError as error:
        raise BundleError(str(error.args[0])) from error
    if encoder_weights is not None and not named:
        encoder = get_encoder(encoder_name, in_channels=3, depth=options.get("encoder_depth", 5))
        _load_file_into(encoder, encoder_weights, encoder_name)
        encoder.set_in_channels(in_channels, pretrained=True)
        network.encoder.load_state_dict(encoder.state_dict())
    return network


def _is_path(weights: str) -> bool:
    return Path(weights).suffix != "" or "/" in weights or "\\" in weights


def _load_file_into(encoder: torch.nn.Module, weights: str, encoder_name: str) -> None:
    path = Path(weights)
    if not path.is_file():
        raise BundleError(f"no encoder weights at {path}; correct the path, or give null for a random start")
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        encoder.load_state_dict(state)
    except (RuntimeError, KeyError, TypeError, AttributeError, OSError, UnpicklingError, SafetensorError) as error:
        raise BundleError(
            f"{path} does not hold the state dict of a {encoder_name} encoder for 3-channel images: {error}; "
            "give such a file, or null for a random start"
        ) from error
