"""The bundle that classifies cells and images: the contract, and what it learns and says about classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cellseg_monai import segment
from cellseg_monai.bundle import load_pipeline
from cellseg_monai.data import write_sample_dataset
from cellseg_monai.data.synthetic_kinds import KINDS_OF_CELLS
from cellseg_monai.errors import DatasetError
from cellseg_monai.training import TrainedNetwork
from tests.contracts.bundle import ROOT, BundleContract, rows


class TestMultiheadUnet(BundleContract):
    """The contract, on images whose classes nobody knows: only the masks are learnt."""

    name = "multihead_unet"


class _Classes(BundleContract):
    """Settings with which a small network is trained on images with classes."""

    name = "multihead_unet"
    small: ClassVar[dict] = {
        **BundleContract.small,
        "network_def#encoder_name": "resnet18",
        "+network_def": {"decoder_channels": [32, 16, 16, 8, 8]},
    }


@pytest.fixture(scope="module")
def root() -> Path:
    return ROOT / "bundles" / "multihead_unet"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample_dataset(
        tmp_path_factory.mktemp("kinds") / "kinds", modality="kinds", counts=(4, 2, 2), shape=(96, 96)
    )


@pytest.fixture(scope="module")
def trained(root: Path, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output_dir = tmp_path_factory.mktemp("trained")
    _Classes.train(root, dataset, output_dir, epochs=2).run()
    return output_dir


def test_training_scores_classes_and_draws_their_confusion(trained: Path) -> None:
    scores = rows(trained)[-1]
    assert 0 <= scores["class_balanced_accuracy"] <= 1
    assert 0 <= scores["image_balanced_accuracy"] <= 1
    [events] = (trained / "tensorboard").glob("*/events.*")
    log = EventAccumulator(str(events), size_guidance={"images": 0})
    log.Reload()
    assert "validation/confusion of images" in log.Tags()["images"]


def test_the_checkpoint_names_the_classes(trained: Path) -> None:
    head = TrainedNetwork(trained / "model.pt").head
    assert head.class_names == ("round", "elongated")
    assert head.tag_values == {"treatment": ("control", "treated")}


def test_evaluation_writes_the_classes_of_cells_and_images(root: Path, dataset: Path, trained: Path) -> None:
    workflow = _Classes.workflow(root, "evaluate", dataset, trained)
    workflow.initialize()
    workflow.run()
    metrics = workflow.parser.get_parsed_content("evaluator").state.metrics
    classes = json.loads((trained / "evaluation" / "classes_summary.json").read_text())
    assert classes["images"]["counted"] == 2
    for subject, metric in (("cells", "class_balanced_accuracy"), ("images", "image_balanced_accuracy")):
        if subject in classes:
            assert classes[subject]["scores"]["balanced_accuracy"]["value"] == pytest.approx(metrics[metric])
    summary = json.loads((trained / "evaluation" / "cellseg_summary.json").read_text())
    assert summary["by"]["treatment"].keys() == {"control", "treated"}


def test_segmenting_gives_each_cell_and_the_image_a_class(root: Path, dataset: Path, trained: Path) -> None:
    pipeline = load_pipeline(root, checkpoint=str(trained / "model.pt"))
    found = segment(next((dataset / "images").glob("*.tif")), pipeline)
    assert found.table.classes == ("round", "elongated")
    assert found.image_classes.keys() == {"control", "treated"}
    assert found.table["class_probability"].min(initial=1) >= 0.5


def test_without_names_of_classes_the_head_of_cells_is_left_out(root: Path, dataset: Path, tmp_path: Path) -> None:
    _Classes.train(root, dataset, tmp_path, epochs=1, class_names=[]).run()
    head = TrainedNetwork(tmp_path / "model.pt").head
    assert head.channels == ("foreground", "boundary", "image_class/control", "image_class/treated")
    workflow = _Classes.workflow(root, "evaluate", dataset, tmp_path)
    workflow.initialize()
    workflow.run()
    classes = json.loads((tmp_path / "evaluation" / "classes_summary.json").read_text())
    assert classes["images"]["counted"] == 2
    assert "cells" not in classes


def test_wrong_classes_are_all_reported_before_training(root: Path, tmp_path: Path) -> None:
    folder = write_sample_dataset(tmp_path / "kinds", modality="kinds", counts=(2, 2, 2), shape=(64, 64))
    tables = sorted((folder / "classes").glob("*.csv"))
    tables[0].write_text("id,class\n1,rond\n")
    tables[2].write_text("id,class\n999,round\n")
    with pytest.raises((DatasetError, RuntimeError)) as caught:
        _Classes.train(root, folder, tmp_path / "out")
    text = str(caught.value if isinstance(caught.value, DatasetError) else caught.value.__cause__)
    assert "class-value: row 2: got the class 'rond', expected one of round, elongated; did you mean 'round'?" in text
    assert "class-labels: row 2: the label image has no object 999" in text
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("modality", "expected"), [("kinds", 0.95), ("textures", 0.90)])
def test_it_learns_to_tell_two_kinds_of_cells_apart(root: Path, tmp_path: Path, modality: str, expected: float) -> None:
    dataset = write_sample_dataset(tmp_path / modality, modality=modality, counts=(16, 4, 4), shape=(160, 160))
    names = list(KINDS_OF_CELLS["shape" if modality == "kinds" else "texture"])
    settings = {"roi_size": [96, 96], "crops_per_image": 8, "epochs": 10, "val_interval": 5, "class_names": names}
    _Classes.train(root, dataset, tmp_path / "out", **settings).run()
    workflow = _Classes.workflow(root, "evaluate", dataset, tmp_path / "out", roi_size=[96, 96])
    workflow.initialize()
    workflow.run()
    cells = json.loads((tmp_path / "out" / "evaluation" / "classes_summary.json").read_text())["cells"]
    assert cells["counted"] > 20
    assert np.trace(cells["confusion"]) <= cells["counted"]
    assert cells["scores"]["balanced_accuracy"]["value"] >= expected
