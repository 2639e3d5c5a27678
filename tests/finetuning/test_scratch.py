"""Training from scratch through the same steps, against which `benchmarks/finetune.py` compares fine-tuning."""

from pathlib import Path

import torch

from cellseg_monai.finetuning.folder import BundleFolder
from cellseg_monai.finetuning.images import find_images
from cellseg_monai.finetuning.tuning_run import Start, finetune_on
from cellseg_monai.networks import encoder_parameters
from cellseg_monai.training import trained_network
from tests.finetuning.conftest import KNOBS


def test_without_weights_to_start_from_the_encoder_is_another_one(annotated: Path, small: Path, tmp_path: Path) -> None:
    images, start = find_images(annotated, None, seed=0), Start.of(small, None)
    folder = BundleFolder(tmp_path / "scratch")
    # The encoder keeps the weights that the training began with.
    knobs = {**KNOBS, "start_from": None, "frozen_epochs": 1}
    finetune_on(images, "mine", folder, start, epochs=1, minutes=None, seed=3, knobs=knobs)
    before, after = (trained_network(path) for path in (small / "models" / "model.pt", folder.weights))
    pairs = zip(encoder_parameters(before), encoder_parameters(after), strict=True)
    assert not any(torch.equal(old, new) for old, new in pairs if old.ndim == 4)
