"""Training in several processes: the process group, the device of each process, the writer, and synchronisation.

The functions that a recipe calls in every run also work in a single process, so one recipe serves both
`python -m monai.bundle run` and `torchrun`.
"""

from __future__ import annotations

import os

import torch
import torch.distributed as dist

__all__ = [
    "distribute",
    "is_writer",
    "leave_process_group",
    "local_device",
    "start_process_group",
    "wait_for_all",
]


def is_distributed() -> bool:
    """Return True if this process has joined a process group."""
    return dist.is_available() and dist.is_initialized()


def process_count() -> int:
    """Return the number of processes that train together.

    >>> process_count()
    1
    """
    return dist.get_world_size() if is_distributed() else 1


def start_process_group() -> None:
    """Join the process group that `torchrun` started, with NCCL on GPUs and gloo otherwise.

    Raises:
        RuntimeError: the process was not started by `torchrun`, so the number of processes is unknown.
    """
    if "WORLD_SIZE" not in os.environ:
        raise RuntimeError(
            "multi_gpu_train.json needs torchrun, but was started without it; start it with "
            "`torchrun --nproc_per_node=N -m monai.bundle run ...`, or use train.json"
        )
    if not is_distributed():
        device = local_device()
        if device.type == "cuda":
            torch.cuda.set_device(device)  # NCCL runs its collectives on the current GPU
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")


def leave_process_group() -> None:
    """Leave the process group that `start_process_group` joined."""
    if is_distributed():
        dist.destroy_process_group()


def local_device() -> torch.device:
    """Return the GPU with this process's local rank, or the CPU if there is no GPU.

    >>> local_device().type in {"cpu", "cuda"}
    True
    """
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def distribute(network: torch.nn.Module) -> torch.nn.parallel.DistributedDataParallel:
    """Wrap a network so that every backward pass averages its gradients over all processes.

    Use the wrapped network for validation too, not its `module`. Its first forward pass copies the batch statistics of
    the first process, which saves the network, to all the others.

    Raises:
        RuntimeError: this process has not joined a process group; see `start_process_group`.
    """
    if not is_distributed():
        raise RuntimeError("distribute needs a process group; call start_process_group first")
    device = next(network.parameters()).device
    return torch.nn.parallel.DistributedDataParallel(
        network, device_ids=[device.index] if device.type == "cuda" else None
    )


def is_writer() -> bool:
    """Return True in the single process that writes the files, the logs and the progress bar.

    >>> is_writer()
    True
    """
    return not is_distributed() or dist.get_rank() == 0


def wait_for_all() -> None:
    """Wait until every process has called this function."""
    if is_distributed():
        dist.barrier()


def mean_over_processes(total: torch.Tensor, count: int) -> float:
    """Return the mean over the items in all processes. Every process must call this function.

    Args:
        total: sum over the items in this process, a scalar tensor.
        count: number of items in this process.

    >>> mean_over_processes(torch.tensor(6.0), 4)
    1.5
    """
    sums = torch.stack([total.detach().double(), torch.tensor(float(count), device=total.device).double()])
    if is_distributed():
        dist.all_reduce(sums)
    return (sums[0] / sums[1]).item()
