"""The shared augmentation, as the configs use it: image and label must stay aligned."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import get_track_meta, set_track_meta
from monai.transforms import Compose
from scipy import ndimage

TRAIN = json.loads((Path(__file__).parents[2] / "bundles" / "unet" / "configs" / "train.json").read_text())
# As in training: padding and the crop, then the augmentation.
AUGMENTATION = [TRAIN["train"]["pad"], TRAIN["train"]["crop"], *TRAIN["augmentation"]]


def single_transforms():
    """Yield the config of every transform with a probability of 1, including those in a `OneOf`."""
    for config in AUGMENTATION:
        for transform in config.get("transforms", [config]):
            transform = dict(transform)
            if "prob" in transform:
                transform["prob"] = 1.0
            yield transform


def is_spatial(config):
    return "label" in config["keys"]


def name_of(config):
    return config["_target_"] + str(config.get("spatial_axis", ""))


SPATIAL = [config for config in single_transforms() if is_spatial(config)]
INTENSITY = [config for config in single_transforms() if not is_spatial(config)]


def build(configs):
    return Compose(ConfigParser({"transforms": configs, "roi_size": [256, 256]}).get_parsed_content("transforms"))


def cells(height=300, width=340):
    """Return image and label of four cells; no flip or rotation maps one cell onto another."""
    y, x = np.indices((height, width))
    labels = np.zeros((height, width), np.int32)
    for i, (cy, cx, ry, rx) in enumerate(
        [(0.25, 0.3, 0.2, 0.1), (0.3, 0.7, 0.1, 0.2), (0.7, 0.25, 0.15, 0.2), (0.75, 0.75, 0.2, 0.12)]
    ):
        labels[((y / height - cy) / ry) ** 2 + ((x / width - cx) / rx) ** 2 < 1] = (3, 7, 20, 11)[i]
    # Cutting a piece out of every cell makes all of them asymmetrical.
    labels[int(0.3 * height) : int(0.36 * height), : int(0.3 * width)] = 0
    labels[int(0.62 * height) : int(0.7 * height), int(0.75 * width) :] = 0
    image = (labels / 20).astype(np.float32)
    return {"image": torch.from_numpy(image[None]), "label": torch.from_numpy(labels[None])}


def disagreement(item):
    """Return the share of pixels where image and label differ, ignoring a band of 1 pixel along edges."""
    labels = np.asarray(item["label"])[0]
    image = np.asarray(item["image"])[0] * 20
    around = np.ones((3, 3))
    edge = ndimage.maximum_filter(labels, footprint=around) != ndimage.minimum_filter(labels, footprint=around)
    return np.mean((np.abs(image - labels) > 0.01) & ~edge)


@pytest.fixture(params=[False, True], ids=["plain tensors", "MetaTensor"])
def track_meta(request):
    before = get_track_meta()
    set_track_meta(request.param)
    yield
    set_track_meta(before)


@pytest.mark.usefixtures("track_meta")
@pytest.mark.parametrize("config", SPATIAL, ids=name_of)
def test_every_random_transform_moves_image_and_label_together(config):
    item = cells()
    pad = config["_target_"] == "SpatialPadd"
    transform = build([{**config, "spatial_size": [400, 380]}] if pad else [config])
    for seed in range(8):
        moved = transform.set_random_state(seed)(dict(item))
        assert moved["image"].shape == moved["label"].shape
        assert disagreement(moved) < 2e-4
        assert set(np.unique(np.asarray(moved["label"]))) <= {0, 3, 7, 11, 20}


@pytest.mark.parametrize("config", [c for c in SPATIAL if "Rand" in c["_target_"]], ids=name_of)
def test_the_alignment_check_detects_a_label_that_was_not_moved(config):
    item = cells(256, 256)
    transform = build([{**config, "roi_size": [200, 200]} if "Crop" in config["_target_"] else config])
    worst = 0.0
    for seed in range(4):
        moved = transform.set_random_state(seed)(dict(item))
        height, width = moved["image"].shape[1:]
        worst = max(worst, disagreement({"image": moved["image"], "label": item["label"][:, :height, :width]}))
    assert worst > 5e-4


@pytest.mark.usefixtures("track_meta")
@pytest.mark.parametrize("config", INTENSITY, ids=name_of)
def test_intensity_transforms_change_only_the_image(config):
    item = cells()
    transform = build([config])
    for seed in range(3):
        changed = transform.set_random_state(seed)(dict(item))
        assert changed["label"].dtype == torch.int32
        assert torch.equal(torch.as_tensor(changed["label"]), item["label"])
        assert not torch.equal(torch.as_tensor(changed["image"]), item["image"])
        assert changed["image"].dtype == torch.float32


@pytest.mark.usefixtures("track_meta")
@pytest.mark.parametrize(("height", "width"), [(300, 340), (100, 120), (40, 600), (256, 256)])
def test_the_whole_list_gives_crops_of_256_pixels_from_any_image(height, width):
    transform = build(AUGMENTATION)
    for seed in range(5):
        item = transform.set_random_state(seed)(cells(height, width))
        assert item["image"].shape == item["label"].shape == (1, 256, 256)
        assert item["image"].dtype == torch.float32
        assert torch.isfinite(item["image"]).all()
        assert set(np.unique(np.asarray(item["label"]))) <= {0, 3, 7, 11, 20}


def test_the_seed_determines_the_result_and_the_source_is_not_modified():
    source = cells()
    untouched = copy.deepcopy(source)
    transform = build(AUGMENTATION)
    runs = [[transform.set_random_state(seed)(dict(source)) for seed in range(12)] for _ in range(2)]
    for first, second in zip(*runs, strict=True):
        assert torch.equal(first["image"], second["image"])
        assert torch.equal(first["label"], second["label"])
    assert len({float(item["image"].sum()) for item in runs[0]}) == 12
    assert all(torch.equal(source[key], untouched[key]) for key in source)


def test_labels_are_resampled_by_nearest_neighbour_only():
    for config in single_transforms():
        if "label" in config["keys"] and config["_target_"] in ("RandAffined", "Rand2DElasticd"):
            assert config["mode"] == ["bilinear", "nearest"]


def test_the_list_can_be_pickled_for_spawned_workers():
    transform = pickle.loads(pickle.dumps(build(AUGMENTATION)))
    assert transform(cells())["image"].shape == (1, 256, 256)
