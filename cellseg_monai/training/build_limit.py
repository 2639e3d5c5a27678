"""A limit on the size of a network that is built for the weights of a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from cellseg_monai.errors import CheckpointError

__all__ = ["BuildLimit"]

_FACTORIES = (torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn)


class BuildLimit(TorchFunctionMode):
    """A context in which new tensors must not be much larger than the weights that they are made for.

    A checkpoint of a few kB can describe a network that does not fit into any memory.

    Args:
        state: the weights.
        checkpoint: path of the checkpoint, for the message.

    Raises:
        CheckpointError: the network is more than ten times as large as the weights, apart from the encoders that some
            networks build and drop.
    """

    def __init__(self, state: Mapping[str, torch.Tensor], checkpoint: object) -> None:
        super().__init__()
        # The bytes that are there, because a view of few bytes can state any size.
        weights = sum(value.untyped_storage().nbytes() // value.element_size() for value in state.values())
        self._left = 10 * weights + 300_000_000
        self._checkpoint = checkpoint

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Count the elements of a new tensor before it is made."""
        kwargs = kwargs or {}
        if function in _FACTORIES:
            size = args[0] if args and isinstance(args[0], list | tuple) else args
            size = kwargs.get("size", size)
            self._left -= math.prod(side for side in size if isinstance(side, int))
            if self._left < 0:
                raise CheckpointError(
                    f"{self._checkpoint} describes a network that is far larger than the weights in it; use a "
                    "checkpoint from this package"
                )
        return function(*args, **kwargs)
