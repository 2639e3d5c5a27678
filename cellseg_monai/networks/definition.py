"""What a network was built of, as a record that a checkpoint keeps and that builds the network again."""

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
    """Let `build` note on each network what it was called with, and `build_network` find it by its name.

    The network gets an attribute `definition`: `{"network": <name of the function>, **arguments}` with all defaults
    written out, so that a default that changes later does not change networks of before. `encoder_weights` is left
    out: the definition goes with a checkpoint, which brings all weights.

    Args:
        build: takes keywords (and options) that JSON can hold, returns the network.

    Returns:
        `build` with the note.

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
        network.definition = {"network": name, **_plain(_flat(bound), name)}
        return network

    _BUILDERS[name] = build_and_record
    return build_and_record


def build_network(definition: Mapping[str, Any]) -> nn.Module:
    """The network of a definition, with random weights.

    Args:
        definition: what `recorded` noted: the function under `"network"`, its arguments beside it.

    Raises:
        BundleError: no such function, or it refuses the arguments.
    """
    arguments = dict(definition)
    name = arguments.pop("network", None)
    build = _BUILDERS.get(name) if isinstance(name, str) else None
    if build is None:
        raise BundleError(
            f"the definition names the network {name!r}; known are {', '.join(sorted(_BUILDERS))}: correct the name, "
            "or install the version of cellseg_monai that wrote the definition"
        )
    try:
        return build(**arguments)
    except BundleError:
        raise
    except (TypeError, ValueError, KeyError, AssertionError) as error:
        # Whatever way the libraries below have of refusing an argument.
        raise BundleError(
            f"{name} cannot be built of {arguments}: {error}; it takes {name}{inspect.signature(build)}"
        ) from error


def _flat(bound: inspect.BoundArguments) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for key, value in bound.arguments.items():
        if bound.signature.parameters[key].kind is inspect.Parameter.VAR_KEYWORD:
            arguments.update(value)
        elif key != "encoder_weights":
            arguments[key] = value
    return arguments


def _plain(arguments: dict[str, Any], name: str) -> dict[str, Any]:
    """The arguments as JSON gives them back: tuples become lists."""
    try:
        return json.loads(json.dumps(arguments))
    except (TypeError, ValueError) as error:
        raise BundleError(
            f"{name} was called with {arguments}, which a checkpoint cannot record: {error}; "
            "give numbers, strings, lists and dictionaries only"
        ) from error
