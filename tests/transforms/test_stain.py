"""Random colours of stained tissue."""

from __future__ import annotations

import numpy as np
import torch

from cellseg_monai.transforms import RandStainsd


def tissue() -> torch.Tensor:
    """Return a purple nucleus in pink tissue on an empty background, with dark stain as 1."""
    picture = torch.zeros(3, 12, 12)
    picture[:, :8] = torch.tensor([0.1, 0.5, 0.25]).reshape(3, 1, 1)
    picture[:, 2:6, 2:6] = torch.tensor([0.8, 0.9, 0.5]).reshape(3, 1, 1)
    return picture


def test_colours_vary_but_nuclei_stay_darker_than_tissue_and_the_background_stays_empty():
    stains = RandStainsd(prob=1.0)
    stains.set_random_state(0)
    picture = tissue()
    colours = []
    for _ in range(200):
        out = stains({"image": picture, "label": 1})
        assert out["label"] == 1
        changed = out["image"]
        assert changed.dtype == torch.float32
        assert 0 <= float(changed.min()) <= float(changed.max()) <= 1
        nucleus, pink, empty = (changed[:, y, 3].mean().item() for y in (3, 7, 11))
        assert empty < 0.1 < pink < nucleus
        colours.append((changed[:, 3, 3] / changed[:, 3, 3].sum()).numpy())
    assert np.std(colours, axis=0).min() > 0.03
    assert torch.equal(picture, tissue())  # the cached item is not changed


def test_some_images_lose_their_colour_and_the_others_keep_it():
    stains = RandStainsd(prob=0.0, grey=0.5)
    stains.set_random_state(0)
    outs = [stains({"image": tissue()})["image"] for _ in range(100)]
    grey = [bool((out[0] - out[1]).abs().max() < 1e-6) for out in outs]
    assert 30 < sum(grey) < 70
    assert all(torch.equal(out, tissue()) for out, is_grey in zip(outs, grey, strict=True) if not is_grey)
