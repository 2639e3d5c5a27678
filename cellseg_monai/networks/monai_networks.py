"""MONAI's networks, for two-dimensional images of any size."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

import torch
from monai.networks import nets
from torch import nn

from cellseg_monai.errors import BundleError, CheckpointError
from cellseg_monai.networks.definition import BUILD_ERRORS, recorded
from cellseg_monai.networks.padding import Padded

__all__ = ["monai_network", "padded_monai_network"]

# Names that MONAI's networks use for the number of image channels and of output channels.
_IN_CHANNELS = ("in_channels", "n_input_channels", "num_channels")
_CLASSES = ("out_channels", "num_classes", "classes", "out_classes")


@recorded
def monai_network(
    name: str,
    *,
    in_channels: int = 1,
    classes: int = 1,
    multiple: int,
    minimum: int = 1,
    **options: Any,
) -> nn.Module:
    """Build a network from `monai.networks.nets` (https://docs.monai.io) for two-dimensional images of any size.

    The function runs the network on a few small images first, so that a wrong `multiple` or `minimum` shows before
    training starts.

    Args:
        name: name of the class, such as `"AttentionUnet"`.
        in_channels: number of image channels, passed under the name that the class uses.
        classes: number of output channels, passed under the name that the class uses. The network returns logits,
            B×classes×Y×X.
        multiple: number of pixels that must divide Y and X. This is the product of the strides, such as 16 for four
            halvings.
        minimum: smallest Y and X in pixels. A network that normalises each image separately needs at least two
            positions at its deepest level, so twice `multiple`.
        options: further arguments of the class. `spatial_dims` is always 2.

    Raises:
        BundleError: MONAI has no network of this name, the network rejects an option, or it does not return a single
            tensor B×classes×Y×X for small images.

    >>> network = monai_network("SegResNet", classes=2, multiple=8, init_filters=8).eval()
    >>> network(torch.zeros(1, 1, 33, 5)).shape
    torch.Size([1, 2, 33, 5])
    """
    if min(multiple, minimum) < 1:
        raise BundleError(
            f"{name}: got multiple={multiple} and minimum={minimum}, expected whole numbers of at least 1"
        )
    padded = padded_monai_network(
        name, in_channels=in_channels, classes=classes, multiple=multiple, minimum=minimum, options=options
    )
    _try_out(padded, name, classes)
    return padded


def padded_monai_network(
    name: str, *, in_channels: int, classes: int, multiple: int, minimum: int, options: Mapping[str, Any]
) -> Padded:
    """Build the same network as `monai_network`, without running it and without recording its definition.

    Raises:
        BundleError: MONAI has no network of this name, or the network rejects an option.
    """
    kind = _find_class(name)
    arguments = _arguments(kind, name, options, in_channels=in_channels, classes=classes)
    try:
        network = kind(**arguments)
    except CheckpointError:  # a checkpoint describes a network that is too large
        raise
    except BUILD_ERRORS as error:
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise BundleError(f"MONAI's {name} rejects {given}: {_first_line(error)}; change the options") from error
    return Padded(network, multiple=multiple, minimum=minimum, in_channels=in_channels)


def _find_class(name: str) -> type[nn.Module]:
    kinds = {key: kind for key, kind in vars(nets).items() if inspect.isclass(kind) and issubclass(kind, nn.Module)}
    if name in kinds:
        return kinds[name]
    by_lower_case = {key.lower(): key for key in kinds}
    nearest = difflib.get_close_matches(str(name).lower(), by_lower_case, n=1)
    remedy = f"did you mean {by_lower_case[nearest[0]]!r}?" if nearest else "see monai.networks.nets"
    raise BundleError(f"MONAI has no network named {name!r}; {remedy}")


def _arguments(
    kind: type[nn.Module], name: str, options: Mapping[str, Any], *, in_channels: int, classes: int
) -> dict[str, Any]:
    """Return the arguments for the class, with the channel numbers under the names that it uses."""
    parameters = _signature(kind).parameters
    arguments: dict[str, Any] = {}
    for ours, theirs, value in (("in_channels", _IN_CHANNELS, in_channels), ("classes", _CLASSES, classes)):
        parameter = next((parameter for parameter in theirs if parameter in parameters), None)
        if parameter is None:
            raise BundleError(
                f"MONAI's {name} takes none of {', '.join(theirs)}, so it cannot segment images; choose another network"
            )
        arguments[parameter] = value
        if parameter in options:
            raise BundleError(f"{name}: the option {parameter} is reserved; pass {ours} instead")
    if "spatial_dims" in parameters:
        arguments["spatial_dims"] = 2
        if options.get("spatial_dims", 2) != 2:
            raise BundleError(f"{name}: got spatial_dims={options['spatial_dims']}, expected 2; remove this option")
    if "pretrained" in parameters:
        arguments["pretrained"] = False
    if options.get("pretrained"):
        raise BundleError(
            f"{name}: got pretrained={options['pretrained']!r}, expected False, because loading a checkpoint would "
            "download the pretrained weights again; remove this option, or use smp_model with encoder_weights"
        )
    known = [key for key, parameter in parameters.items() if parameter.kind is not parameter.VAR_KEYWORD]
    takes_any = len(known) < len(parameters)
    for option in options:
        if option not in known and not takes_any:
            nearest = difflib.get_close_matches(option, known, n=1)
            remedy = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(known)}"
            raise BundleError(f"MONAI's {name} has no option {option!r}; {remedy}")
    return arguments | dict(options)


def _signature(kind: type[nn.Module]) -> inspect.Signature:
    signature = inspect.signature(kind.__init__)
    return signature.replace(parameters=list(signature.parameters.values())[1:])  # without self


def _try_out(padded: Padded, name: str, classes: int) -> None:
    """Run the network on the smallest images and check its output.

    A network that returns a list with a single tensor is wrapped to return the tensor. Two of the images have a side
    longer by `multiple`, because a `multiple` that is too small may fail only there.
    """
    smallest, longer = padded.padded_size(1, padded.minimum + padded.multiple)
    answers = [
        _answer(padded, name, (smallest, smallest)),
        _answer(padded, name, (smallest, longer)),
        _answer(padded, name, (smallest, longer), training=True),
    ]
    if all(isinstance(answer, list | tuple) and len(answer) == 1 for answer in answers):
        padded.network = _First(padded.network)
        answers = [answer[0] for answer in answers]
    for answer, width, when in zip(
        answers,
        (smallest, longer, longer),
        ("in evaluation mode", "in evaluation mode", "in training mode"),
        strict=True,
    ):
        expected = (classes, smallest, width)
        if not isinstance(answer, torch.Tensor):
            raise BundleError(
                f"MONAI's {name} {when} returns {_described(answer)}, expected one tensor; switch off additional "
                "outputs, such as deep supervision, or write a function in cellseg_monai.networks that selects one"
            )
        if answer.ndim != 4 or answer.shape[1:] != expected:
            raise BundleError(
                f"MONAI's {name} {when} turns an image of {smallest}×{width} pixels into {_described(answer)}, "
                f"expected B×{'×'.join(map(str, expected))}; change multiple or minimum, switch off deep "
                "supervision, or choose a segmentation network"
            )


def _answer(padded: Padded, name: str, size: tuple[int, int], *, training: bool = False) -> Any:
    """Return the network's output, without changing the network or the state of the random number generator."""
    network, buffers = padded.network, [buffer.clone() for buffer in padded.buffers()]
    was_training = network.training
    image = torch.zeros(2 if training else 1, padded.in_channels or 1, *size)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            return network.train(training)(image)
    except CheckpointError:  # a checkpoint describes a network that is too large
        raise
    except BUILD_ERRORS as error:
        raise BundleError(
            f"MONAI's {name} fails on an image of {size[0]}×{size[1]} pixels, which multiple={padded.multiple} and "
            f"minimum={padded.minimum} allow: {_first_line(error)}; raise multiple to the product of the strides, "
            "raise minimum to twice that product, or change the options"
        ) from error
    finally:
        network.train(was_training)
        for buffer, before in zip(padded.buffers(), buffers, strict=True):
            buffer.copy_(before)


def _described(answer: Any) -> str:
    if isinstance(answer, torch.Tensor):
        return f"a {'×'.join(map(str, answer.shape))} tensor"
    if isinstance(answer, list | tuple | dict):
        return f"a {type(answer).__name__} of length {len(answer)}"
    return f"a {type(answer).__name__}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


class _First(nn.Module):
    """A wrapper around a network that returns a list with a single tensor. The wrapper returns the tensor."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.network(image)[0]
