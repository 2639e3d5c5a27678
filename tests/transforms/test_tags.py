"""Tags of images in transforms, in batches, and after decollation."""

from __future__ import annotations

import json
from pathlib import Path

import monai.data
import numpy as np
import pytest
import tifffile
import torch.utils.data
from monai.data import decollate_batch
from monai.transforms import RandSpatialCropd

from cellseg_monai import io
from cellseg_monai.data import section_items
from cellseg_monai.training import CropSampler, PreparedDataset
from cellseg_monai.transforms import LoadMicroscopyd, PreparePixelsd

TAGS = [{"cell_type": "A172", "dose_um": 2}, {"cell_type": "BV2"}, {"dose_um": 0.5}, {}]


@pytest.fixture
def dataset(tmp_path: Path) -> PreparedDataset:
    """Crops of four images with different tags."""
    listed = []
    for number, tags in enumerate(TAGS):
        pixels = np.random.default_rng(number).integers(0, 200, (24, 24)).astype(np.uint8)
        (tmp_path / "images").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / "images" / f"{number}.tif", pixels)
        io.write_labels(tmp_path / "labels" / f"{number}.tif", (pixels > 100).astype(np.int32))
        listed.append({"image": f"images/{number}.tif", "label": f"labels/{number}.tif", "tags": tags})
    (tmp_path / "datalist.json").write_text(json.dumps({"training": listed}))

    def prepare(item):
        return PreparePixelsd()(LoadMicroscopyd()(item))

    crop = RandSpatialCropd(["image", "label"], (16, 16), random_size=False)
    return PreparedDataset(section_items(tmp_path, "training"), prepare, [crop])


@pytest.mark.parametrize("loader", [torch.utils.data.DataLoader, monai.data.DataLoader], ids=["torch", "MONAI"])
@pytest.mark.parametrize("batch_size", [1, 4], ids=["one image", "images with different tags"])
def test_tags_are_collated_into_batches_and_decollated(dataset, loader, batch_size):
    before = [item["tags"] for item in dataset.data]
    batches = list(loader(dataset, sampler=CropSampler(dataset), batch_size=batch_size))
    assert batches[0]["image"].shape == (batch_size, 1, 16, 16)
    cell_types = [name for batch in batches for name in batch["tags"]["cell_type"]]
    assert sorted(cell_types) == ["", "", "A172", "BV2"]
    doses = torch.cat([batch["tags"]["dose_um"] for batch in batches])
    assert doses.dtype == torch.float64
    assert sorted(doses[~doses.isnan()].tolist()) == [0.5, 2.0]
    items = [item for batch in batches for item in decollate_batch(batch)]
    assert [item["tags"]["cell_type"] for item in items] == cell_types
    assert [item["tags"] for item in dataset.data] == before


def test_transforms_keep_the_tags_of_an_item(dataset):
    cell_types = [dataset[number]["tags"]["cell_type"] for number in range(len(dataset))]
    assert cell_types == ["A172", "BV2", "", ""]
