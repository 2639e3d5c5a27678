"""One process or several: who writes, which device is mine, when all are ready.

Everything here answers for a single process too, so that one recipe serves `python -m monai.bundle run`
and `torchrun` alike.
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
    """True among several processes that have joined a group."""
    return dist.is_available() and dist.is_initialized()


def process_count() -> int:
    """How many processes train together.

    >>> process_count()
    1
    """
    return dist.get_world_size() if is_distributed() else 1


def start_process_group() -> None:
    """Join the processes that `torchrun` started: NCCL where there are GPUs, gloo elsewhere.

    Raises:
        RuntimeError: outside `torchrun`, where nobody says how many processes there are.
    """
    if "WORLD_SIZE" not in os.environ:
        raise RuntimeError(
            "multi_gpu_train.json was started as one plain process; start it with "
            "`torchrun --nproc_per_node=N -m monai.bundle run ...`, or use train.json"
        )
    if not is_distributed():
        device = local_device()
        if device.type == "cuda":
            torch.cuda.set_device(device)  # where NCCL's collectives look for their GPU
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")


def leave_process_group() -> None:
    """Leave the group that `start_process_group` joined."""
    if is_distributed():
        dist.destroy_process_group()


def local_device() -> torch.device:
    """The GPU of this process by its local rank, or the CPU where there is none.

    >>> local_device().type in {"cpu", "cuda"}
    True
    """
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def distribute(network: torch.nn.Module) -> torch.nn.parallel.DistributedDataParallel:
    """The network with its gradients averaged over the processes after each backward pass.

    Validate it, not its `module`: the first forward pass of a validation hands the batch statistics of the first
    process, whose network is saved, to the others.

    Raises:
        RuntimeError: this process has joined no group, see `start_process_group`.
    """
    if not is_distributed():
        raise RuntimeError("the network cannot be distributed: no process group has been started")
    device = next(network.parameters()).device
    return torch.nn.parallel.DistributedDataParallel(
        network, device_ids=[device.index] if device.type == "cuda" else None
    )


def is_writer() -> bool:
    """True in the one process that writes files, logs and the progress bar.

    >>> is_writer()
    True
    """
    return not is_distributed() or dist.get_rank() == 0


def wait_for_all() -> None:
    """Return once every process has come here."""
    if is_distributed():
        dist.barrier()


def mean_over_processes(total: torch.Tensor, count: int) -> float:
    """The mean of a sum kept in each process, over the items of all of them.

    Args:
        total: scalar tensor, the sum in this process.
        count: how many items went into it.

    >>> mean_over_processes(torch.tensor(6.0), 4)
    1.5
    """
    sums = torch.stack([total.detach().double(), torch.tensor(float(count), device=total.device).double()])
    if is_distributed():
        dist.all_reduce(sums)
    return (sums[0] / sums[1]).item()
