"""The boundary between touching objects, compared with drawings by hand and a loop over all pairs of pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellseg_monai.labels import touching_boundaries

TWO = np.array(
    [
        [0, 0, 0, 0, 0, 0],
        [7, 7, 7, 2, 2, 2],
        [7, 7, 7, 2, 2, 2],
        [7, 7, 7, 2, 2, 2],
        [0, 0, 0, 0, 0, 0],
    ]
)


@pytest.mark.parametrize(
    ("width", "row"),
    [
        # The larger half of an odd width lies in the object of the greater id, 7.
        (1, [0, 0, 1, 0, 0, 0]),
        (2, [0, 0, 1, 1, 0, 0]),
        (3, [0, 1, 1, 1, 0, 0]),
        (4, [0, 1, 1, 1, 1, 0]),
        (5, [1, 1, 1, 1, 1, 0]),
        (6, [1, 1, 1, 1, 1, 1]),
        (99, [1, 1, 1, 1, 1, 1]),
    ],
)
def test_boundaries_have_the_requested_width_and_never_cover_background(width, row):
    assert touching_boundaries(TWO, width).astype(int).tolist() == [[0] * 6, row, row, row, [0] * 6]
    assert touching_boundaries(TWO.T, width).T.astype(int).tolist() == [[0] * 6, row, row, row, [0] * 6]


def test_objects_that_touch_at_a_corner_have_a_boundary_there():
    labels = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 2, 2], [0, 0, 2, 2]])
    assert touching_boundaries(labels).astype(int).tolist() == [[0] * 4, [0, 1, 0, 0], [0, 0, 1, 0], [0] * 4]


def test_widths_from_3_bridge_gaps_of_one_pixel():
    labels = np.array([[1, 1, 1, 0, 2, 2, 2]])
    assert not touching_boundaries(labels, 2).any()
    assert touching_boundaries(labels, 3).astype(int).tolist() == [[0, 0, 0, 0, 1, 0, 0]]
    assert touching_boundaries(labels, 4).astype(int).tolist() == [[0, 0, 1, 0, 1, 0, 0]]


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0), (1, 1), (1, 9), (9, 1)], ids=str)
@pytest.mark.parametrize("width", [1, 2, 30])
def test_an_image_of_one_object_or_without_pixels_has_no_boundary(shape, width):
    boundaries = touching_boundaries(np.full(shape, 3), width)
    assert boundaries.shape == shape
    assert not boundaries.any()


@pytest.mark.parametrize("dtype", ["u1", "i2", ">u2", "i4", "u4", "i8", "u8", "f4"])
def test_any_real_dtype_and_memory_layout_is_accepted(dtype):
    strided = np.asfortranarray(np.repeat(TWO, 2, axis=0).astype(dtype))[::2]
    strided.flags.writeable = False
    assert np.array_equal(touching_boundaries(strided), touching_boundaries(TWO))


def test_ids_above_65535_are_distinguished():
    assert touching_boundaries(np.array([[1, 1, 65_537, 65_537]])).astype(int).tolist() == [[0, 1, 1, 0]]


@pytest.mark.parametrize("width", [0, -2, 2.5])
def test_an_invalid_width_is_refused(width):
    with pytest.raises(ValueError, match="a whole number of at least 1"):
        touching_boundaries(TWO, width)


def test_a_stack_is_refused():
    with pytest.raises(ValueError, match=r"got labels of shape \(1, 5, 6\), expected \(Y, X\)"):
        touching_boundaries(TWO[np.newaxis])


label_images = st.builds(
    lambda seed, height, width, largest: np.random.default_rng(seed).integers(0, largest, (height, width)).repeat(2, 1),
    st.integers(0, 2**32),
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(1, 5),
)


@settings(max_examples=30)
@given(label_images, st.integers(1, 5))
def test_boundaries_match_the_distances_between_all_pixels(labels, width):
    expected = np.zeros(labels.shape, bool)
    pixels = [(place, labels[place]) for place in np.ndindex(labels.shape) if labels[place]]
    for place, own in pixels:
        for other_place, other in pixels:
            side = width // 2 if own < other else (width + 1) // 2
            if own != other and np.hypot(*np.subtract(place, other_place)) - side < 0.5:
                expected[place] = True
    assert np.array_equal(touching_boundaries(labels, width), expected)


@settings(max_examples=30)
@given(label_images, st.sampled_from([2, 4]), st.permutations(range(1, 5)))
def test_boundaries_of_even_width_turn_with_the_image_and_do_not_depend_on_ids(labels, width, ids):
    boundaries = touching_boundaries(labels, width)
    for turn in (np.rot90, np.flipud, np.fliplr, np.transpose):
        assert np.array_equal(touching_boundaries(turn(labels), width), turn(boundaries))
    assert np.array_equal(touching_boundaries(np.array([0, *ids])[labels] * 1000, width), boundaries)
