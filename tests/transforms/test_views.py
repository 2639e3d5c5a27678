"""Views of a crop, and crops with hidden blocks."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.transforms import RandFlipd, RandGaussianNoised

from cellseg_monai.transforms import RandHiddenBlocksd, RandViewsd

IMAGE = torch.arange(20.0).reshape(1, 4, 5)


def views(seed):
    transform = RandViewsd([RandFlipd("image", 0.5, 1), RandGaussianNoised("image", prob=1.0)], ["first", "second"])
    return transform.set_random_state(seed)({"image": IMAGE, "other": 1})


def test_each_view_has_its_own_changes_and_the_image_stays():
    item = views(0)
    assert torch.equal(item["image"], IMAGE)
    assert item["other"] == 1
    assert not torch.allclose(item["first"], item["second"])


def test_the_seed_determines_the_views():
    first, again, other = views(0), views(0), views(1)
    assert all(torch.equal(first[name], again[name]) for name in ("first", "second"))
    assert not torch.equal(first["first"], other["first"])


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 3), st.integers(1, 17), st.floats(0.01, 0.99), st.integers(0)
)
def test_only_hidden_pixels_change_and_something_stays_visible(height, width, channels, block, share, seed):
    image = torch.rand((channels, height, width), generator=torch.Generator().manual_seed(0))
    hide = RandHiddenBlocksd("image", "hidden", "mask", block_px=block, share=share).set_random_state(seed % 2**32)
    item = hide({"image": image})
    mask = item["mask"][0] > 0
    assert item["mask"].shape == (1, height, width)
    assert torch.equal(item["hidden"][:, ~mask], image[:, ~mask])
    assert mask.any()
    # An image that is no larger than a block can lie within a single one.
    assert (~mask).any() or max(height, width) <= block
    if (~mask).any():
        mean = image[:, ~mask].mean(dim=1, keepdim=True)
        torch.testing.assert_close(item["hidden"][:, mask], mean.expand(-1, int(mask.sum())))


def test_the_share_is_that_of_blocks():
    hide = RandHiddenBlocksd("image", "hidden", "mask", block_px=1, share=0.25).set_random_state(0)
    assert hide({"image": torch.zeros(1, 20, 20)})["mask"].mean() == 0.25


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"block_px": 0}, "got block_px=0, expected at least 1"), ({"share": 1.0}, "got share=1.0, expected a share")],
)
def test_impossible_blocks_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        RandHiddenBlocksd("image", "hidden", "mask", **settings)


def test_arrays_are_accepted_too():
    hide = RandHiddenBlocksd("image", "hidden", "mask").set_random_state(0)
    assert hide({"image": np.zeros((1, 8, 8), np.float32)})["hidden"].shape == (1, 8, 8)
