"""Annotated images converted to targets and back, which shows how well a perfect network could do."""

import csv
from pathlib import Path

import numpy as np
import pytest
from skimage.measure import label

from cellseg_monai import io
from cellseg_monai.decoding import BoundaryWatershed, Postprocessing, label_objects
from cellseg_monai.labels import boundary_classes
from cellseg_monai.scores import object_counts, over_images

SETTINGS = Postprocessing(BoundaryWatershed(), min_area_px=0, fill_holes=False)
# Lower bounds of the mean F1 for a width of 2, the default, and for other widths.
LEAST, LEAST_OF_OTHERS = 0.995, 0.97


def training_labels(folder: Path, most: int | None) -> list[np.ndarray]:
    """Read label images spread over the training part of a data set."""
    with open(folder / "index.csv", newline="") as file:
        stems = [row["image_id"] for row in csv.DictReader(file) if row.get("split", "train") == "train"]
    paths = {path.name.split(".")[0]: path for path in (folder / "labels").iterdir()}
    chosen = stems if most is None else stems[:: -(-len(stems) // most)]
    return [in_one_piece(io.read_labels(paths[stem])) for stem in chosen]


def in_one_piece(labels: np.ndarray) -> np.ndarray:
    """Keep only the objects that are in one piece, because no decoding method returns others."""
    pieces = label(labels, connectivity=1)
    _, first = np.unique(pieces, return_index=True)
    ids, counts = np.unique(labels.ravel()[first], return_counts=True)
    return np.where(np.isin(labels, ids[counts == 1]), labels, 0)


@pytest.mark.parametrize("most", [30, pytest.param(None, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
@pytest.mark.parametrize("name", ["bbbc039", "dsb2018_stage1_train"])
def test_real_cells_are_restored_from_their_targets(real_data, name, most):
    truths = training_labels(real_data(name), most)
    for width in range(1, 6):
        counts = []
        for truth in truths:
            classes = boundary_classes(truth, width)
            maps = {"foreground": np.float32(classes > 0), "boundary": np.float32(classes == 2)}
            counts.append(object_counts(label_objects(maps, SETTINGS), truth))
        f1 = over_images(counts, "f1", "pooled").mean()
        print(f"{name}, {len(truths)} images, width {width}: mean F1 {f1:.4f}")
        assert f1 >= (LEAST if width == 2 else LEAST_OF_OTHERS)
