"""Crops around contacts."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from cellseg_monai.labels import touching_boundaries
from cellseg_monai.transforms import RandContactCropd


def one_contact() -> dict:
    """An image of 60 × 90 whose two cells meet in a corner of it, and a third that meets none."""
    labels = np.zeros((60, 90), np.int32)
    labels[:8, :5], labels[:8, 5:11], labels[30:50, 40:70] = 3, 1, 2
    # Each pixel of the image says where it lies.
    return {"image": torch.arange(60.0 * 90).reshape(1, 60, 90), "label": torch.from_numpy(labels[np.newaxis])}


@pytest.mark.parametrize("prob", [0.0, 0.5, 1.0])
def test_image_and_label_are_cropped_alike_and_a_share_has_a_contact(prob):
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
    # Of crops laid anywhere, few have the contact: 5 of 67 columns times 8 of 45 rows.
    assert {0.0: contacts < 20, 0.5: 70 < contacts < 130, 1.0: contacts == 200}[prob]


def test_the_contact_lies_anywhere_in_the_crop():
    labels = np.zeros((1, 41, 41), np.int32)
    labels[0, 20, 20], labels[0, 20, 21] = 1, 2
    crop = RandContactCropd("label", roi_size=(9, 9), prob=1)
    crop.set_random_state(1)
    places = {tuple(np.argwhere(crop({"label": labels})["label"][0].numpy() == 1)[0]) for _ in range(400)}
    # But on the rim, where the other cell might be cut off.
    assert {place[0] for place in places} == set(range(1, 8))


def test_without_contacts_the_crop_lies_anywhere():
    item = {"label": torch.zeros(1, 30, 30)}
    crop = RandContactCropd("label", roi_size=(9, 30), prob=1)
    assert crop(item)["label"].shape == (1, 9, 30)


def test_a_crop_of_the_size_of_the_image_is_the_image():
    item = one_contact()
    out = RandContactCropd(roi_size=(60, 90), prob=1)({key: MetaTensor(value) for key, value in item.items()})
    assert torch.equal(out["label"].as_tensor(), item["label"])


def test_the_same_seed_gives_the_same_crops():
    found = []
    for _ in range(2):
        crop = RandContactCropd(roi_size=(8, 8))
        crop.set_random_state(7)
        found.append([int(crop(one_contact())["image"][0, 0, 0]) for _ in range(20)])
    assert found[0] == found[1]
    assert len(set(found[0])) > 10


def test_an_image_smaller_than_the_crop_is_refused():
    with pytest.raises(ValueError, match=r"\(60, 90\) came, but at least \(64, 64\) was expected; pad it"):
        RandContactCropd(roi_size=(64, 64))(one_contact())
