"""Transforms of items, from files to tensors and back to files."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from monai.bundle import ConfigParser
from monai.data import Dataset, MetaTensor
from monai.transforms import Compose
from PIL import Image
from torch.utils.data import DataLoader

from cellseg_monai import io
from cellseg_monai.decoding import Postprocessing
from cellseg_monai.errors import DatasetError, UnreadableImageError
from cellseg_monai.heads import ForegroundHead
from cellseg_monai.pixels import Preprocessing, prepare
from cellseg_monai.transforms import (
    ActivateLogitsd,
    ForegroundMaskd,
    ForegroundTargetd,
    ImageFramed,
    LabelObjectsd,
    LoadMicroscopyd,
    PreparePixelsd,
    SaveLabelsd,
)

TRAIN = Path(__file__).parents[2] / "bundles" / "unet" / "configs" / "train.json"


@pytest.fixture
def item(tmp_path):
    """The paths of a 40 × 60 image with two cells, and of its labels."""
    labels = np.zeros((40, 60), np.int32)
    labels[4:16, 6:20] = 1
    labels[22:38, 30:52] = 2
    pixels = np.random.default_rng(0).integers(0, 20, (40, 60)) + 200 * (labels > 0)
    tifffile.imwrite(
        tmp_path / "cells.tif",
        pixels.astype(np.uint16),
        imagej=True,
        resolution=(4, 4),
        metadata={"unit": "um", "axes": "YX"},
    )
    io.write_labels(tmp_path / "truth.tif", labels)
    return {"image": str(tmp_path / "cells.tif"), "label": tmp_path / "truth.tif"}


def load(item, settings=None):
    return PreparePixelsd(settings)(LoadMicroscopyd()(item))


def test_an_item_of_paths_becomes_prepared_tensors(item):
    out = load(item)
    pixels = io.read(item["image"]).pixels
    assert torch.equal(out["image"], torch.from_numpy(prepare(pixels, Preprocessing())))
    assert np.array_equal(out["label"][0], io.read_labels(item["label"]))
    assert (out["image"].dtype, out["label"].dtype) == (torch.float32, torch.int32)
    assert not isinstance(out["image"], MetaTensor)
    assert (out["image_path"], out["label_path"]) == (item["image"], str(item["label"]))
    assert out["image_shape"].tolist() == [40, 60]
    np.testing.assert_allclose(out["image_pixel_size_um"], [0.25, 0.25])
    assert isinstance(item["image"], str)


def test_the_label_is_rescaled_with_the_image(item):
    out = load(item, Preprocessing(pixel_size_um=0.5))
    assert out["image"].shape == out["label"].shape == (1, 20, 30)
    assert np.unique(out["label"]).tolist() == [0, 1, 2]
    assert out["image_shape"].tolist() == [40, 60]


def test_a_pixel_size_can_be_passed_for_images_that_state_none(tmp_path):
    Image.fromarray(np.eye(40, dtype=np.uint8) * 255).save(tmp_path / "plain.png")
    loaded = LoadMicroscopyd(label_key=None)({"image": tmp_path / "plain.png"})
    assert np.isnan(loaded["image_pixel_size_um"]).all()
    settings = Preprocessing(pixel_size_um=0.5)
    assert PreparePixelsd(settings, pixel_size_um=0.25)(loaded)["image"].shape == (1, 20, 20)
    with pytest.raises(DatasetError, match=r"plain\.png: the pixel size of the image is unknown"):
        PreparePixelsd(settings)(loaded)


def test_a_missing_label_is_refused_unless_allowed(item):
    with pytest.raises(DatasetError, match=r"cells\.tif: the item has no 'label'"):
        LoadMicroscopyd()({"image": item["image"]})
    assert "label" not in LoadMicroscopyd(allow_missing_label=True)({"image": item["image"]})
    assert LoadMicroscopyd(label_key=None)(item)["label"] == item["label"]
    with pytest.raises(DatasetError, match="has no 'image'"):
        LoadMicroscopyd()({"label": item["label"]})


def test_a_label_of_another_size_is_refused_with_both_files_and_shapes(item, tmp_path):
    io.write_labels(tmp_path / "other.tif", np.zeros((60, 40), np.int32))
    with pytest.raises(DatasetError) as caught:
        LoadMicroscopyd()({**item, "label": tmp_path / "other.tif"})
    for part in ("cells.tif", "(40, 60)", "other.tif", "(60, 40)"):
        assert part in str(caught.value)


def test_a_stack_is_refused_by_name(tmp_path):
    tifffile.imwrite(tmp_path / "stack.ome.tif", np.zeros((5, 8, 9), np.uint8), metadata={"axes": "ZYX"})
    with pytest.raises(
        UnreadableImageError, match=r"stack\.ome\.tif: got a stack \(Z 5, C 1, Y 8, X 9\), expected one plane"
    ):
        LoadMicroscopyd(label_key=None)({"image": tmp_path / "stack.ome.tif"})


def test_a_missing_channel_is_refused_with_the_file(item):
    with pytest.raises(DatasetError, match=r"cells\.tif: (the image has no|cannot find) channel 'DAPI'"):
        load(item, Preprocessing(channels=["DAPI"]))


def test_a_tensor_in_place_of_a_path_is_refused():
    with pytest.raises(DatasetError, match=r"got a Tensor in item\['image'\], expected a path"):
        LoadMicroscopyd()({"image": torch.zeros(1, 4, 4)})


def test_ids_that_float32_cannot_represent_are_renumbered(item, tmp_path):
    labels = np.zeros((40, 60), np.int32)
    labels[:10], labels[20:] = 2**24 + 2, 2**24 + 1
    io.write_labels(tmp_path / "large.tif", labels)
    out = LoadMicroscopyd()({**item, "label": tmp_path / "large.tif"})
    assert (out["label"][0, 0, 0], out["label"][0, 30, 0]) == (2, 1)


@pytest.mark.parametrize("dtype", [torch.int32, torch.float32])
def test_the_target_is_the_foreground_for_any_dtype_after_augmentation(dtype):
    ids = torch.tensor([[[0, 3], [9, 0]]]).to(dtype)
    for label in (ids, MetaTensor(ids)):
        out = ForegroundTargetd()({"label": label})["label"]
        assert out.dtype == torch.float32
        assert out.tolist() == [[[0, 1], [1, 0]]]
        assert not isinstance(out, MetaTensor)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_the_mask_is_where_the_probability_exceeds_the_threshold(dtype):
    logits = torch.tensor([[[-1.0, 0.0, 1.0]]], dtype=dtype, requires_grad=True)
    item = ActivateLogitsd(ForegroundHead())({"pred": logits})
    out = ForegroundMaskd(settings=Postprocessing(threshold=0.5))(item)["pred"]
    assert out.dtype == torch.float32
    assert out.tolist() == [[[0, 0, 1]]]


@pytest.mark.parametrize("pixel_size_um", [None, 0.5, 0.2], ids=["same scale", "coarser", "finer"])
def test_labels_are_written_at_the_size_of_the_image_file(item, tmp_path, pixel_size_um):
    out = load(item, Preprocessing(pixel_size_um=pixel_size_um))
    out["maps"] = {"foreground": (ForegroundTargetd()(out)["label"] * 0.9)[0].numpy()}
    folder = tmp_path / "results" / "today"
    labelled = LabelObjectsd(settings=Postprocessing(min_area_px=4))(out)
    assert (labelled["objects"].dtype, labelled["objects"].shape) == (torch.int32, (1, 40, 60))
    assert labelled["maps"] is out["maps"]
    SaveLabelsd(output_dir=folder, overlay=True)(labelled)
    labels, truth = io.read_labels(folder / "cells.tif"), io.read_labels(item["label"])
    assert labels.shape == truth.shape
    assert np.array_equal(labels, labelled["objects"][0])
    assert np.mean(labels != truth) < 0.05
    assert io.read(folder / "cells.tif").pixel_size_um == pytest.approx((0.25, 0.25))
    with Image.open(folder / "cells_overlay.png") as overlay:
        assert (overlay.size, overlay.mode) == ((60, 40), "RGB")
    assert sorted(file.name for file in folder.iterdir()) == ["cells.tif", "cells_overlay.png"]


def labelled_item(path):
    return {
        "image": torch.zeros(1, 4, 4),
        "objects": torch.ones(1, 4, 4, dtype=torch.int32),
        "image_path": str(path),
        "image_shape": torch.tensor([4, 4]),
        "image_pixel_size_um": torch.tensor([np.nan, np.nan]),
    }


def test_images_of_the_same_name_do_not_overwrite_each_other(tmp_path):
    first, second = (labelled_item(tmp_path / folder / "cell.ome.tif") for folder in "ab")
    save = SaveLabelsd(output_dir=tmp_path / "flat")
    save(first)
    save(first)
    with pytest.raises(DatasetError, match=r"would both be written to .*cell\.tif; rename one"):
        save(second)
    save = SaveLabelsd(output_dir=tmp_path / "kept", data_root_dir=tmp_path)
    save(first)
    save(second)
    assert (tmp_path / "kept" / "a" / "cell.tif").is_file()
    assert (tmp_path / "kept" / "b" / "cell.tif").is_file()
    with pytest.raises(DatasetError, match="is not inside data_root_dir"):
        save(labelled_item("/elsewhere/cell.tif"))


@pytest.mark.parametrize(
    "objects",
    [torch.zeros(2, 1, 4, 4, dtype=torch.int32), torch.zeros(1, 2, 2, dtype=torch.int32), torch.zeros(1, 4, 4)],
    ids=["a batch", "the size of the network", "probabilities"],
)
def test_arrays_that_are_not_objects_of_the_image_are_refused(tmp_path, objects):
    with pytest.raises(ValueError, match=r"expected integers of shape \(1, 4, 4\).*LabelObjectsd"):
        SaveLabelsd(output_dir=tmp_path)({**labelled_item("a.tif"), "objects": objects})
    assert not list(tmp_path.glob("a.*"))


def test_ids_above_65535_are_written_unchanged(tmp_path):
    objects = torch.tensor([[[0, 1, 65_536, 70_000]] * 4], dtype=torch.int32)
    SaveLabelsd(output_dir=tmp_path / "out")({**labelled_item("a.tif"), "objects": objects})
    assert io.read_labels(tmp_path / "out" / "a.tif")[0].tolist() == [0, 1, 65_536, 70_000]


def test_a_config_can_pass_the_settings_of_a_bundle(item, tmp_path):
    Preprocessing(channels="rgb").to_json(tmp_path / "preprocess.json")
    config = {
        "pixels": {
            "_target_": "cellseg_monai.pixels.Preprocessing.from_json",
            "path": str(tmp_path / "preprocess.json"),
        },
        "prepare": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "cellseg_monai.transforms.LoadMicroscopyd"},
                {"_target_": "cellseg_monai.transforms.PreparePixelsd", "settings": "@pixels"},
            ],
        },
    }
    assert ConfigParser(config).get_parsed_content("prepare")(item)["image"].shape == (3, 40, 60)


def whole_chain():
    config = ConfigParser(json.loads(TRAIN.read_text()))
    return Compose([LoadMicroscopyd(), PreparePixelsd(), *config.get_parsed_content("train#augment")])


def test_the_output_transforms_can_be_pickled(tmp_path):
    for transform in (ForegroundMaskd(), SaveLabelsd(output_dir=tmp_path)):
        pickle.loads(pickle.dumps(transform))


def test_a_spawned_worker_gives_batches(item):
    loader = DataLoader(
        Dataset([item, item], whole_chain()), batch_size=2, num_workers=1, multiprocessing_context="spawn"
    )
    (batch,) = list(loader)
    assert batch["image"].shape == batch["label"].shape == (2, 1, 256, 256)
    assert set(batch) == {"image", "label"}
    assert set(batch["label"].unique().tolist()) <= {0, 1}


def test_predictions_are_resampled_to_the_size_of_the_file(item):
    out = load(item, Preprocessing(pixel_size_um=0.5))
    prediction = torch.zeros(1, 20, 30)
    prediction[0, 3, 5] = 0.7
    framed = ImageFramed()({**out, "pred": prediction})["pred"]
    assert framed.shape == (1, 40, 60)
    # One pixel of 0.5 µm covers four of 0.25 µm.
    assert framed.nonzero().tolist() == [[0, y, x] for y in (6, 7) for x in (10, 11)]
    assert framed.dtype == torch.float32
