"""Encoders from segmentation-models-pytorch (SMP): loading their weights, and removing stages that never run."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from segmentation_models_pytorch.encoders import get_encoder

# This function is private, but timm's encoders lack the public method for adapting their weights.
from segmentation_models_pytorch.encoders._utils import patch_first_conv
from torch import nn

from cellseg_monai.errors import BundleError, cause_of

__all__ = ["drop_unused_stages", "load_encoder_weights"]

logger = logging.getLogger(__name__)

_NAMED = 5
"""Number of tensors that a message names."""


def load_encoder_weights(
    encoder: nn.Module, weights: str | None, *, encoder_name: str, in_channels: int, depth: int
) -> None:
    """Load pretrained weights into an encoder.

    Args:
        encoder: encoder built for `in_channels` channels. Stages that it does not run can be missing.
        weights: the name of pretrained weights in SMP, such as `"imagenet"`, which are downloaded once; or the path of
            a state dict (`.safetensors` or a torch file) in which every tensor must match. If it is for images with
            another number of channels, its first convolution is adapted as in SMP. None leaves the encoder unchanged.
        encoder_name: name of the encoder in SMP, such as `"resnet34"`.
        in_channels: number of image channels. For numbers other than 3, weights are adapted as in SMP.
        depth: number of encoder stages.

    Raises:
        BundleError: the weights cannot be downloaded or read, or do not fit the encoder.
    """
    if weights is None:
        return
    if _is_path(weights):
        pretrained, channels = _encoder_from_file(weights, encoder_name, depth)
        if in_channels != channels:
            patch_first_conv(pretrained, new_in_channels=in_channels, default_in_channels=channels, pretrained=True)
    else:
        pretrained = _download(encoder_name, weights, in_channels, depth)
    state = pretrained.state_dict()
    encoder.load_state_dict({key: state[key] for key in encoder.state_dict()})


def drop_unused_stages(encoder: nn.Module, *, in_channels: int) -> None:
    """Remove the parts of an encoder that do not contribute to its features.

    SMP builds all five stages of most encoders but runs only the first `depth`. The unused stages would be stored in
    every checkpoint (20 of the 21 million parameters in a ResNet34 of depth 3) and counted as parameters of the
    network. They would also stall DistributedDataParallel, which waits for the gradient of every parameter.

    Args:
        encoder: module that takes B×C×Y×X and returns a list of features. It is changed in place.
        in_channels: number of image channels C.
    """
    training = encoder.training
    # Evaluation mode keeps the running statistics of the normalisation layers unchanged.
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
            # Replace rather than delete: TorchScript compiles even branches that never run, and some encoders run
            # stages whose output they discard.
            setattr(module, name, _PassThrough())
        else:
            _empty_without_gradient(child)


class _PassThrough(nn.Module):
    """A module that returns its input, and ignores the drop rate that some encoders pass."""

    def forward(self, features: torch.Tensor, rate: float = 0.0) -> torch.Tensor:
        """Return the features unchanged."""
        return features


def _is_path(weights: str) -> bool:
    return Path(weights).suffix != "" or "/" in weights or "\\" in weights


def _download(encoder_name: str, weights: str, in_channels: int, depth: int) -> Any:
    try:
        return get_encoder(encoder_name, in_channels=in_channels, depth=depth, weights=weights)
    except OSError as error:
        # The hub client raises subclasses of OSError for a missing connection or file.
        raise BundleError(
            f"cannot download the {weights} weights for {encoder_name}; connect to the internet, "
            "set encoder_weights to the path of a local file, or set it to null for random weights"
        ) from error
    except KeyError as error:
        raise BundleError(str(error.args[0])) from error


def _encoder_from_file(weights: str, encoder_name: str, depth: int) -> tuple[nn.Module, int]:
    """Return an encoder with the weights in a file, and its number of image channels.

    The file can leave out the stages that an encoder of this depth does not run, as in pretraining.
    """
    path = Path(weights)
    state = _read_state(path)
    encoder = get_encoder(encoder_name, in_channels=3, depth=depth)
    channels = _image_channels(encoder, state)
    if channels != 3:
        encoder = get_encoder(encoder_name, in_channels=channels, depth=depth)
    if depth < 5 and not state.keys() >= encoder.state_dict().keys():
        drop_unused_stages(encoder, in_channels=channels)
    faults = _mismatches(encoder.state_dict(), state)
    if faults:
        raise BundleError(
            f"{path} is not the state dict of a {encoder_name} encoder: {'; '.join(faults)}; pass another file, or "
            "set encoder_weights to null for random weights"
        )
    encoder.load_state_dict(state)
    logger.info(f"encoder weights: all {len(state)} tensors of {path} match {encoder_name}")
    return encoder, channels


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise BundleError(
            f"no encoder weights at {path}; fix the path, or set encoder_weights to null for random weights"
        )
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, KeyError, UnpicklingError, SafetensorError) as error:
        raise BundleError(
            f"{path} cannot be read as encoder weights ({cause_of(error)}); pass a .safetensors or torch file"
        ) from error
    is_state = isinstance(state, dict) and all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    )
    if not is_state or not state:
        raise BundleError(f"{path} holds no state dict, expected tensors by name; pass the state dict of an encoder")
    return dict(state)


def _image_channels(encoder: nn.Module, state: Mapping[str, torch.Tensor]) -> int:
    """Return the number of image channels for which a state dict of an encoder was made; 3 if it does not say so."""
    # A file can have its tensors in any order, so the module tells which convolution is the first.
    name, first = next((name, part) for name, part in encoder.named_modules() if isinstance(part, nn.Conv2d))
    weight = state.get(f"{name}.weight")
    return 3 if weight is None or weight.ndim != 4 else int(weight.shape[1]) * first.groups


def _mismatches(expected: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> list[str]:
    """Return what keeps tensors from being loaded: those that are missing, unexpected, or of another shape."""
    missing = [name for name in expected if name not in given]
    unexpected = [name for name in given if name not in expected]
    shared = [name for name in expected if name in given]
    misshapen = [
        f"{name} is {tuple(given[name].shape)} instead of {tuple(expected[name].shape)}"
        for name in shared
        if given[name].shape != expected[name].shape
    ]
    if not (missing or unexpected or misshapen):
        return []
    faults = [f"{len(shared) - len(misshapen)} of {len(expected)} tensors match"]
    for words, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", misshapen)):
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            faults.append(f"{len(names)} {words}: {', '.join(names[:_NAMED])}{more}")
    return faults
