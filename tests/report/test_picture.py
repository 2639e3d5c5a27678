"""Images of any number of channels as pictures."""

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from cellseg_monai.io import Image
from cellseg_monai.report.picture import channels_shown, grey_values, jpeg, palette_png, picture_of, shrunk

STEP = np.zeros((1, 4, 4), np.uint16)
STEP[:, :, 2:] = 1000


@pytest.mark.parametrize(
    ("channels", "names", "colour", "told"),
    [
        (1, (), [255, 255, 255], ""),
        (2, (), [255, 255, 255], "channel 0 in green, channel 1 in magenta"),
        (3, ("red", "green", "blue"), [255, 255, 255], ""),
        (4, ("red", "green", "blue", "alpha"), [255, 255, 255], ""),
        (5, ("DAPI", "", "ER", "a", "b"), [255] * 3, "DAPI in red, channel 1 in green, ER in blue; 2 more not shown"),
    ],
    ids=["grey", "two stains", "colours", "colours and alpha", "five stains"],
)
def test_any_number_of_channels_is_shown(channels: int, names: tuple[str, ...], colour: list[int], told: str) -> None:
    image = Image(np.repeat(STEP, channels, axis=0), "CYX", channel_names=names)
    picture = picture_of(image)
    assert picture.dtype == np.uint8
    assert picture[0, 0].tolist() == [0, 0, 0]
    assert picture[0, 3].tolist() == colour
    assert channels_shown(image) == told


def test_alpha_is_no_light() -> None:
    pixels = np.stack([*np.full((3, 1, 2), 30, np.uint8), np.full((1, 2), 255, np.uint8)])
    image = Image(pixels, "CYX", channel_names=("red", "green", "blue", "alpha"))
    assert grey_values(image).tolist() == [[30, 30]]


@pytest.mark.parametrize("function", [picture_of, grey_values])
def test_a_stack_is_refused(function) -> None:
    with pytest.raises(ValueError, match=r"a stack \(2 Z, 1 C, 3 Y, 4 X\) came, but one plane was expected"):
        function(Image(np.zeros((2, 1, 3, 4)), "ZCYX"))


def test_a_shrunken_picture_keeps_its_proportions_and_its_mean() -> None:
    picture: np.ndarray = np.zeros((40, 80, 3), np.uint8)
    picture[:, ::2] = 200
    assert shrunk(picture, 80) is picture
    small = shrunk(picture, 20)
    assert small.shape == (10, 20, 3)
    assert (small == 100).all()


@pytest.mark.parametrize(("colour", "mode"), [((9, 9, 9), "L"), ((200, 9, 9), "RGB")], ids=["grey", "colour"])
def test_a_grey_picture_is_stored_as_grey(colour: tuple[int, int, int], mode: str) -> None:
    picture: np.ndarray = np.full((8, 8, 3), colour, np.uint8)
    assert Pillow.open(io.BytesIO(jpeg(picture))).mode == mode


def test_a_layer_has_its_colours_and_their_opacity() -> None:
    layer = palette_png(np.array([[0, 1, 2]], np.uint8), [(0, 0, 0, 0), (1, 2, 3, 70), (4, 5, 6, 255)])
    opened = np.asarray(Pillow.open(io.BytesIO(layer)).convert("RGBA"))
    assert opened.tolist() == [[[0, 0, 0, 0], [1, 2, 3, 70], [4, 5, 6, 255]]]
