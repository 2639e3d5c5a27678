"""Images encoded for a browser."""

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from cellseg_monai.io import Image
from cellseg_monai.report.picture import grey_values, jpeg, palette_png


def test_the_alpha_channel_does_not_count_as_brightness() -> None:
    pixels = np.stack([*np.full((3, 1, 2), 30, np.uint8), np.full((1, 2), 255, np.uint8)])
    image = Image(pixels, "CYX", channel_names=("red", "green", "blue", "alpha"))
    assert grey_values(image).tolist() == [[30, 30]]


def test_a_stack_has_no_grey_values() -> None:
    with pytest.raises(ValueError, match=r"got a stack \(2 Z, 1 C, 3 Y, 4 X\), expected one plane"):
        grey_values(Image(np.zeros((2, 1, 3, 4)), "ZCYX"))


@pytest.mark.parametrize(("colour", "mode"), [((9, 9, 9), "L"), ((200, 9, 9), "RGB")], ids=["grey", "colour"])
def test_a_grey_picture_is_stored_as_grey(colour: tuple[int, int, int], mode: str) -> None:
    picture: np.ndarray = np.full((8, 8, 3), colour, np.uint8)
    assert Pillow.open(io.BytesIO(jpeg(picture))).mode == mode


def test_a_layer_keeps_its_colours_and_their_opacity() -> None:
    layer = palette_png(np.array([[0, 1, 2]], np.uint8), [(0, 0, 0, 0), (1, 2, 3, 70), (4, 5, 6, 255)])
    opened = np.asarray(Pillow.open(io.BytesIO(layer)).convert("RGBA"))
    assert opened.tolist() == [[[0, 0, 0, 0], [1, 2, 3, 70], [4, 5, 6, 255]]]
