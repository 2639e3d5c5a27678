import json
import shutil
from pathlib import Path

import pytest
import torch

from cellseg_monai.bundle import find_start
from cellseg_monai.errors import BundleError, CheckpointError
from cellseg_monai.training import started_from, trained_network

BUNDLES = Path(__file__).parents[2] / "bundles"
NUCLEI = BUNDLES / "nuclei"


TRAININGS = [*BUNDLES.glob("*/configs/train.json"), *BUNDLES.glob("*/configs/*_train.json")]


@pytest.mark.parametrize("path", sorted(TRAININGS), ids=lambda path: path.parents[1].name)
def test_every_training_starts_from_the_weights_that_it_is_given(path: Path) -> None:
    config = json.loads(path.read_text())
    started = "cellseg_monai.training.started_from(@network_def, cellseg_monai.bundle.find_start(@start_from))"
    assert started in config["network"]
    if path.name == "train.json":
        assert config["start_from"] is None


def test_weights_are_found_by_the_name_of_a_bundle_its_folder_and_their_own_path(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(NUCLEI, folder, ignore=shutil.ignore_patterns("output"))
    weights = folder / "models" / "model.pt"
    assert Path(str(find_start("nuclei"))) == NUCLEI / "models" / "model.pt"
    assert Path(str(find_start(str(folder)))) == weights
    assert Path(str(find_start(str(weights)))) == weights
    assert find_start(None) is None


def test_the_network_has_the_weights_of_the_bundle() -> None:
    expected = trained_network(NUCLEI / "models" / "model.pt")
    other = trained_network(NUCLEI / "models" / "model.pt")
    for parameter in other.parameters():
        torch.nn.init.zeros_(parameter)
    for ours, theirs in zip(started_from(other, find_start("nuclei")).parameters(), expected.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_missing_weights_are_refused_by_name() -> None:
    with pytest.raises(CheckpointError, match=r"--start_from: no file or bundle at nowhere/model.pt"):
        find_start("nowhere/model.pt")
    with pytest.raises(BundleError, match="did you mean 'nuclei'"):
        find_start("nuclie")
    with pytest.raises(CheckpointError, match="no weights at"):
        find_start("unet")
