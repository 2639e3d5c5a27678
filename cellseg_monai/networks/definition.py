"""Network definitions: plain data stored in a checkpoint, from which its network can be rebuilt.

The functions that build networks record their own arguments. A checkpoint can therefore describe its network without
the config used in training.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec

from torch import nn

from cellseg_monai.errors import BundleError, CheckpointError
from cellseg_monai.networks.definition_checks import check_definition

__all__ = ["BUILD_ERRORS", "build_network", "recorded"]

Arguments = ParamSpec("Arguments")

# The underlying libraries raise any of these errors for bad arguments.
BUILD_ERRORS = (
    TypeError, ValueError, LookupError, AttributeError, AssertionError, ArithmeticError, RuntimeError, ImportError,
    OSError,
)  # fmt: skip

_BUILDERS: dict[str, Callable[..., nn.Module]] = {}


def recorded(build: Callable[Arguments, nn.Module]) -> Callable[Arguments, nn.Module]:
    """Decorate a function so that it records its arguments on the networks it builds, and register it by its name.

    Each network gets an attribute `definition`: `{"network": <name of the function>, **arguments}`. The definition
    includes default values, so a later change of a default does not affect existing networks. It omits
    `encoder_weights`, because it is stored in a checkpoint that contains all the weights.

    Args:
        build: function that returns a network. Its arguments must be serialisable as JSON.

    Returns:
        The decorated function, which `build_network` can find by its name.

    >>> @recorded
    ... def one_convolution(channels: int, *, kernel_size: tuple[int, ...] = (3, 3)) -> nn.Module:
    ...     return nn.Conv2d(channels, 1, tuple(kernel_size))
    >>> one_convolution(2).definition
    {'network': 'one_convolution', 'channels': 2, 'kernel_size': [3, 3]}
    >>> build_network({"network": "one_convolution", "channels": 2, "kernel_size": [1, 1]})
    Conv2d(2, 1, kernel_size=(1, 1), stride=(1, 1))
    """
    signature = inspect.signature(build)
    name = build.__name__

    @functools.wraps(build)
    def build_and_record(*args: Arguments.args, **kwargs: Arguments.kwargs) -> nn.Module:
        network = build(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        network.definition = {"network": name, **_as_json(_flattened(bound), name)}
        return network

    _BUILDERS[name] = build_and_record
    return build_and_record


def build_network(definition: Mapping[str, Any]) -> nn.Module:
    """Build the network that a definition describes, with random weights.

    Nothing is fetched, and no file is read, whatever the definition says.

    Args:
        definition: a definition recorded by `recorded`: the name of the function under `"network"`, and its arguments.

    Raises:
        BundleError: no function of this name is registered, the function rejects the arguments, or an argument names a
            file, an address or a source of weights.
    """
    arguments = {name: value for name, value in definition.items() if name != "encoder_weights"}
    check_definition(arguments)
    name = arguments.pop("network", None)
    build = _BUILDERS.get(name) if isinstance(name, str) else None
    if build is None:
        raise BundleError(
            f"got the network {name!r}, expected one of {', '.join(sorted(_BUILDERS))}; fix the name, or install "
            "the version of cellseg_monai that wrote this definition"
        )
    if "encoder_weights" in inspect.signature(build).parameters:
        arguments["encoder_weights"] = None
    try:
        return build(**arguments)
    except (BundleError, CheckpointError):
        raise
    except BUILD_ERRORS as error:
        raise BundleError(
            f"cannot build {name} from {arguments}: {error}; pass arguments that fit {name}{inspect.signature(build)}"
        ) from error


def _flattened(bound: inspect.BoundArguments) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for key, value in bound.arguments.items():
        if bound.signature.parameters[key].kind is inspect.Parameter.VAR_KEYWORD:
            arguments.update(value)
        elif key != "encoder_weights":
            arguments[key] = value
    return arguments


def _as_json(arguments: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the arguments after a round trip through JSON, which turns tuples into lists."""
    try:
        return json.loads(json.dumps(arguments))
    except (TypeError, ValueError) as error:
        raise BundleError(
            f"{name} got {arguments}, which a checkpoint cannot record: {error}; "
            "pass only numbers, strings, lists and dictionaries"
        ) from error
