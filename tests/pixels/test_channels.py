import shlex

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.pixels import channels_from_text, select_channels

RGB = np.array([[[100, 0, 0, 10]], [[0, 100, 0, 20]], [[0, 0, 100, 30]]], np.uint8)
ALPHA = np.full((1, 1, 4), 255, np.uint8)
COLOURS = ("red", "green", "blue")
STAINS = ("DAPI", "GFP", "mCherry")


def test_grey_keeps_a_single_channel_unchanged():
    grey = np.arange(6, dtype=np.uint16).reshape(1, 2, 3)
    assert select_channels(grey, "grey") is grey


@pytest.mark.parametrize(
    ("pixels", "names"),
    [
        (RGB, COLOURS),
        (np.concatenate([RGB, ALPHA]), (*COLOURS, "alpha")),
        (np.concatenate([RGB, ALPHA]), (*COLOURS, "extra")),
        (np.concatenate([RGB, ALPHA]), ("R", "G", "B", "A")),
    ],
    ids=["RGB", "RGBA", "RGB and something", "letters"],
)
def test_grey_of_colour_is_its_luma_without_alpha(pixels, names):
    grey = select_channels(pixels, "grey", channel_names=names)
    assert grey.dtype == np.float32
    np.testing.assert_allclose(grey, [[[29.9, 58.7, 11.4, 0.299 * 10 + 0.587 * 20 + 0.114 * 30]]], rtol=1e-6)


def test_grey_of_a_grey_image_stored_as_rgba_is_that_image():
    grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    stored = np.concatenate([grey, grey, grey, np.full_like(grey, 7)])
    selected = select_channels(stored, "grey", channel_names=(*COLOURS, "alpha"))
    np.testing.assert_array_equal(selected, grey)
    assert selected.dtype == np.uint8


@given(st.integers(0, 2**32 - 1))
def test_luma_lies_between_the_lowest_and_the_highest_channel(seed):
    rgb = np.random.default_rng(seed).integers(0, 2**16, (3, 4, 4)).astype(np.uint16)
    luma = select_channels(rgb, "grey", channel_names=COLOURS)[0]
    assert np.all(luma >= rgb.min(axis=0) * (1 - 1e-6))
    assert np.all(luma <= rgb.max(axis=0) * (1 + 1e-6))


def test_rgb_repeats_grey_and_drops_alpha():
    grey = np.ones((1, 2, 2), np.uint8)
    assert select_channels(grey, "rgb").shape == (3, 2, 2)
    rgba = np.concatenate([RGB, ALPHA])
    np.testing.assert_array_equal(select_channels(rgba, "rgb", channel_names=(*COLOURS, "alpha")), RGB)


def test_grey_with_alpha_is_grey():
    stored = np.concatenate([RGB[:1], ALPHA])
    np.testing.assert_array_equal(select_channels(stored, "grey", channel_names=("gray", "alpha")), RGB[:1])
    assert len(select_channels(stored, "rgb", channel_names=("gray", "alpha"))) == 3


def test_a_list_selects_channels_by_name_or_index_in_its_order():
    np.testing.assert_array_equal(select_channels(RGB, ["mCherry", 0], channel_names=STAINS), RGB[[2, 0]])


@pytest.mark.parametrize("policy", ["grey", "rgb"])
def test_two_channels_are_refused_with_their_names(policy):
    with pytest.raises(ValueError, match=r"2 channels \(0 'DAPI', 1 'GFP'\), expected .*; set channels to a list"):
        select_channels(RGB[:2], policy, channel_names=STAINS[:2])


def test_three_stains_are_not_mistaken_for_a_colour():
    with pytest.raises(ValueError, match="2 'mCherry'"):
        select_channels(RGB, "grey", channel_names=STAINS)
    with pytest.raises(ValueError, match="0 'DAPI', 1 unnamed, 2 unnamed"):
        select_channels(RGB, "grey", channel_names=("DAPI", "", ""))
    with pytest.raises(ValueError, match="0 'green', 1 'red'"):
        select_channels(RGB, "grey", channel_names=("green", "red", "blue"))
    assert select_channels(RGB, "grey", channel_names=("Red", "Green", "Blue")).shape == (1, 1, 4)


@pytest.mark.parametrize("policy", ["grey", "rgb"])
@pytest.mark.parametrize("pixels", [RGB, np.concatenate([RGB, ALPHA])], ids=["three", "four"])
def test_unnamed_channels_are_not_mistaken_for_a_colour(pixels, policy):
    with pytest.raises(ValueError, match=r"unnamed.*set channels to a list.*such as \[0\].*axes='YXS'"):
        select_channels(pixels, policy)


@pytest.mark.parametrize(
    ("policy", "names", "message"),
    [
        (["dapi"], STAINS, "no channel 'dapi'; it has 0 'DAPI', 1 'GFP', 2 'mCherry'"),
        ([3], (), "no channel 3; it has 3 unnamed, 0 to 2"),
        (["DAPI"], (), "the image has no channel names"),
        (["a"], ("a", "a", "b"), "2 channels are named 'a'"),
        ([""], ("a", "", ""), "no channel ''; it has 0 'a', 1 unnamed, 2 unnamed"),
    ],
    ids=["misspelt name", "index too large", "name without names", "ambiguous name", "empty name"],
)
def test_a_missing_channel_is_refused_with_a_list_of_the_existing_ones(policy, names, message):
    with pytest.raises(ValueError, match=message):
        select_channels(RGB, policy, channel_names=names)


@pytest.mark.parametrize("policy", ["gray", [], [True], [-1], [1.5], None, {"grey"}])
def test_an_invalid_policy_is_refused(policy):
    with pytest.raises(ValueError, match=r"got channels=.*, expected 'grey', 'rgb' or a list"):
        select_channels(RGB, policy)


@pytest.mark.parametrize("shape", [(4, 4), (2, 1, 4, 4), (1, 0, 4)])
def test_pixels_that_are_not_cyx_are_refused(shape):
    with pytest.raises(ValueError, match=r"\(C, Y, X\)"):
        select_channels(np.zeros(shape), "grey")


@pytest.mark.parametrize(
    ("text", "channels"),
    [
        ("DAPI", ("DAPI",)),
        (" DAPI , 0,GFP ", ("DAPI", 0, "GFP")),
        ('["DA,PI"]', ("DA,PI",)),
        (' ["DA,PI", 0, "488", " x "]', ("DA,PI", 0, "488", " x ")),
        ('["[1]"]', ("[1]",)),
    ],
)
def test_a_text_lists_channels_plainly_or_as_json(text, channels):
    assert channels_from_text(text) == channels


@pytest.mark.parametrize("text", ["[DAPI]", "[]", "['DAPI']", '["DAPI"', "[1.5]", "[-1]", "[true]", "[null]", "[[0]]"])
def test_a_text_that_is_no_json_list_of_channels_is_refused(text):
    with pytest.raises(ValueError, match="expected a JSON list of channel names"):
        channels_from_text(text)


@given(st.text(min_size=1, max_size=8))
def test_the_message_on_several_stains_says_how_to_choose_one_of_them(name):
    with pytest.raises(ValueError, match="grey, RGB or RGBA") as caught:
        select_channels(np.zeros((2, 1, 1)), "grey", channel_names=[name, "other"])
    (flag,) = shlex.split(str(caught.value).partition("pass --channels ")[2].rpartition(" on the command line")[0])
    assert channels_from_text(flag) == (name,)
