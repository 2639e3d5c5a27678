"""Transforms of label images to targets, and of logits to maps and objects."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from cellseg_monai.decoding import BoundaryWatershed, Postprocessing
from cellseg_monai.heads import NO_TAGS, BoundaryClassesHead, BoundaryMasksHead, ForegroundHead, Head
from cellseg_monai.transforms import (
    ActivateLogitsd,
    EncodeTargetd,
    ForegroundMaskd,
    ForegroundTargetd,
    LabelObjectsd,
    RandContactCropd,
)

LABEL = torch.tensor([[[0, 4, 4, 4, 7, 7, 7, 0]]])
TARGETS = [EncodeTargetd(ForegroundHead()), EncodeTargetd(BoundaryClassesHead()), EncodeTargetd(BoundaryMasksHead())]


@pytest.mark.parametrize("dtype", [torch.int32, torch.float32, torch.uint8])
def test_targets_are_encoded_for_any_dtype_after_augmentation(dtype):
    for labels in (LABEL.to(dtype), MetaTensor(LABEL.to(dtype)), LABEL.to(dtype).numpy()):
        item = {"label": labels, "image": 1}
        target = EncodeTargetd(BoundaryClassesHead())(item)["label"]
        assert (target.dtype, type(target)) == (torch.float32, torch.Tensor)
        assert target.tolist() == [[[0, 1, 1, 2, 2, 1, 1, 0]]]
        assert item["label"] is labels


@dataclass(frozen=True)
class RoundCellsHead(Head):
    """A head that learns from the tags of an image."""

    channels = ("class/round",)
    maps = ("class/round",)

    def encode(
        self, labels: np.ndarray, tags: Mapping[str, Any] = NO_TAGS, classes: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the pixels of round cells."""
        return np.float32((labels > 0) & (tags.get("cell_type") == "round"))[np.newaxis]

    def activate(self, logits: np.ndarray) -> dict[str, np.ndarray]:
        """Return the logits."""
        return {"class/round": logits[0]}


def test_a_head_gets_the_tags_of_the_image():
    target = EncodeTargetd(RoundCellsHead())
    foreground = [[[0, 1, 1, 1, 1, 1, 1, 0]]]
    assert target({"label": LABEL, "tags": {"cell_type": "round"}})["label"].tolist() == foreground
    assert not target({"label": LABEL, "tags": {"cell_type": ""}})["label"].any()
    assert not target({"label": LABEL})["label"].any()


def test_a_target_of_another_shape_is_refused():
    class Twice(RoundCellsHead):
        target_channels = 2

    with pytest.raises(ValueError, match=r"Twice.encode returned a target of \(1, 1, 8\), expected \(2, 1, 8\)"):
        EncodeTargetd(Twice())({"label": LABEL})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("transform", [ForegroundTargetd(), *TARGETS])
def test_targets_stay_on_the_device_of_the_labels(transform):
    # In validation, scores combine them with a prediction that is on the GPU.
    target = transform({"label": LABEL.cuda()})["label"]
    assert target.device.type == "cuda"
    assert torch.equal(target.cpu(), transform({"label": LABEL})["label"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_logits_of_any_precision_become_named_maps_and_are_kept(dtype):
    logits = torch.zeros(3, 1, 2, dtype=dtype, requires_grad=True)
    item = ActivateLogitsd(BoundaryClassesHead())({"pred": logits})
    assert item["pred"] is logits
    assert {name: values.dtype for name, values in item["maps"].items()} == {
        "foreground": np.float32,
        "boundary": np.float32,
    }
    assert [values[0, 0] for values in item["maps"].values()] == pytest.approx([2 / 3, 1 / 3])


def test_objects_have_the_size_of_the_image_and_maps_are_kept():
    # The boundary class wins in the middle, so there are two cells, at half the resolution of the image.
    logits = torch.full((3, 4, 10), -9.0)
    logits[0], logits[1, 1:3, 1:9], logits[2, 1:3, 4:6] = 0, 9, 18
    item = ActivateLogitsd(BoundaryClassesHead())({"pred": logits, "image_shape": torch.tensor([8, 20])})
    out = LabelObjectsd(settings=Postprocessing(BoundaryWatershed(), min_area_px=0))(item)
    assert (out["objects"].dtype, out["objects"].shape) == (torch.int32, (1, 8, 20))
    assert out["maps"] is item["maps"]
    row = out["objects"][0, 3].tolist()
    assert row[:8] == [0, 0, 1, 1, 1, 1, 1, 1]
    assert row[12:] == [2, 2, 2, 2, 2, 2, 0, 0]
    assert not out["objects"][0, :2].any()


def test_objects_of_two_keys_are_stored_under_two_names():
    item = {"a": {"foreground": np.ones((5, 5))}, "b": {"foreground": np.zeros((5, 5))}, "image_shape": (5, 5)}
    out = LabelObjectsd(["a", "b"], ["objects_a", "objects_b"])(item)
    assert out["objects_a"].tolist() == np.ones((1, 5, 5)).tolist()
    assert not out["objects_b"].any()
    with pytest.raises(ValueError, match="expected one name for each key"):
        LabelObjectsd(["a", "b"], "objects")


def test_all_of_them_can_be_pickled():
    for transform in (
        *TARGETS,
        ActivateLogitsd(BoundaryClassesHead()),
        ForegroundMaskd(),
        LabelObjectsd(),
        RandContactCropd(roi_size=(4, 4)),
    ):
        pickle.loads(pickle.dumps(transform))
