"""Checking that the network in a training config can be built and that its output fits the head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import torch
from monai.bundle import ConfigParser

from cellseg_monai.bundle.command_line import own_message
from cellseg_monai.networks.definition import BUILD_ERRORS

__all__ = ["network_faults"]

_SIDE_PX = 64


def network_faults(training: Mapping[str, Any]) -> Iterator[str]:
    """Yield a fault if the network cannot be built, fails on an image, or returns channels that do not fit its head.

    The network is built once, without pretrained weights, and run on one small image. Configs without `network_def` or
    `head` are not checked.

    Args:
        training: content of the `train.json`.
    """
    if not {"network_def", "head"} <= training.keys():
        return
    config = deepcopy(dict(training))
    if "encoder_weights" in config:
        config["encoder_weights"] = None  # otherwise the check would download the weights
    parser = ConfigParser(config)
    try:
        head = parser.get_parsed_content("head")
        network = parser.get_parsed_content("network_def")
    except BUILD_ERRORS as error:
        yield f"network_def: cannot build the network: {own_message(error) or _cause(error)}; fix its arguments"
        return
    definition = getattr(network, "definition", None)
    if definition is None:
        yield (
            f"network_def: got a {type(network).__name__} that does not record its arguments, so checkpoints cannot "
            "describe it; use a function from cellseg_monai.networks, or one of your own decorated with @recorded"
        )
        return
    image = torch.zeros(1, definition.get("in_channels", 1), _SIDE_PX, _SIDE_PX)
    expected = (1, len(head.channels), _SIDE_PX, _SIDE_PX)
    try:
        with torch.no_grad():
            logits = network.eval()(image)
    except BUILD_ERRORS as error:
        yield f"network_def: the network fails on an image of {_SIDE_PX}×{_SIDE_PX} pixels: {_cause(error)}"
        return
    shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if shape != expected:
        yield (
            f"network_def: the network returned {shape}, expected {expected} with the head's channels "
            f'{", ".join(head.channels)}; write "classes": "@classes", or choose another head'
        )


def _cause(error: BaseException) -> str:
    """Return the type and first line of the original error in a chain of errors."""
    while (earlier := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        error = earlier
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
