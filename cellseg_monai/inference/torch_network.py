"""A torch network as a function of numpy arrays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from cellseg_monai.inference.tiled import Network

__all__ = ["choose_device", "lanes_of", "on_arrays", "torch_network"]

_MOST_LANES = 8  # each lane takes memory for the activations of a tile

_TOO_LITTLE = re.compile("out of memory|can't allocate memory|not enough memory", re.IGNORECASE)
# NVIDIA's libraries report these when a GPU has no room for their own needs, but also for other faults.
_PERHAPS_TOO_LITTLE = re.compile(
    "CUDNN_STATUS_(INTERNAL_ERROR|ALLOC_FAILED)|CUBLAS_STATUS_(ALLOC_FAILED|NOT_INITIALIZED)"
)
_FULL_BYTES = 256 * 2**20


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of a name; "auto" is CUDA, else Apple's MPS, else the processor.

    Raises:
        ValueError: the name is unknown, or there is no such device.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, is_there in there.items() if is_there)
    kind = name.split(":")[0]
    if kind not in there:
        raise ValueError(f"got device {name!r}, expected one of auto, cpu, cuda, cuda:N, mps; choose one")
    if not there[kind]:
        kinds = ", ".join(kind for kind, is_there in there.items() if is_there)
        raise ValueError(f"got device {name!r}, but torch {torch.__version__} finds {kinds} here; use one of those")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if name != kind and name not in [f"{kind}:{number}" for number in range(count)]:
        raise ValueError(f"got device {name!r}, but {kind} has {count} here; count from 0, such as {kind}:0")
    return torch.device(name)


def lanes_of(device: torch.device) -> int:
    """Return how many batches a network should see at the same time.

    On a processor that is the number of cores, up to eight. Threads that share one batch would wait for the slowest of
    them, which is slow while another thread of the program works on its core. Other devices see one batch at a time.

    >>> lanes_of(torch.device("cuda"))
    1
    """
    return min(torch.get_num_threads(), _MOST_LANES) if device.type == "cpu" else 1


def on_arrays(network: Callable[[torch.Tensor], torch.Tensor], device: torch.device | str) -> Network:
    """Return a network of tensors as a network of arrays.

    Args:
        network: B×C×Y×X to B×K×Y×X, such as a `torch.nn.Module`.
        device: the device that holds it.
    """

    def answer(batch: np.ndarray) -> np.ndarray:
        tensor = torch.from_numpy(batch).to(device, memory_format=torch.channels_last)
        # Later steps work on one channel after the other.
        return network(tensor).float().contiguous(memory_format=torch.contiguous_format).numpy(force=True)

    return answer


def torch_network(module: torch.nn.Module, device: torch.device, *, amp: bool = False) -> Network:
    """Return a network of arrays; see `inference.Network`.

    Args:
        module: B×C×Y×X tensors to B×K×Y×X. It is moved to the device and put into evaluation mode.
        device: the device on which it runs.
        amp: True to compute in bfloat16.

    Returns:
        The network. It raises MemoryError if a batch does not fit on the device.

    Raises:
        MemoryError: the network does not fit on the device.
    """
    with _needing_memory(device, "the network; free some, or use another --device"):
        network = on_arrays(module.to(device, memory_format=torch.channels_last).eval(), device)

    def answer(batch: np.ndarray) -> np.ndarray:
        count, _, height, width = batch.shape
        what = f"{count} tile(s) of {height} × {width} px; use smaller ones by --tile, or another --device"
        with (
            _needing_memory(device, what),
            torch.inference_mode(),
            torch.autocast(device.type, dtype=torch.bfloat16, enabled=amp),
        ):
            return network(batch)

    return answer


@contextmanager
def _needing_memory(device: torch.device, what: str) -> Iterator[None]:
    """Raise MemoryError if torch finds too little memory; `what` says what did not fit, and what to do."""
    try:
        yield
    except RuntimeError as error:
        if not _is_out_of_memory(error, device):
            raise
        raise MemoryError(f"{device} has too little memory for {what}") from error


def _is_out_of_memory(error: RuntimeError, device: torch.device) -> bool:
    """Return True if too little memory is the reason, which torch reports for CPU and MPS by its message alone."""
    if isinstance(error, torch.OutOfMemoryError) or _TOO_LITTLE.search(str(error)):
        return True
    return _PERHAPS_TOO_LITTLE.search(str(error)) is not None and torch.cuda.mem_get_info(device)[0] < _FULL_BYTES
