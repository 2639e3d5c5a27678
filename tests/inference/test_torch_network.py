"""A torch network among arrays: devices that are not there, and memory that does not suffice."""

import numpy as np
import pytest
import torch

from cellseg_monai.inference.torch_network import choose_device, torch_network

BATCH = np.ones((2, 1, 4, 6), np.float32)


class Greedy(torch.nn.Module):
    """Asks for more memory than any machine has."""

    def forward(self, images):
        return torch.empty(2**50).reshape(images.shape)


class Broken(torch.nn.Module):
    def forward(self, images):
        return images.reshape(7)


def test_arrays_come_and_go():
    answer = torch_network(torch.nn.Conv2d(1, 3, 1), choose_device("cpu"))(BATCH)
    assert (answer.shape, answer.dtype) == ((2, 3, 4, 6), np.float32)


def test_what_does_not_fit_is_told_with_a_remedy():
    with pytest.raises(MemoryError, match=r"cpu has too little memory for 2 tile\(s\) of 4 × 6 px; take smaller ones"):
        torch_network(Greedy(), choose_device("cpu"))(BATCH)


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shape"):
        torch_network(Broken(), choose_device("cpu"))(BATCH)


@pytest.mark.parametrize("name", ["gpu", "cpu:1", "cuda:99", "cuda:x", ""])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(ValueError, match="device"):
        choose_device(name)
