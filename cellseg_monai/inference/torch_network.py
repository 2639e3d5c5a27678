"""A torch network where arrays come and go."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from cellseg_monai.inference.tiled import Network

__all__ = ["choose_device", "lanes_of", "on_arrays", "torch_network"]

# What a network makes of a tile takes memory in each lane.
_MOST = 8

_TOO_LITTLE = re.compile("out of memory|can't allocate memory|not enough memory", re.IGNORECASE)
# What NVIDIA's libraries say where a GPU has no room for their own needs, and of other faults too.
_PERHAPS_TOO_LITTLE = re.compile(
    "CUDNN_STATUS_(INTERNAL_ERROR|ALLOC_FAILED)|CUBLAS_STATUS_(ALLOC_FAILED|NOT_INITIALIZED)"
)
_FULL_BYTES = 256 * 2**20


def choose_device(name: str = "auto") -> torch.device:
    """The device that a name means; "auto" is CUDA, else Apple's MPS, else the processor.

    Raises:
        ValueError: an unknown name, or a device that is not there.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, is_there in there.items() if is_there)
    kind = name.split(":")[0]
    if kind not in there:
        raise ValueError(f"device {name!r} came, but one of auto, cpu, cuda, cuda:N, mps was expected")
    if not there[kind]:
        found = ", ".join(kind for kind, is_there in there.items() if is_there)
        raise ValueError(f"device {name!r} came, but torch {torch.__version__} finds {found} here; use one of those")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if name != kind and name not in [f"{kind}:{number}" for number in range(count)]:
        raise ValueError(f"device {name!r} came, but {kind} has {count} here, counted from 0, such as {kind}:0")
    return torch.device(name)


def lanes_of(device: torch.device) -> int:
    """How many batches a network had best see at once.

    On a processor as many as it has cores, up to eight: threads that share one batch wait for the slowest of them,
    which is slow while another thread of the program works on its core. Other devices see one after the other.

    >>> lanes_of(torch.device("cuda"))
    1
    """
    return min(torch.get_num_threads(), _MOST) if device.type == "cpu" else 1


def on_arrays(network: Callable[[torch.Tensor], torch.Tensor], device: torch.device | str) -> Network:
    """A network of tensors as one of arrays.

    Args:
        network: B×C×Y×X to B×K×Y×X, such as a `torch.nn.Module`.
        device: where it lies.
    """

    def answer(batch: np.ndarray) -> np.ndarray:
        tensor = torch.from_numpy(batch).to(device, memory_format=torch.channels_last)
        # Whatever follows works on one channel after the other.
        return network(tensor).float().contiguous(memory_format=torch.contiguous_format).numpy(force=True)

    return answer


def torch_network(module: torch.nn.Module, device: torch.device, *, amp: bool = False) -> Network:
    """A network of arrays; see `inference.Network`.

    Args:
        module: B×C×Y×X tensors to B×K×Y×X; it is moved to the device and put into evaluation mode.
        device: where it runs.
        amp: in bfloat16.

    Returns:
        The network. It raises MemoryError where a batch does not fit on the device.

    Raises:
        MemoryError: the network does not fit on the device.
    """
    with _needing_memory(device, "the network; free some, or take another --device"):
        network = on_arrays(module.to(device, memory_format=torch.channels_last).eval(), device)

    def answer(batch: np.ndarray) -> np.ndarray:
        count, _, height, width = batch.shape
        what = f"{count} tile(s) of {height} × {width} px; take smaller ones by --tile, or another --device"
        with (
            _needing_memory(device, what),
            torch.inference_mode(),
            torch.autocast(device.type, dtype=torch.bfloat16, enabled=amp),
        ):
            return network(batch)

    return answer


@contextmanager
def _needing_memory(device: torch.device, what: str) -> Iterator[None]:
    """Raises MemoryError where torch finds too little memory; `what` says for what, and what to do."""
    try:
        yield
    except RuntimeError as error:
        if not _is_out_of_memory(error, device):
            raise
        raise MemoryError(f"{device} has too little memory for {what}") from error


def _is_out_of_memory(error: RuntimeError, device: torch.device) -> bool:
    """Whether too little memory is the reason; of the processor and of MPS, torch tells it by words alone."""
    if isinstance(error, torch.OutOfMemoryError) or _TOO_LITTLE.search(str(error)):
        return True
    return _PERHAPS_TOO_LITTLE.search(str(error)) is not None and torch.cuda.mem_get_info(device)[0] < _FULL_BYTES
