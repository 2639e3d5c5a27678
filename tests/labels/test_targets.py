"""Training targets, compared with values calculated by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cellseg_monai.labels import boundary_classes, distance_target, foreground_and_boundary, foreground_target

TOUCHING = np.array(
    [
        [1, 1, 1, 2, 2, 2],
        [1, 1, 1, 2, 2, 2],
        [1, 1, 1, 2, 2, 2],
        [0, 0, 0, 0, 0, 0],
    ]
)


def test_foreground_covers_every_object_and_nothing_else():
    target = foreground_target(TOUCHING)
    assert target.dtype == np.float32
    assert target.tolist() == [[1] * 6] * 3 + [[0] * 6]


def test_classes_are_background_interior_and_boundary():
    classes = boundary_classes(TOUCHING)
    assert classes.dtype == np.uint8
    assert classes.tolist() == [[1, 1, 2, 2, 1, 1]] * 3 + [[0] * 6]
    assert boundary_classes(TOUCHING, width=4).tolist() == [[1, 2, 2, 2, 2, 1]] * 3 + [[0] * 6]


def test_the_two_masks_overlap():
    masks = foreground_and_boundary(TOUCHING, width=1)
    assert masks.dtype == np.float32
    assert masks.tolist() == [[[1] * 6] * 3 + [[0] * 6], [[0, 0, 0, 1, 0, 0]] * 3 + [[0] * 6]]


def test_depth_is_a_share_of_the_maximum_of_each_object():
    labels = np.array(
        [
            [0, 0, 0, 0, 0, 0, 0],
            [0, 5, 5, 5, 5, 5, 0],
            [0, 5, 5, 5, 5, 5, 0],
            [0, 5, 5, 5, 5, 5, 9],
            [0, 5, 5, 5, 5, 5, 0],
            [0, 5, 5, 5, 5, 5, 0],
            [0, 0, 0, 0, 0, 0, 0],
        ]
    )
    third, two_thirds = pytest.approx(1 / 3), pytest.approx(2 / 3)
    target = distance_target(labels)
    assert target.dtype == np.float32
    # The single pixel of the other object is outside the large one, and at the maximum depth of its own object.
    assert target[3].tolist() == [0, third, two_thirds, 1, two_thirds, third, 1]
    assert target[2].tolist() == [0, third, two_thirds, two_thirds, two_thirds, third, 0]
    assert target[0].tolist() == [0] * 7


def test_the_border_of_the_image_does_not_limit_depth():
    assert distance_target(np.array([[4, 4, 4, 4, 0]])).tolist() == [[1, 0.75, 0.5, 0.25, 0]]
    assert distance_target(np.full((3, 4), 6)).tolist() == [[1] * 4] * 3


def test_ids_can_be_large_and_have_gaps():
    for dtype in (np.int64, np.uint64):
        labels = np.array([[0, 2**40, 2**40, 2**40, 7]], dtype)
        assert distance_target(labels).tolist() == [[0, 0.5, 1, 0.5, 1]]


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (1, 1)], ids=str)
def test_images_of_one_pixel_or_none(shape):
    assert distance_target(np.ones(shape, int)).tolist() == np.ones(shape).tolist()
    assert distance_target(np.zeros(shape, int)).tolist() == np.zeros(shape).tolist()
    assert foreground_and_boundary(np.zeros(shape, int)).shape == (2, *shape)


def test_a_read_only_memory_map_is_accepted(tmp_path):
    np.save(tmp_path / "labels.npy", TOUCHING)
    labels = np.load(tmp_path / "labels.npy", mmap_mode="r")
    assert np.array_equal(distance_target(labels[::-1]), distance_target(TOUCHING[::-1]))
    assert np.array_equal(boundary_classes(labels[::-1]), boundary_classes(TOUCHING[::-1]))


def test_other_arrays_are_refused():
    with pytest.raises(ValueError, match=r"expected \(Y, X\)"):
        distance_target(TOUCHING[np.newaxis])
    with pytest.raises(ValueError, match="got id -1"):
        distance_target(np.array([[-1, 0]]))


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 9), st.integers(1, 3))
def test_depth_matches_a_distance_transform_of_each_object(seed, height, width, largest):
    labels = np.random.default_rng(seed).integers(0, largest + 1, (height, width)).repeat(2, axis=0)
    target = distance_target(labels)
    assert np.array_equal(target > 0, labels > 0)
    for number in np.unique(labels[labels > 0]):
        inside = labels == number
        if not inside.all():
            distance = ndimage.distance_transform_edt(inside)
            np.testing.assert_allclose(target[inside], distance[inside] / distance.max(), rtol=1e-6)
