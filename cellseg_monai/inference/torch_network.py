"""PyTorch networks wrapped as functions on NumPy arrays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
import torch

from cellseg_monai.inference.tiled import Network
from cellseg_monai.networks.bfloat16_speed import time_ratio

__all__ = ["bfloat16_slowdown", "choose_device", "lanes_of", "on_arrays", "torch_network"]

# Limited because each lane needs memory for the intermediate results of a tile.
_MOST_LANES = 8

_TRIAL_PX = 128  # side of a tile for measuring the speed of a network

_OUT_OF_MEMORY = re.compile("out of memory|can't allocate memory|not enough memory", re.IGNORECASE)
# NVIDIA's libraries report these errors if a GPU lacks memory for their own data, but also after other failures.
_PERHAPS_OUT_OF_MEMORY = re.compile(
    "CUDNN_STATUS_(INTERNAL_ERROR|ALLOC_FAILED)|CUBLAS_STATUS_(ALLOC_FAILED|NOT_INITIALIZED)"
)
_FULL_BYTES = 256 * 2**20  # a GPU with less free memory than this counts as full


def choose_device(name: str = "auto") -> torch.device:
    """Return the device with the given name.

    Args:
        name: cpu, cuda, cuda:N or mps; or auto, which chooses CUDA if available, then Apple's MPS, then the CPU.

    Raises:
        ValueError: the name is unknown, or this machine does not have the device.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, is_available in available.items() if is_available)
    kind = name.split(":")[0]
    if kind not in available:
        raise ValueError(f"got device {name!r}, expected auto, cpu, cuda, cuda:N or mps; choose one of these")
    if not available[kind]:
        kinds = ", ".join(kind for kind, is_available in available.items() if is_available)
        raise ValueError(
            f"got device {name!r}, but PyTorch {torch.__version__} on this machine supports only {kinds}; choose a "
            "supported device"
        )
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if name != kind and name not in [f"{kind}:{number}" for number in range(count)]:
        raise ValueError(
            f"got device {name!r}, but this machine has {count} {kind} device(s), numbered from 0; choose {kind}:0"
        )
    return torch.device(name)


def lanes_of(device: torch.device) -> int:
    """Return the number of batches that a network should process at the same time.

    On a CPU, it is the number of cores, but at most eight. If threads shared a batch instead, all would wait for the
    slowest thread, which is delayed whenever another thread of the program uses its core. Other devices process one
    batch at a time.

    Args:
        device: where the network runs.

    >>> lanes_of(torch.device("cuda"))
    1
    """
    return min(torch.get_num_threads(), _MOST_LANES) if device.type == "cpu" else 1


def on_arrays(network: Callable[[torch.Tensor], torch.Tensor], device: torch.device | str) -> Network:
    """Wrap a network that works on tensors, so that it takes and returns NumPy arrays.

    Args:
        network: function from B×C×Y×X to B×K×Y×X tensors, such as a `torch.nn.Module`.
        device: device of the network.
    """

    def answer(batch: np.ndarray) -> np.ndarray:
        tensor = torch.from_numpy(batch).to(device, memory_format=torch.channels_last)
        # Make each channel contiguous, because all later steps work on one channel at a time.
        return network(tensor).float().contiguous(memory_format=torch.contiguous_format).numpy(force=True)

    return answer


def torch_network(module: torch.nn.Module, device: torch.device, *, amp: bool = False) -> Network:
    """Prepare a PyTorch module for inference, and wrap it as a function on NumPy arrays; see `inference.Network`.

    Args:
        module: module that turns B×C×Y×X into B×K×Y×X tensors; it is moved to the device and switched to evaluation
            mode.
        device: where the module runs.
        amp: run the module in bfloat16.

    Returns:
        The function, which raises MemoryError if the device has too little memory for a batch.

    Raises:
        MemoryError: the device has too little memory for the module.
    """
    with _needing_memory(device, "the network; free up some memory, or use another --device"):
        network = on_arrays(module.to(device, memory_format=torch.channels_last).eval(), device)

    def answer(batch: np.ndarray) -> np.ndarray:
        count, _, height, width = batch.shape
        need = f"{count} tile(s) of {height} × {width} px; use smaller tiles with --tile, or another --device"
        with (
            _needing_memory(device, need),
            torch.inference_mode(),
            torch.autocast(device.type, dtype=torch.bfloat16, enabled=amp),
        ):
            return network(batch)

    return answer


def bfloat16_slowdown(module: torch.nn.Module, device: torch.device, channels: int, multiple: int = 1) -> float:
    """Measure the time that a network takes in bfloat16, as a multiple of its time in float32.

    A small tile is enough to distinguish hardware that multiplies bfloat16, which takes about half as long, from
    hardware that does not, which takes about three times as long.

    Args:
        module: the network.
        device: where it runs.
        channels: number of channels of an image.
        multiple: number that must divide the sides of a tile.

    Returns:
        The multiple, or NaN if the device has too little memory for the tile, which is reported for the first image.
    """
    side = -(-_TRIAL_PX // multiple) * multiple
    tile = np.random.default_rng(0).random((1, channels, side, side), np.float32)
    networks = {amp: torch_network(module, device, amp=amp) for amp in (False, True)}
    with suppress(MemoryError):
        return time_ratio(lambda: networks[True](tile), lambda: networks[False](tile), device)
    return float("nan")


@contextmanager
def _needing_memory(device: torch.device, need: str) -> Iterator[None]:
    """Turn PyTorch's out-of-memory errors into MemoryError; `need` says what the memory is for, and the remedy."""
    try:
        yield
    except RuntimeError as error:
        if not _is_out_of_memory(error, device):
            raise
        raise MemoryError(f"{device} has too little memory for {need}") from error


def _is_out_of_memory(error: RuntimeError, device: torch.device) -> bool:
    """Return True if an error was caused by a lack of memory; on the CPU and MPS, only its message shows that."""
    if isinstance(error, torch.OutOfMemoryError) or _OUT_OF_MEMORY.search(str(error)):
        return True
    return _PERHAPS_OUT_OF_MEMORY.search(str(error)) is not None and torch.cuda.mem_get_info(device)[0] < _FULL_BYTES
