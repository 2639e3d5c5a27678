"""Encoders of segmentation-models-pytorch: loading their weights, and dropping stages that are never run."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from segmentation_models_pytorch.encoders import get_encoder

# Private, but the only way to adapt the weights of timm's encoders, which lack the public method.
from segmentation_models_pytorch.encoders._utils import patch_first_conv
from torch import nn

from cellseg_monai.errors import BundleError

__all__ = ["drop_unused_stages", "load_encoder_weights"]


def load_encoder_weights(
    encoder: nn.Module, weights: str | None, *, encoder_name: str, in_channels: int, depth: int
) -> None:
    """Fill an encoder with pretrained weights.

    Args:
        encoder: encoder built for `in_channels`; stages that it does not run can be missing.
        weights: None to leave the encoder unchanged; a name that SMP knows, such as `"imagenet"`, which is downloaded
            once; or the path of a state dict (`.safetensors` or a torch file) for 3-channel images.
        encoder_name: name of the encoder in SMP, such as `"resnet34"`.
        in_channels: number of channels of the image; 3-channel weights are adapted to other numbers as in SMP.
        depth: number of stages of the encoder.

    Raises:
        BundleError: the weights cannot be downloaded or read, or do not fit the encoder.
    """
    if weights is None:
        return
    if _is_path(weights):
        pretrained = get_encoder(encoder_name, in_channels=3, depth=depth)
        _load_file_into(pretrained, weights, encoder_name)
        if in_channels != 3:
            patch_first_conv(pretrained, new_in_channels=in_channels, pretrained=True)
    else:
        pretrained = _download(encoder_name, weights, in_channels, depth)
    state = pretrained.state_dict()
    encoder.load_state_dict({key: state[key] for key in encoder.state_dict()})


def drop_unused_stages(encoder: nn.Module, *, in_channels: int) -> None:
    """Empty the parts of an encoder that no feature depends on.

    SMP builds all five stages of most encoders and runs the first `depth`. The others would be stored in every
    checkpoint (20 of the 21 million parameters of a ResNet34 of depth 3), would be counted as parameters of the
    network, and would stall DistributedDataParallel, which waits for the gradient of each parameter.

    Args:
        encoder: module that takes B×C×Y×X and returns a list of features; changed in place.
        in_channels: number of channels C.
    """
    training = encoder.training
    # In evaluation mode, so that the running statistics of normalisation do not change.
    with torch.enable_grad():
        features = encoder.eval()(torch.zeros(1, in_channels, 64, 64))
        sum(feature.sum() for feature in features).backward()
    _empty_without_gradient(encoder)
    encoder.zero_grad(set_to_none=True)
    encoder.train(training)


def _empty_without_gradient(module: nn.Module) -> None:
    for name, child in list(module.named_children()):
        parameters = list(child.parameters())
        if parameters and all(parameter.grad is None for parameter in parameters):
            # Not deleted: TorchScript also compiles branches that never run it, and some encoders run stages whose
            # output they discard.
            setattr(module, name, _PassThrough())
        else:
            _empty_without_gradient(child)


class _PassThrough(nn.Module):
    """A module that returns its input; some encoders also pass a rate for dropping connections."""

    def forward(self, features: torch.Tensor, rate: float = 0.0) -> torch.Tensor:
        """Return the features unchanged."""
        return features


def _is_path(weights: str) -> bool:
    return Path(weights).suffix != "" or "/" in weights or "\\" in weights


def _download(encoder_name: str, weights: str, in_channels: int, depth: int) -> Any:
    try:
        return get_encoder(encoder_name, in_channels=in_channels, depth=depth, weights=weights)
    except OSError as error:
        # The hub's client raises subclasses of OSError if there is no network or no such file.
        raise BundleError(
            f"the {weights} weights of {encoder_name} could not be downloaded; connect to the internet, "
            "set encoder_weights to the path of a local file, or set it to null for random weights"
        ) from error
    except KeyError as error:
        raise BundleError(str(error.args[0])) from error


def _load_file_into(encoder: nn.Module, weights: str, encoder_name: str) -> None:
    path = Path(weights)
    if not path.is_file():
        raise BundleError(
            f"no encoder weights at {path}; correct the path, or set encoder_weights to null for random weights"
        )
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        encoder.load_state_dict(state)
    except (RuntimeError, KeyError, TypeError, AttributeError, OSError, UnpicklingError, SafetensorError) as error:
        raise BundleError(
            f"{path} does not hold the state dict of a {encoder_name} encoder for 3-channel images: {error}; "
            "pass such a file, or set encoder_weights to null for random weights"
        ) from error
