"""The notes on the machine of a run."""

import platform

import pytest
import torch

from cellseg_monai.cli.plan import machine_of


def test_versions_and_device_are_noted():
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    assert machine_of("cpu") == {"versions": versions, "device": "cpu"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_the_model_of_a_gpu_is_noted():
    assert machine_of("cuda:0")["gpu"] == torch.cuda.get_device_name(0)
