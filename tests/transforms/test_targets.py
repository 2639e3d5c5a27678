"""Label images into targets, logits into probabilities and objects: what the wrappers add to the functions."""

import pickle

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from cellseg_monai.decoding import Postprocessing
from cellseg_monai.transforms import (
    BoundaryClassesd,
    BoundaryProbabilitiesd,
    ForegroundAndBoundaryd,
    ForegroundTargetd,
    LabelObjectsd,
    RandContactCropd,
)

LABEL = torch.tensor([[[0, 4, 4, 4, 7, 7, 7, 0]]])


@pytest.mark.parametrize("dtype", [torch.int32, torch.float32, torch.uint8])
def test_classes_whatever_dtype_augmentation_left(dtype):
    for given in (LABEL.to(dtype), MetaTensor(LABEL.to(dtype)), LABEL.to(dtype).numpy()):
        item = {"label": given, "image": 1}
        out = BoundaryClassesd()(item)["label"]
        assert (out.dtype, type(out)) == (torch.float32, torch.Tensor)
        assert out.tolist() == [[[0, 1, 1, 2, 2, 1, 1, 0]]]
        assert item["label"] is given
    assert BoundaryClassesd(width=4)({"label": LABEL})["label"].tolist() == [[[0, 1, 2, 2, 2, 2, 1, 0]]]


def test_foreground_and_boundary_are_two_channels():
    out = ForegroundAndBoundaryd(width=1)({"label": LABEL.float()})["label"]
    assert (out.dtype, out.shape) == (torch.float32, (2, 1, 8))
    assert out[:, 0].tolist() == [[0, 1, 1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 1, 0, 0, 0]]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="a processor has no second place for a target to lie in")
@pytest.mark.parametrize("transform", [ForegroundTargetd(), BoundaryClassesd(), ForegroundAndBoundaryd()])
def test_targets_lie_where_the_labels_lay(transform):
    # In validation the loss and scores take them together with a prediction that is on the GPU.
    there = transform({"label": LABEL.cuda()})["label"]
    assert there.device.type == "cuda"
    assert torch.equal(there.cpu(), transform({"label": LABEL})["label"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("channels", [2, 3])
def test_logits_of_any_precision_become_two_probabilities(dtype, channels):
    logits = torch.zeros(channels, 1, 2, dtype=dtype, requires_grad=True)
    out = BoundaryProbabilitiesd()({"pred": logits})["pred"]
    assert (out.dtype, out.shape) == (torch.float32, (2, 1, 2))
    expected = {2: [0.5, 0.5], 3: [2 / 3, 1 / 3]}[channels]
    assert out[:, 0, 0].tolist() == pytest.approx(expected)


def test_objects_have_the_size_of_the_image_and_probabilities_stay():
    # The boundary class wins in the middle: two cells, at half the resolution of the image.
    logits = torch.full((3, 4, 10), -9.0)
    logits[0], logits[1, 1:3, 1:9], logits[2, 1:3, 4:6] = 0, 9, 18
    item = BoundaryProbabilitiesd()({"pred": logits, "image_shape": torch.tensor([8, 20])})
    settings = Postprocessing("boundary_watershed", min_area_px=0)
    out = LabelObjectsd(settings=settings)(item)
    assert (out["objects"].dtype, out["objects"].shape) == (torch.int32, (1, 8, 20))
    assert out["pred"] is item["pred"]
    row = out["objects"][0, 3].tolist()
    assert row[:8] == [0, 0, 1, 1, 1, 1, 1, 1]
    assert row[12:] == [2, 2, 2, 2, 2, 2, 0, 0]
    assert not out["objects"][0, :2].any()


def test_objects_of_two_keys_go_where_they_are_told():
    item = {"a": torch.ones(1, 5, 5), "b": torch.zeros(1, 5, 5), "image_shape": (5, 5)}
    out = LabelObjectsd(["a", "b"], ["objects_a", "objects_b"])(item)
    assert out["objects_a"].tolist() == np.ones((1, 5, 5)).tolist()
    assert not out["objects_b"].any()
    with pytest.raises(ValueError, match="one name for each key was expected"):
        LabelObjectsd(["a", "b"], "objects")


def test_all_of_them_pickle():
    for transform in (
        BoundaryClassesd(),
        ForegroundAndBoundaryd(),
        BoundaryProbabilitiesd(),
        LabelObjectsd(),
        RandContactCropd(roi_size=(4, 4)),
    ):
        pickle.loads(pickle.dumps(transform))
