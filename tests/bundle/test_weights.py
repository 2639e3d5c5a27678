import json
import shutil
from pathlib import Path

import pytest
import torch

from cellseg_monai.bundle import bundle_faults, find_training_data
from cellseg_monai.training import read_checkpoint, read_record, trained_network

NUCLEI = Path(__file__).parents[2] / "bundles" / "nuclei"


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """The bundle without its bundle.json, as it is when shared."""
    return Path(shutil.copytree(NUCLEI, tmp_path / "nuclei", ignore=shutil.ignore_patterns("bundle.json", "output")))


def test_shipped_weights_are_those_of_the_metadata_and_of_this_bundle(packed: Path) -> None:
    assert bundle_faults(packed) == []
    state = read_checkpoint(packed / "models" / "model.pt")
    assert read_record(state)["bundle"] == "nuclei"
    assert {values.dtype for values in state.values() if values.is_floating_point()} == {torch.float16}
    assert {values.dtype for values in trained_network(packed / "models" / "model.pt").parameters()} == {torch.float32}


def test_shipped_training_data_are_those_of_the_shipped_weights() -> None:
    training = find_training_data(NUCLEI)
    assert training is not None
    metadata = json.loads((NUCLEI / "configs" / "metadata.json").read_text())
    assert training.weights_sha256 == metadata["weights_sha256"]
    assert find_training_data(NUCLEI.parent / "unet") is None


def test_training_data_that_make_no_sense_are_a_fault(packed: Path) -> None:
    path = packed / "configs" / "training_data.json"
    path.write_text(path.read_text().replace("sharpness", "sharpnes"))
    (fault,) = bundle_faults(packed)
    assert "did you mean 'sharpness'?" in fault


def test_other_weights_are_a_fault(packed: Path) -> None:
    with open(packed / "models" / "model.pt", "ab") as file:
        file.write(b"x")
    (fault,) = bundle_faults(packed)
    assert "models/model.pt: has the SHA-256" in fault


def test_weights_that_are_gone_are_a_fault(packed: Path) -> None:
    (packed / "models" / "model.pt").unlink()
    (fault,) = bundle_faults(packed)
    assert "has the SHA-256 None" in fault
