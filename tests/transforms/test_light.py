"""Uneven light and margins without data."""

from __future__ import annotations

import numpy as np
import torch

from cellseg_monai.transforms import RandMarginsd, RandUnevenLightd


def test_uneven_light_changes_the_image_smoothly_and_keeps_it_in_range():
    light = RandUnevenLightd(prob=1.0)
    light.set_random_state(0)
    image = torch.full((2, 32, 48), 0.5)
    for _ in range(50):
        out = light({"image": image, "label": 1})
        assert out["label"] == 1
        assert 0 <= float(out["image"].min()) <= float(out["image"].max()) <= 1
        assert torch.equal(out["image"][0], out["image"][1])
        assert float(out["image"][0].diff(dim=0).abs().max()) < 0.1
    assert torch.equal(RandUnevenLightd(prob=0.0)({"image": image})["image"], image)


def test_a_margin_has_neither_light_nor_objects_and_reaches_the_border():
    margins = RandMarginsd(prob=1.0, largest=0.4)
    margins.set_random_state(0)
    image, labels = torch.ones(1, 40, 60), torch.full((1, 40, 60), 7, dtype=torch.int32)
    shares = []
    for _ in range(100):
        out = margins({"image": image, "label": labels})
        missing = out["image"][0].numpy() == 0
        assert np.array_equal(missing, out["label"][0].numpy() == 0)
        if missing.any():
            assert np.concatenate([missing[0], missing[-1], missing[:, 0], missing[:, -1]]).any()
        shares.append(missing.mean())
    assert 0.05 < np.mean(shares) < 0.4
    assert max(shares) < 0.7
    assert (image == 1).all()  # the cached item is not changed


def test_images_without_a_margin_are_left_alone():
    item = {"image": torch.ones(1, 4, 4), "label": torch.ones(1, 4, 4)}
    assert RandMarginsd(prob=0.0)(item) == item
