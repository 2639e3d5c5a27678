import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from cellseg_monai.errors import BundleError
from cellseg_monai.labels import Postprocessing, foreground_mask, label_objects

EVERYTHING = Postprocessing(min_area_px=0, fill_holes=False)


def test_the_threshold_itself_is_background():
    for dtype in (np.float16, np.float32, np.float64):
        probabilities = np.array([0.25, 0.5, 0.75], dtype)
        assert foreground_mask(probabilities, Postprocessing(threshold=0.5)).tolist() == [False, False, True]


def test_objects_are_numbered_without_gaps_after_small_ones_are_dropped():
    probabilities = np.array(
        [
            [0.9, 0.0, 0.8, 0.8, 0.0],
            [0.0, 0.0, 0.8, 0.0, 0.0],
            [0.7, 0.7, 0.0, 0.0, 0.6],
        ]
    )
    assert label_objects(probabilities, Postprocessing(min_area_px=2)).tolist() == [
        [0, 0, 1, 1, 0],
        [0, 0, 1, 0, 0],
        [2, 2, 0, 0, 0],
    ]


def test_pixels_that_touch_by_a_corner_are_two_objects():
    assert label_objects(np.eye(2), EVERYTHING).tolist() == [[1, 0], [0, 2]]


def test_holes_are_filled_but_not_bays():
    ring = np.ones((3, 7))
    ring[1, 1] = ring[1, 5] = ring[1, 6] = 0
    filled = label_objects(ring, Postprocessing(min_area_px=0))
    assert filled.tolist() == [[1] * 7, [1, 1, 1, 1, 1, 0, 0], [1] * 7]
    assert label_objects(ring, EVERYTHING)[1, 1] == 0


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.9), st.integers(0, 12))
def test_objects_are_whole_large_enough_and_numbered_1_to_n(seed, share, min_area_px):
    probabilities = (np.random.default_rng(seed).random((17, 23)) < share).astype(np.float32)
    labels = label_objects(probabilities, Postprocessing(min_area_px=min_area_px))
    assert labels.dtype == np.int32
    ids, areas = np.unique(labels[labels > 0], return_counts=True)
    assert ids.tolist() == list(range(1, len(ids) + 1))
    assert np.all(areas >= min_area_px)
    assert all(ndimage.label(labels == i)[1] == 1 for i in ids)
    filled = ndimage.binary_fill_holes(probabilities > 0.5)
    if min_area_px <= 1:
        np.testing.assert_array_equal(labels > 0, filled)
    assert not np.any((labels > 0) & ~filled)


@pytest.mark.parametrize("value", [0.0, 1.0], ids=["nothing", "everything"])
def test_an_image_of_one_kind(value):
    labels = label_objects(np.full((6, 6), value), Postprocessing())
    assert np.all(labels == int(value))


@pytest.mark.parametrize("bad", [[[-3.0, 4.0]], [[np.nan, 0.5]]], ids=["logits", "NaN"])
def test_what_is_no_probability_is_refused(bad):
    with pytest.raises(ValueError, match="apply a sigmoid first"):
        label_objects(np.array(bad), Postprocessing())


def test_more_than_one_plane_is_refused():
    with pytest.raises(ValueError, match=r"\(Y, X\) was expected"):
        label_objects(np.zeros((1, 4, 4)), Postprocessing())


def test_settings_come_back_from_json_as_they_went(tmp_path):
    settings = Postprocessing(threshold=0.35, min_area_px=40, fill_holes=False)
    settings.to_json(tmp_path / "postprocess.json")
    assert Postprocessing.from_json(tmp_path / "postprocess.json") == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"treshold": 0.5}', "did you mean 'threshold'?"),
        ('{"threshold": 1}', "below 1 was expected"),
        ('{"threshold": "0.5"}', "a number from 0"),
        ('{"min_area_px": 2.5}', "a whole number of pixels"),
        ('{"fill_holes": "yes"}', "true or false"),
    ],
)
def test_a_file_that_says_something_else_is_refused(tmp_path, text, message):
    path = tmp_path / "postprocess.json"
    path.write_text(text)
    with pytest.raises(BundleError) as caught:
        Postprocessing.from_json(path)
    assert message in str(caught.value)
