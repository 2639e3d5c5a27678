"""Torch networks as functions of numpy arrays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from cellseg_monai.inference.tiled import Network

__all__ = ["choose_device", "lanes_of", "on_arrays", "torch_network"]

# Each lane needs memory for the intermediate results of a tile.
_MOST_LANES = 8

_OUT_OF_MEMORY = re.compile("out of memory|can't allocate memory|not enough memory", re.IGNORECASE)
# NVIDIA's libraries report these if a GPU has no room for their own data, but also for other faults.
_PERHAPS_OUT_OF_MEMORY = re.compile(
    "CUDNN_STATUS_(INTERNAL_ERROR|ALLOC_FAILED)|CUBLAS_STATUS_(ALLOC_FAILED|NOT_INITIALIZED)"
)
_FULL_BYTES = 256 * 2**20  # a GPU with less free memory counts as full


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of a name.

    Args:
        name: cpu, cuda, cuda:N, mps; or auto: CUDA if there is one, otherwise Apple's MPS, otherwise the processor.

    Raises:
        ValueError: the name is unknown, or this machine has no such device.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, is_available in available.items() if is_available)
    kind = name.split(":")[0]
    if kind not in available:
        raise ValueError(f"got device {name!r}, expected one of auto, cpu, cuda, cuda:N, mps; choose one")
    if not available[kind]:
        kinds = ", ".join(kind for kind, is_available in available.items() if is_available)
        raise ValueError(f"got device {name!r}, but torch {torch.__version__} finds {kinds} here; use one of those")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if name != kind and name not in [f"{kind}:{number}" for number in range(count)]:
        raise ValueError(
            f"got device {name!r}, but this machine has {count} {kind} device(s), numbered from 0: {kind}:0"
        )
    return torch.device(name)


def lanes_of(device: torch.device) -> int:
    """Return the number of batches that a network should see at the same time.

    On a processor that is the number of cores, up to eight. Threads that share one batch wait for the slowest of them,
    which is delayed whenever another thread of the program uses its core. Other devices see one batch after another.

    Args:
        device: where the network runs.

    >>> lanes_of(torch.device("cuda"))
    1
    """
    return min(torch.get_num_threads(), _MOST_LANES) if device.type == "cpu" else 1


def on_arrays(network: Callable[[torch.Tensor], torch.Tensor], device: torch.device | str) -> Network:
    """Return a network of tensors as a network of arrays.

    Args:
        network: turns B×C×Y×X tensors into B×K×Y×X, such as a `torch.nn.Module`.
        device: device of the network.
    """

    def answer(batch: np.ndarray) -> np.ndarray:
        tensor = torch.from_numpy(batch).to(device, memory_format=torch.channels_last)
        # Contiguous channels, because everything that follows works on one channel at a time.
        return network(tensor).float().contiguous(memory_format=torch.contiguous_format).numpy(force=True)

    return answer


def torch_network(module: torch.nn.Module, device: torch.device, *, amp: bool = False) -> Network:
    """Return a torch module as a network of arrays, ready for inference; see `inference.Network`.

    Args:
        module: turns B×C×Y×X tensors into B×K×Y×X; it is moved to the device and put into evaluation mode.
        device: where it runs.
        amp: run it in bfloat16.

    Returns:
        The network. It raises MemoryError if a batch does not fit on the device.

    Raises:
        MemoryError: the network does not fit on the device.
    """
    with _needing_memory(device, "the network; free some, or use another --device"):
        network = on_arrays(module.to(device, memory_format=torch.channels_last).eval(), device)

    def answer(batch: np.ndarray) -> np.ndarray:
        count, _, height, width = batch.shape
        need = f"{count} tile(s) of {height} × {width} px; use smaller ones with --tile, or another --device"
        with (
            _needing_memory(device, need),
            torch.inference_mode(),
            torch.autocast(device.type, dtype=torch.bfloat16, enabled=amp),
        ):
            return network(batch)

    return answer


@contextmanager
def _needing_memory(device: torch.device, need: str) -> Iterator[None]:
    """Raise MemoryError if torch runs out of memory; `need` says what for, and what to do."""
    try:
        yield
    except RuntimeError as error:
        if not _is_out_of_memory(error, device):
            raise
        raise MemoryError(f"{device} has too little memory for {need}") from error


def _is_out_of_memory(error: RuntimeError, device: torch.device) -> bool:
    """Return True if the cause is a lack of memory; for the processor and MPS, only the message says so."""
    if isinstance(error, torch.OutOfMemoryError) or _OUT_OF_MEMORY.search(str(error)):
        return True
    return _PERHAPS_OUT_OF_MEMORY.search(str(error)) is not None and torch.cuda.mem_get_info(device)[0] < _FULL_BYTES
