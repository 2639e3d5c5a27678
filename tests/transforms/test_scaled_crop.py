"""Crops at the scale of the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cellseg_monai.labels import touching_boundaries
from cellseg_monai.pixels import rescale, rescale_labels
from cellseg_monai.transforms import RandScaledCropd


def item(side: int = 60, zoom: float = 1.0) -> dict:
    """Return a smooth image with two cells that touch, and a third that touches none."""
    labels = np.zeros((1, side, side + 20), np.int32)
    labels[0, 10:20, 10:20], labels[0, 10:20, 20:30], labels[0, 40:50, 40:60] = 3, 1, 2
    rows, columns = np.mgrid[:side, : side + 20]
    image = np.sin(rows / 5) + np.cos(columns / 7) + labels[0]
    return {
        "image": torch.from_numpy(image[np.newaxis].astype(np.float32)),
        "label": torch.from_numpy(labels),
        "image_zoom": zoom,
    }


def crops(data: dict, count: int = 60, **options: object) -> list[dict]:
    crop = RandScaledCropd(**{"roi_size": (16, 24), "prob": 0.0, **options})
    crop.set_random_state(0)
    return [crop(data) for _ in range(count)]


def is_window(part: np.ndarray, whole: np.ndarray, **tolerance: float) -> bool:
    windows = np.lib.stride_tricks.sliding_window_view(whole, part.shape)
    return bool(np.isclose(windows, part, **tolerance).all(axis=(2, 3)).any())


@pytest.mark.parametrize("zoom", [1.0, 0.5, 1.7])
def test_a_crop_is_a_window_of_the_resampled_image_and_of_its_labels(zoom):
    data = item(zoom=zoom)
    shape = (round(60 * zoom), round(80 * zoom))
    whole = rescale(data["image"].numpy(), shape)[0]
    labels = rescale_labels(data["label"].numpy()[0], shape)
    for out in crops(data, 10):
        assert out["image"].shape == out["label"].shape == (1, 16, 24)
        assert out["label"].dtype == torch.int32
        assert is_window(out["image"][0].numpy(), whole, atol=1e-4)
        assert is_window(out["label"][0].numpy(), labels)
        assert "image_zoom" not in out


def test_random_factors_fill_the_range_and_are_mostly_near_one():
    data = item(side=200)
    data["label"][:] = 0
    data["label"][0, 50:150, 50:150] = 1
    shares = [
        float((out["label"] > 0).float().sum()) for out in crops(data, 300, scale_range=(0.5, 2), roi_size=(8, 8))
    ]
    assert 0 < np.mean(shares) < 64
    crop = RandScaledCropd(roi_size=(8, 8), scale_range=(0.5, 2))
    crop.set_random_state(1)
    factors = np.array([crop._random_factor() for _ in range(1000)])
    assert 0.5 < factors.min() < 0.6
    assert 1.7 < factors.max() < 2
    assert abs(np.median(np.log(factors))) < 0.05


def test_an_image_smaller_than_the_crop_is_mirrored_with_its_labels():
    data = item(zoom=0.25)
    data["image"] = data["label"].float()
    for out in crops(data, 20):
        assert out["image"].shape == out["label"].shape == (1, 16, 24)
        assert np.corrcoef(out["image"].ravel(), out["label"].ravel())[0, 1] > 0.8


def test_crops_around_a_contact_contain_it_at_any_scale():
    for out in crops(item(zoom=1.3), 40, prob=1.0, scale_range=(0.7, 1.5)):
        assert touching_boundaries(out["label"][0].numpy()).any()


@pytest.mark.parametrize("scale_range", [(1.2, 1.5), (0.0, 1.0), (0.5, 0.9)])
def test_a_range_without_one_is_refused(scale_range):
    with pytest.raises(ValueError, match="scale_range"):
        RandScaledCropd(roi_size=(8, 8), scale_range=scale_range)
