"""Crops around contacts."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from cellseg_monai.labels import touching_boundaries
from cellseg_monai.transforms import RandContactCropd


def one_contact() -> dict:
    """Return a 60 × 90 image with two cells that touch near a corner, and a third that touches none."""
    labels = np.zeros((60, 90), np.int32)
    labels[:8, :5], labels[:8, 5:11], labels[30:50, 40:70] = 3, 1, 2
    # The value of each pixel of the image is its position.
    return {"image": torch.arange(60.0 * 90).reshape(1, 60, 90), "label": torch.from_numpy(labels[np.newaxis])}


@pytest.mark.parametrize("prob", [0.0, 0.5, 1.0])
def test_image_and_label_get_the_same_crop_and_a_share_of_crops_has_a_contact(prob):
    crop = RandContactCropd(["image", "label"], roi_size=(16, 24), prob=prob)
    crop.set_random_state(0)
    item, starts, contacts = one_contact(), set(), 0
    for _ in range(200):
        out = crop(item)
        assert out["image"].shape == out["label"].shape == (1, 16, 24)
        top, left = divmod(int(out["image"][0, 0, 0]), 90)
        assert torch.equal(out["label"], item["label"][:, top : top + 16, left : left + 24])
        assert torch.equal(out["image"], item["image"][:, top : top + 16, left : left + 24])
        contacts += touching_boundaries(out["label"][0].numpy()).any()
        starts.add((top, left))
    assert len(starts) > (3 if prob == 1 else 100)
    # Few crops at random positions contain the contact: 5 of 67 columns times 8 of 45 rows.
    assert {0.0: contacts < 20, 0.5: 70 < contacts < 130, 1.0: contacts == 200}[prob]


def test_the_contact_can_be_anywhere_in_the_crop_but_on_its_rim():
    labels = np.zeros((1, 41, 41), np.int32)
    labels[0, 20, 20], labels[0, 20, 21] = 1, 2
    crop = RandContactCropd("label", roi_size=(9, 9), prob=1)
    crop.set_random_state(1)
    places = {tuple(np.argwhere(crop({"label": labels})["label"][0].numpy() == 1)[0]) for _ in range(400)}
    # On the rim, the other cell might be cut off.
    assert {place[0] for place in places} == set(range(1, 8))


def test_an_image_without_contacts_is_cropped_at_random():
    item = {"label": torch.zeros(1, 30, 30)}
    crop = RandContactCropd("label", roi_size=(9, 30), prob=1)
    assert crop(item)["label"].shape == (1, 9, 30)


def test_a_crop_of_the_size_of_the_image_is_the_image():
    item = one_contact()
    out = RandContactCropd(roi_size=(60, 90), prob=1)({key: MetaTensor(value) for key, value in item.items()})
    assert torch.equal(out["label"].as_tensor(), item["label"])


def test_the_same_seed_gives_the_same_crops():
    positions = []
    for _ in range(2):
        crop = RandContactCropd(roi_size=(8, 8))
        crop.set_random_state(7)
        positions.append([int(crop(one_contact())["image"][0, 0, 0]) for _ in range(20)])
    assert positions[0] == positions[1]
    assert len(set(positions[0])) > 10


def test_an_image_smaller_than_the_crop_is_refused():
    with pytest.raises(ValueError, match=r"label image of shape \(60, 90\), expected at least \(64, 64\); pad it"):
        RandContactCropd(roi_size=(64, 64))(one_contact())
