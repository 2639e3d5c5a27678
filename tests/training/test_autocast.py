"""Mixed precision: bfloat16 inside the network, float32 outside."""

import os
import subprocess
import sys

import pytest
import torch
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.inferers import SimpleInferer, SlidingWindowInferer

from cellseg_monai.training import AutocastInferer


class Spy(torch.nn.Module):
    """A convolution that records the dtypes of its outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 1, 3, padding=1)
        self.dtypes: set[torch.dtype] = set()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        result = self.conv(image)
        self.dtypes.add(result.dtype)
        return result


BATCHES = [{"image": torch.rand(2, 1, 16, 16), "label": torch.ones(2, 1, 16, 16)}]
EXPECTED = pytest.mark.parametrize(("amp", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])


@EXPECTED
def test_dtype_inside_the_network_while_training(amp: bool, dtype: torch.dtype) -> None:
    network = Spy()
    before = network.conv.weight.detach().clone()
    trainer = SupervisedTrainer(
        device="cpu",
        max_epochs=1,
        train_data_loader=BATCHES,
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), 0.1),
        loss_function=torch.nn.BCEWithLogitsLoss(),
        inferer=AutocastInferer(SimpleInferer(), enabled=amp),
        decollate=False,
    )
    trainer.run()
    assert network.dtypes == {dtype}
    assert trainer.state.output["loss"].dtype == torch.float32
    assert network.conv.weight.dtype == torch.float32
    assert not torch.equal(network.conv.weight, before)


@EXPECTED
def test_dtype_inside_the_network_while_validating_by_windows(amp: bool, dtype: torch.dtype) -> None:
    network = Spy()
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=BATCHES,
        network=network,
        inferer=AutocastInferer(SlidingWindowInferer((8, 8)), enabled=amp),
        decollate=False,
    )
    evaluator.run()
    assert network.dtypes == {dtype}
    assert evaluator.state.output["pred"].dtype == torch.float32


@pytest.mark.parametrize("instructions", ["AVX2", "AVX512_CORE"])
def test_bfloat16_that_pytorch_does_not_use_is_not_native(instructions: str) -> None:
    code = "from cellseg_monai.training import bfloat16_is_native; print(bfloat16_is_native('cpu'))"
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": instructions}
    printed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert printed.stdout == "False\n"
