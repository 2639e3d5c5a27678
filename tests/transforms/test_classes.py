"""Classes of cells: loaded next to the labels, kept through augmentation, and assigned to the objects found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.transforms import Compose, RandAffined, RandFlipd, RandRotate90d

from cellseg_monai import io
from cellseg_monai.data import section_items
from cellseg_monai.decoding import Postprocessing
from cellseg_monai.errors import DatasetError
from cellseg_monai.heads import BoundaryMasksHead, CellClassHead, ForegroundHead, ImageClassHead, JoinedHeads
from cellseg_monai.transforms import (
    ActivateLogitsd,
    ClassifyObjectsd,
    EncodeTargetd,
    LabelObjectsd,
    LoadClassesd,
    LoadMicroscopyd,
    PreparePixelsd,
    RandContactCropd,
)

HEAD = JoinedHeads((ForegroundHead(), CellClassHead(("round", "long")), ImageClassHead(("A", "B"), tag="cell_type")))


def dataset(folder: Path, *, first_id: int = 1) -> dict:
    """Return an item with bright round cells and dim long ones, whose table lacks the last cell."""
    labels: np.ndarray = np.zeros((48, 64), np.int64)
    for number in range(6):
        top, left = 4 + 24 * (number % 2), 4 + 20 * (number // 2)
        labels[top : top + 12, left : left + 12] = first_id + number
    names = ["round" if number % 2 else "long" for number in range(5)]
    image = np.zeros(labels.shape, np.uint16)
    image[labels > 0] = np.where((labels - first_id) % 2, 900, 400)[labels > 0]
    np.save(folder / "a.npy", image)
    io.write_labels(folder / "a.tif", labels)
    rows = "".join(f"{first_id + number},{name}\n" for number, name in enumerate(names))
    (folder / "a.csv").write_text(f"id,class\n{rows}")
    entry = {"image": "a.npy", "label": "a.tif", "classes": "a.csv", "tags": {"cell_type": "B"}}
    (folder / "datalist.json").write_text(json.dumps({"training": [entry]}))
    return dict(section_items(folder, "training")[0])


@pytest.mark.parametrize("first_id", [1, 2**24 + 7], ids=["small ids", "ids that training renumbers"])
def test_targets_follow_the_cells_through_augmentation(tmp_path, first_id) -> None:
    loaded = Compose([LoadMicroscopyd(), LoadClassesd(HEAD), PreparePixelsd()])(dataset(tmp_path, first_id=first_id))
    assert (loaded["classes"].dtype, loaded["classes"].shape) == (torch.int64, (5, 2))
    augment = Compose(
        [
            RandContactCropd(roi_size=(40, 40)),
            RandFlipd(["image", "label"], prob=0.5),
            RandRotate90d(["image", "label"], prob=0.5),
            RandAffined(["image", "label"], prob=1, rotate_range=[0.3], mode=["bilinear", "nearest"]),
            EncodeTargetd(HEAD),
        ]
    ).set_random_state(0)
    seen = set()
    for _ in range(8):
        item = augment(loaded)
        foreground, classes, image_class = item["label"]
        # Away from the borders, which interpolation blurs, cells are as bright as their class says.
        pixels = item["image"][0]
        known = classes >= 0
        assert not (known & (foreground == 0)).any()
        bright = pixels > 0.8
        assert (bright[known] == (classes[known] == 0)).float().mean() > 0.8
        assert (image_class == 1).all()
        seen |= set(classes.unique().tolist())
    assert seen == {-1.0, 0.0, 1.0}


def test_without_classes_all_are_unknown(tmp_path) -> None:
    item = dataset(tmp_path)
    del item["classes"]
    loaded = LoadClassesd(HEAD)(LoadMicroscopyd()(item))
    assert loaded["classes"].shape == (0, 2)
    assert (EncodeTargetd(HEAD)(loaded)["label"][1] == -1).all()


def test_a_tag_can_name_the_class_of_all_cells(tmp_path) -> None:
    item = dataset(tmp_path)
    del item["classes"]
    item["tags"] = {"kind": "long"}
    loaded = LoadClassesd(CellClassHead(("round", "long"), "kind"))(LoadMicroscopyd()(item))
    assert loaded["classes"].tolist() == [[number, 1] for number in range(1, 7)]


def test_a_head_without_classes_of_cells_ignores_them(tmp_path) -> None:
    item = dataset(tmp_path)
    del item["classes"]
    assert LoadClassesd(BoundaryMasksHead())(LoadMicroscopyd()(item))["classes"].shape == (0, 2)


def test_wrong_classes_are_refused_with_the_file(tmp_path) -> None:
    item = dataset(tmp_path)
    (tmp_path / "a.csv").write_text("id,class\n1,rond\n")
    with pytest.raises(DatasetError, match=r"a\.csv: wrong classes\n.*row 2: got the class 'rond'"):
        LoadClassesd(HEAD)(LoadMicroscopyd()(item))


def test_objects_get_the_likeliest_class_at_the_size_of_the_image() -> None:
    # At half the scale: one object whose left half is round with 0.9 and right half with 0.2, so round with 0.55.
    logits = torch.full((5, 4, 6), -9.0)
    logits[0, 1:3, 1:5] = 9
    logits[1:3] = 0
    logits[1, :, :3], logits[1, :, 3:] = np.log(9), np.log(0.25)
    logits[3:] = 0
    logits[4, 0, 0] = 0.1
    label = torch.zeros(1, 8, 12, dtype=torch.int32)
    label[0, 2:6, 2:10] = 7
    item = {"pred": logits, "image_shape": torch.tensor([8, 12]), "label": label, "tags": {"cell_type": "A"}}
    item["classes"] = torch.tensor([[7, 1]])
    out = Compose(
        [ActivateLogitsd(HEAD), LabelObjectsd(settings=Postprocessing(min_area_px=0)), ClassifyObjectsd(HEAD)]
    )(item)
    ids, classes = out["classified"]
    assert torch.equal(ids, out["objects"][0].long())
    assert classes[ids > 0].unique().tolist() == [0]
    assert classes[ids == 0].unique().tolist() == [-1]
    assert out["truly_classified"][:, 3, 3].tolist() == [7, 1]
    assert (out["image_class"].tolist(), out["true_image_class"].tolist()) == ([1], [0])


def test_unknown_tags_and_heads_without_classes_give_no_class() -> None:
    maps = {"foreground": np.ones((4, 4)), "image_class/A": np.ones((4, 4)), "image_class/B": np.zeros((4, 4))}
    item = {"objects": torch.ones(1, 4, 4, dtype=torch.int32), "label": torch.ones(1, 4, 4), "maps": maps}
    item["classes"] = torch.zeros(0, 2, dtype=torch.int64)
    head = JoinedHeads((ForegroundHead(), ImageClassHead(("A", "B"))))
    out = ClassifyObjectsd(head)({**item, "tags": {"class": ""}})
    assert (out["image_class"].item(), out["true_image_class"].item()) == (0, -1)
    assert (out["classified"][1] == -1).all()
    assert ClassifyObjectsd(ForegroundHead())(item)["image_class"].item() == -1
