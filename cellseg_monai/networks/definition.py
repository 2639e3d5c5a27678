"""Definitions of networks: records that a checkpoint keeps, and from which a network is built again.

Networks are made by functions that record their own arguments, so a checkpoint can describe its network as plain data,
and the network can be built again without the config of its training.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec

from torch import nn

from cellseg_monai.errors import BundleError

__all__ = ["build_network", "recorded"]

Arguments = ParamSpec("Arguments")

_BUILDERS: dict[str, Callable[..., nn.Module]] = {}


def recorded(build: Callable[Arguments, nn.Module]) -> Callable[Arguments, nn.Module]:
    """Make `build` record its arguments on each network, and register it for `build_network` under its name.

    The network gets an attribute `definition`: `{"network": <name of the function>, **arguments}`. All defaults are
    written out, so that changing a default later does not change existing networks. `encoder_weights` is left out,
    because the definition is stored in a checkpoint with all the weights.

    Args:
        build: function that takes arguments that JSON can hold, and returns the network.

    Returns:
        `build`, wrapped to record its arguments.

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
    """Build the network of a definition, with random weights.

    Args:
        definition: record made by `recorded`: the name of the function under `"network"`, and its arguments.

    Raises:
        BundleError: the function does not exist, or it refuses the arguments.
    """
    arguments = dict(definition)
    name = arguments.pop("network", None)
    build = _BUILDERS.get(name) if isinstance(name, str) else None
    if build is None:
        raise BundleError(
            f"got a definition of the network {name!r}, expected one of {', '.join(sorted(_BUILDERS))}; correct the "
            "name, or install the version of cellseg_monai that wrote the definition"
        )
    try:
        return build(**arguments)
    except BundleError:
        raise
    except (TypeError, ValueError, KeyError, AssertionError) as error:
        # The libraries below refuse arguments with any of these errors.
        raise BundleError(
            f"{name} cannot be built from {arguments}: {error}; the signature is {name}{inspect.signature(build)}"
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
    """Return the arguments as they are after a round trip through JSON: tuples become lists."""
    try:
        return json.loads(json.dumps(arguments))
    except (TypeError, ValueError) as error:
        raise BundleError(
            f"{name} was called with {arguments}, which a checkpoint cannot record: {error}; "
            "pass only numbers, strings, lists and dictionaries"
        ) from error
