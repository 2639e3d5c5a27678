"""Networks of MONAI in two dimensions, for images of any size."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

import torch
from monai.networks import nets
from torch import nn

from cellseg_monai.errors import BundleError
from cellseg_monai.networks.definition import recorded
from cellseg_monai.networks.padding import Padded

__all__ = ["monai_network", "padded_monai_network"]

# What MONAI's networks call the channels of the image and of the output.
_IN_CHANNELS = ("in_channels", "n_input_channels", "num_channels")
_CLASSES = ("out_channels", "num_classes", "classes", "out_classes")
# Whatever way a network has of refusing its arguments, or an image whose size does not suit it.
_REFUSALS = (TypeError, ValueError, KeyError, IndexError, AttributeError, AssertionError, RuntimeError)


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
    """Return a network of `monai.networks.nets` (https://docs.monai.io) for 2-D images of any size.

    The network is tried on a small image before it is returned, so that a wrong `multiple` or `minimum` is known
    before training starts.

    Args:
        name: name of the class, such as `"AttentionUnet"`.
        in_channels: channels of the image, whatever the network calls them.
        classes: channels of the output, logits B×classes×Y×X, whatever the network calls them.
        multiple: Y and X must be multiples of it, in pixels: the product of the strides, such as 16 for four halvings.
        minimum: Y and X must not be smaller, in pixels. A network that normalises each image separately needs at least
            two positions where it is deepest, and so twice its `multiple`.
        options: handed to the class; `spatial_dims` is always 2.

    Raises:
        BundleError: MONAI has no such network, the network has no such option or refuses its value, or it does not
            answer an image of the smallest size with one tensor B×classes×Y×X.

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
    """Return the same as `monai_network`, not tried on an image and not recorded.

    Raises:
        BundleError: MONAI has no such network, or the network has no such option or refuses its value.
    """
    kind = _find_class(name)
    arguments = _arguments(kind, name, options, in_channels=in_channels, classes=classes)
    try:
        network = kind(**arguments)
    except _REFUSALS as error:
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise BundleError(f"MONAI's {name} refuses {given}: {_first_line(error)}; correct the options") from error
    return Padded(network, multiple=multiple, minimum=minimum, in_channels=in_channels)


def _find_class(name: str) -> type[nn.Module]:
    kinds = {key: kind for key, kind in vars(nets).items() if inspect.isclass(kind) and issubclass(kind, nn.Module)}
    if name in kinds:
        return kinds[name]
    by_lower_case = {key.lower(): key for key in kinds}
    nearest = difflib.get_close_matches(str(name).lower(), by_lower_case, n=1)
    remedy = f"did you mean {by_lower_case[nearest[0]]!r}?" if nearest else "see monai.networks.nets"
    raise BundleError(f"MONAI has no network {name!r}; {remedy}")


def _arguments(
    kind: type[nn.Module], name: str, options: Mapping[str, Any], *, in_channels: int, classes: int
) -> dict[str, Any]:
    """The arguments of the class, with the names that it has for channels."""
    parameters = _signature(kind).parameters
    arguments: dict[str, Any] = {}
    for ours, theirs, value in (("in_channels", _IN_CHANNELS, in_channels), ("classes", _CLASSES, classes)):
        parameter = next((parameter for parameter in theirs if parameter in parameters), None)
        if parameter is None:
            raise BundleError(
                f"MONAI's {name} takes none of {', '.join(theirs)}, so it is no network that segments images; choose "
                "another"
            )
        arguments[parameter] = value
        if parameter in options:
            raise BundleError(f"{name}: got the option {parameter}; give {ours} instead, which sets it")
    if "spatial_dims" in parameters:
        arguments["spatial_dims"] = 2
        if options.get("spatial_dims", 2) != 2:
            raise BundleError(f"{name}: got spatial_dims={options['spatial_dims']}, expected 2; leave it out")
    if "pretrained" in parameters:
        arguments["pretrained"] = False
    if options.get("pretrained"):
        raise BundleError(
            f"{name}: got pretrained={options['pretrained']!r}, but a checkpoint brings all weights, and loading it "
            "would download those as well; leave it out, or take smp_model with encoder_weights"
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
    """Check what the network answers to the smallest images, and take its tensor out of a list of one.

    The last of the images has one side longer by `multiple`: a multiple that is too small is noticed there at last.
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
        answers, (smallest, longer, longer), ("in evaluation", "in evaluation", "in training"), strict=True
    ):
        expected = (classes, smallest, width)
        if not isinstance(answer, torch.Tensor):
            raise BundleError(
                f"MONAI's {name} answers {when} with {_described(answer)}, expected one tensor; switch its further "
                "outputs off, such as deep supervision, or write a function in cellseg_monai.networks that chooses one"
            )
        if answer.ndim != 4 or answer.shape[1:] != expected:
            raise BundleError(
                f"MONAI's {name} answers {when} to an image of {smallest}×{width} pixels with {_described(answer)}, "
                f"expected classes×Y×X of {'×'.join(map(str, expected))}; correct multiple or minimum, switch deep "
                "supervision off, or choose a network that segments"
            )


def _answer(padded: Padded, name: str, size: tuple[int, int], *, training: bool = False) -> Any:
    """Return the output of a network, without changing its state or that of the random number generator."""
    network, buffers = padded.network, [buffer.clone() for buffer in padded.buffers()]
    was_training = network.training
    image = torch.zeros(2 if training else 1, padded.in_channels or 1, *size)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            return network.train(training)(image)
    except _REFUSALS as error:
        raise BundleError(
            f"MONAI's {name} cannot answer an image of {size[0]}×{size[1]} pixels, which multiple={padded.multiple} "
            f"and minimum={padded.minimum} allow: {_first_line(error)}; raise multiple to the product of the strides, "
            "or minimum to twice that, or correct the options"
        ) from error
    finally:
        network.train(was_training)
        for buffer, before in zip(padded.buffers(), buffers, strict=True):
            buffer.copy_(before)


def _described(answer: Any) -> str:
    if isinstance(answer, torch.Tensor):
        return f"{'×'.join(map(str, answer.shape))} numbers"
    if isinstance(answer, list | tuple | dict):
        return f"a {type(answer).__name__} of {len(answer)}"
    return f"a {type(answer).__name__}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


class _First(nn.Module):
    """The tensor of a network that answers with a list of one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.network(image)[0]
