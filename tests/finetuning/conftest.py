"""A bundle so small that fine-tuning takes seconds, and annotated images for it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser
from monai.utils import set_determinism

from cellseg_monai.heads import BoundaryClassesHead
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.training.checkpoint_metadata import make_metadata, state_with_metadata
from tests.contracts.tiny_dataset import write_tiny_dataset

NUCLEI = Path(__file__).parents[2] / "bundles" / "nuclei"

KNOBS = {"roi_size": [32, 32], "batch_size": 2, "steps_per_epoch": 2}
"""Settings with which an epoch takes a moment."""


@pytest.fixture(autouse=True, scope="package")
def _deterministic_only_here() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    set_determinism(None)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle `nuclei` with a tiny network and weights that have not been trained."""
    folder = tmp_path_factory.mktemp("bundles") / "small"
    shutil.copytree(NUCLEI, folder, ignore=shutil.ignore_patterns("bundle.json", "output", "models", "variants"))
    for path in (folder / "configs").glob("*.json"):
        config = json.loads(path.read_text())
        if "run" in config:
            config["name"] = "small"
            config["network_def"]["channels"] = [4, 8, 16]
        if path.stem == "metadata":
            config["name"] = "small"
            del config["weights_sha256"], config["eval_metrics"]
        if path.stem == "preprocess":
            config["polarity"] = "any"  # otherwise the scout looks at each image
        if path.stem == "calibrate":
            config["search"] = config["search"][:1]
        path.write_text(json.dumps(config))
    torch.manual_seed(0)
    parser = ConfigParser(json.loads((folder / "configs" / "train.json").read_text()))
    network = parser.get_parsed_content("network_def")
    metadata = make_metadata(
        network,
        {
            "bundle": "small",
            "variants": [],
            "preprocess": Preprocessing.from_json(folder / "configs" / "preprocess.json"),
            "head": BoundaryClassesHead(width=4),
            "roi_size": [32, 32],
            "overlap": 0.25,
            "key_metric": "f1",
        },
    )
    (folder / "models").mkdir()
    torch.save(state_with_metadata(network, metadata), folder / "models" / "model.pt")
    return folder


@pytest.fixture(scope="session")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirteen annotated images, which no list divides."""
    folder = tmp_path_factory.mktemp("annotated") / "mine"
    folder.mkdir()
    write_tiny_dataset(folder)
    (folder / "datalist.json").unlink()
    return folder


def some_of(annotated: Path, folder: Path, count: int) -> Path:
    """Copy the first images of a data set with their labels."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
        for path in sorted((annotated / part).iterdir())[:count]:
            shutil.copy(path, folder / part)
    return folder
