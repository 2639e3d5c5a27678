"""Pictures of images with any number of channels."""

import numpy as np
import pytest

from cellseg_monai.io import Image
from cellseg_monai.io.display import channels_shown, picture_of, shrunk

STEP = np.zeros((1, 4, 4), np.uint16)
STEP[:, :, 2:] = 1000


@pytest.mark.parametrize(
    ("channels", "names", "colour", "caption"),
    [
        (1, (), [255, 255, 255], ""),
        (2, (), [255, 255, 255], "channel 0 in green, channel 1 in magenta"),
        (3, ("red", "green", "blue"), [255, 255, 255], ""),
        (4, ("red", "green", "blue", "alpha"), [255, 255, 255], ""),
        (5, ("DAPI", "", "ER", "a", "b"), [255] * 3, "DAPI in red, channel 1 in green, ER in blue; 2 more not shown"),
    ],
    ids=["grey", "two stains", "colours", "colours and alpha", "five stains"],
)
def test_any_number_of_channels_is_shown(
    channels: int, names: tuple[str, ...], colour: list[int], caption: str
) -> None:
    image = Image(np.repeat(STEP, channels, axis=0), "CYX", channel_names=names)
    picture = picture_of(image)
    assert picture.dtype == np.uint8
    assert picture[0, 0].tolist() == [0, 0, 0]
    assert picture[0, 3].tolist() == colour
    assert channels_shown(image) == caption


def test_a_stack_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got a stack \(2 Z, 1 C, 3 Y, 4 X\), expected one plane"):
        picture_of(Image(np.zeros((2, 1, 3, 4)), "ZCYX"))


def test_a_shrunken_picture_keeps_its_proportions_and_its_mean() -> None:
    picture: np.ndarray = np.zeros((40, 80, 3), np.uint8)
    picture[:, ::2] = 200
    assert shrunk(picture, 80) is picture
    small = shrunk(picture, 20)
    assert small.shape == (10, 20, 3)
    assert (small == 100).all()
