"""A torch network as a function of arrays, missing devices, and lack of memory."""

import numpy as np
import pytest
import torch

from cellseg_monai.inference.torch_network import bfloat16_slowdown, choose_device, torch_network

BATCH = np.ones((2, 1, 4, 6), np.float32)


class Greedy(torch.nn.Module):
    """A network that asks for more memory than any machine has."""

    def forward(self, images):
        return torch.empty(2**50).reshape(images.shape)


class Broken(torch.nn.Module):
    def forward(self, images):
        return images.reshape(7)


def test_a_network_takes_and_returns_arrays():
    answer = torch_network(torch.nn.Conv2d(1, 3, 1), choose_device("cpu"))(BATCH)
    assert (answer.shape, answer.dtype) == ((2, 3, 4, 6), np.float32)


def test_a_batch_that_does_not_fit_is_reported_with_a_remedy():
    with pytest.raises(MemoryError, match=r"cpu has too little memory for 2 tile\(s\) of 4 × 6 px; use smaller tiles"):
        torch_network(Greedy(), choose_device("cpu"))(BATCH)


class Failing(torch.nn.Module):
    """A network that raises the given error."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, _):
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA: no more"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.9 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1125899906842624 bytes"),
    ],
    ids=["CUDA", "MPS", "Linux", "Windows"],
)
def test_lack_of_memory_is_recognised_on_every_platform(error):
    with pytest.raises(MemoryError, match="too little memory"):
        torch_network(Failing(error), choose_device("cpu"))(BATCH)


@pytest.mark.parametrize(
    "status",
    [
        "CUDNN_STATUS_INTERNAL_ERROR",
        "CUDNN_STATUS_ALLOC_FAILED",
        "CUBLAS_STATUS_ALLOC_FAILED",
        "CUBLAS_STATUS_NOT_INITIALIZED",
    ],
)
def test_an_error_of_nvidias_libraries_means_lack_of_memory_only_if_the_gpu_is_full(status, monkeypatch):
    network = torch_network(Failing(RuntimeError(f"error: {status}")), choose_device("cpu"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (20_000_000, 80_000_000_000))
    with pytest.raises(MemoryError, match="too little memory for 2 tile"):
        network(BATCH)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (2_000_000_000, 80_000_000_000))
    with pytest.raises(RuntimeError, match=status):
        network(BATCH)


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory"),
            MemoryError,
            "cpu has too little memory for the network; free up some memory, or use another --device",
        ),
        (RuntimeError("CUDA error: no kernel image"), RuntimeError, "no kernel image"),
    ],
    ids=["full", "broken"],
)
def test_a_network_that_cannot_be_moved_to_the_device_is_reported_with_the_reason(error, kind, says, monkeypatch):
    def refuse(*_, **__):
        raise error

    module = torch.nn.Conv2d(1, 3, 1)
    monkeypatch.setattr(module, "to", refuse)
    with pytest.raises(kind, match=says):
        torch_network(module, choose_device("cpu"))


def test_an_illegal_memory_access_is_not_lack_of_memory():
    with pytest.raises(RuntimeError, match="illegal memory access"):
        torch_network(Failing(RuntimeError("CUDA error: an illegal memory access")), choose_device("cpu"))(BATCH)


def test_other_errors_are_not_changed():
    with pytest.raises(RuntimeError, match="shape"):
        torch_network(Broken(), choose_device("cpu"))(BATCH)


@pytest.mark.parametrize("name", ["gpu", "cpu:1", "cuda:99", "cuda:x", ""])
def test_a_missing_device_is_refused(name):
    with pytest.raises(ValueError, match="device"):
        choose_device(name)


class SlowIn(torch.nn.Module):
    """A network that is slow in one precision."""

    def __init__(self, bfloat16):
        super().__init__()
        self.bfloat16 = bfloat16

    def forward(self, images):
        if torch.is_autocast_enabled("cpu") == self.bfloat16:
            for _ in range(20):
                images = images + torch.ones(200, 200).exp().sum()
        return images


def test_the_speed_of_bfloat16_is_compared_with_that_of_float32():
    assert bfloat16_slowdown(SlowIn(True), choose_device("cpu"), 2) > 2
    assert bfloat16_slowdown(SlowIn(False), choose_device("cpu"), 1, multiple=48) < 0.5


def test_the_speed_of_bfloat16_is_unknown_without_memory():
    assert np.isnan(bfloat16_slowdown(Greedy(), choose_device("cpu"), 1))
