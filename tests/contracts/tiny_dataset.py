"""A data set on which training takes seconds."""

import json
from pathlib import Path

import numpy as np

from cellseg_monai import io

__all__ = ["write_tiny_dataset"]


def write_tiny_dataset(folder: Path) -> Path:
    """Write 8 training, 3 validation and 2 test images of 72×80 pixels, with bright squares on dark noise."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    sections: dict[str, list[dict[str, str]]] = {"training": [], "validation": [], "test": []}
    for index in range(13):
        labels = np.zeros((72, 80), np.int32)
        for object_id, (y, x) in enumerate(rng.integers(0, 50, (3, 2)), start=1):
            labels[y : y + 20, x : x + 20] = object_id
        labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
        image = rng.normal(500, 50, labels.shape) + 2000 * (labels > 0)
        np.save(folder / "images" / f"{index:02}.npy", image.astype(np.uint16))
        io.write_labels(folder / "labels" / f"{index:02}.tif", labels)
        section = "training" if index < 8 else "validation" if index < 11 else "test"
        sections[section].append({"image": f"images/{index:02}.npy", "label": f"labels/{index:02}.tif"})
    (folder / "datalist.json").write_text(json.dumps(sections))
    return folder
