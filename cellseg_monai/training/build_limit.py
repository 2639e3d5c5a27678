"""A limit on the size of a network that is built for the weights of a checkpoint."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch.nn import functional
from torch.nn.modules import module
from torch.overrides import TorchFunctionMode

from cellseg_monai.errors import CheckpointError

__all__ = ["BuildLimit"]

_FACTORIES = (
    torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn, torch.randint, torch.randperm,
    torch.arange, torch.linspace, torch.logspace, torch.eye,
)  # fmt: skip
# Functions whose result can have any size, even if the tensor that they are given is small.
_GROWING = (
    torch.Tensor.repeat, torch.Tensor.tile, torch.tile, torch.Tensor.repeat_interleave, torch.repeat_interleave,
    torch.Tensor.new_empty, torch.Tensor.new_zeros, torch.Tensor.new_ones, torch.Tensor.new_full,
    functional.interpolate, functional.pad, functional.one_hot,
)  # fmt: skip


class BuildLimit(TorchFunctionMode):
    """A context in which a network must not be much larger than the weights that it is built for.

    A checkpoint of a few kB can describe a network that does not fit into any memory, or that takes hours to build.

    Args:
        state: the weights.
        checkpoint: path of the checkpoint, for the message.

    Raises:
        CheckpointError: the network has more than ten times as many weights or parts as the checkpoint, apart from the
            encoders that some networks build and drop.
    """

    def __init__(self, state: Mapping[str, torch.Tensor], checkpoint: object) -> None:
        super().__init__()
        # The bytes that are there, because a view of few bytes can state any size.
        weights = sum(value.untyped_storage().nbytes() // value.element_size() for value in state.values())
        self._left = 10 * weights + 300_000_000
        self._parts_left = 10 * len(state) + 5_000
        self._checkpoint = checkpoint

    def __enter__(self) -> BuildLimit:
        """Begin to count, in this thread only."""
        self._thread = threading.get_ident()
        self._hook = module.register_module_module_registration_hook(self._count_part)
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop counting."""
        self._hook.remove()
        super().__exit__(*error)

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Count the elements of a new tensor before it is made."""
        kwargs = kwargs or {}
        if function in _FACTORIES:
            sized = {name: value for name, value in kwargs.items() if name not in ("device", "generator", "out")}
            self._count(function, args, sized | {"device": "meta"})
        elif function in _GROWING or math.prod(tensor.numel() for tensor in _tensors(args)) > self._left:
            self._count(function, _on_meta(args), _on_meta(kwargs))
        return function(*args, **kwargs)

    def _count(self, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> None:
        """Call a function on the device `meta`, whose tensors have a size but no content, and count its result."""
        made = None
        with suppress(TypeError, ValueError, RuntimeError):  # which the call with content raises again
            made = function(*args, **kwargs)
        self._left -= sum(tensor.numel() for tensor in _tensors((made,)))
        if self._left < 0:
            raise self._refused()

    def _count_part(self, *_: object) -> None:
        if threading.get_ident() == self._thread:
            self._parts_left -= 1
            if self._parts_left < 0:
                raise self._refused()

    def _refused(self) -> CheckpointError:
        return CheckpointError(
            f"{self._checkpoint} describes a network that is far larger than the weights in it; use a checkpoint from "
            "this package"
        )


def _tensors(values: Any) -> Iterator[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def _on_meta(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to("meta")
    if isinstance(value, dict):
        return {name: _on_meta(part) for name, part in value.items()}
    return type(value)(map(_on_meta, value)) if type(value) in (list, tuple) else value
