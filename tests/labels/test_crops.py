"""Boxes of objects, and crops that hold objects whole, wherever they lie."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import regionprops

from cellseg_monai.labels import crops_of_whole_objects, object_boxes
from cellseg_monai.labels.crops import tiles
from tests.label_images import Stored, label_images


@given(label_images(), st.integers(1, 300))
def test_boxes_match_scikit_image_for_every_block_size(labels, block_px):
    boxes = object_boxes(labels, block_px=block_px)
    expected = regionprops(np.searchsorted([0, *boxes.ids.tolist()], labels.astype(np.int64)))
    sides = np.stack([boxes.top, boxes.left, boxes.bottom, boxes.right], axis=1)
    assert sides.tolist() == [list(region.bbox) for region in expected]
    assert boxes.ids.tolist() == np.unique(labels[labels > 0]).tolist()


@given(label_images(), st.integers(1, 300))
def test_crops_hold_every_object_once_and_whole(labels, block_px):
    drawn = np.zeros_like(labels)
    seen: list[int] = []
    for crop in crops_of_whole_objects(labels, block_px=block_px):
        here = crop.numbers > 0
        assert not drawn[crop.window][here].any()
        drawn[crop.window][here] = crop.ids[crop.numbers[here] - 1]
        seen += crop.ids.tolist()
        assert crop.numbers.size <= block_px or len(crop.ids) == 1
    assert np.array_equal(drawn, labels)
    assert sorted(seen) == np.unique(labels[labels > 0]).tolist()


def test_reads_are_bounded_and_cover_whole_chunks():
    labels = np.zeros((1000, 3000), np.uint64)
    labels[::20, ::20] = 2**40 + np.arange(50 * 150).reshape(50, 150)
    stored = Stored(labels, chunks=(64, 128))
    boxes = object_boxes(stored, block_px=100_000)
    assert len(boxes) == 7500
    assert stored.largest <= 100_000
    starts = [(rows.start % 64, columns.start % 128) for rows, columns in tiles(stored, block_px=100_000)]
    assert set(starts) == {(0, 0)}
    assert sum(len(crop.ids) for crop in crops_of_whole_objects(stored, boxes, block_px=100_000)) == 7500
    assert stored.largest <= 100_000


def test_an_object_larger_than_a_block_has_a_crop_of_its_own():
    labels = np.zeros((90, 90), np.int32)
    labels[10, :] = 4
    labels[::30, ::30] = np.arange(5, 14).reshape(3, 3)
    crops = list(crops_of_whole_objects(labels, block_px=400))
    assert [crop.window for crop in crops if 4 in crop.ids] == [(slice(10, 11), slice(0, 90))]


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (3, 4)])
def test_an_image_without_objects_has_no_crops(shape):
    labels = np.zeros(shape, np.uint16)
    assert len(object_boxes(labels)) == 0
    assert list(crops_of_whole_objects(labels)) == []


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((2, 2)), "float64"),
        (np.zeros((2, 2), bool), "bool"),
        (np.zeros((1, 2, 2), int), r"\(1, 2, 2\)"),
        (np.array([[0, -3]]), "got id -3"),
    ],
    ids=["floats", "a mask", "a stack", "negative ids"],
)
def test_other_arrays_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        object_boxes(labels)
