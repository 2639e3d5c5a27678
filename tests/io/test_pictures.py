"""Features of PNG, JPEG and BMP that the reader contract does not cover."""

import zlib

import numpy as np
import PIL.Image
import pytest

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import read, read_labels
from tests.io.files import write_png

PLANE = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
COLOURS = ((10, 20, 30), (40, 50, 60), (70, 80, 90))


@pytest.fixture
def png(tmp_path):
    return tmp_path / "cells.png"


def save_palette(path, colours, **how):
    picture = PIL.Image.new("P", PLANE.shape[::-1])
    picture.putdata(PLANE.ravel().tolist())
    picture.putpalette([value for colour in colours for value in colour])
    picture.save(path, **how)


def test_a_picture_with_a_palette_is_read_as_its_colours(png):
    save_palette(png, COLOURS)
    image = read(png)
    np.testing.assert_array_equal(image.pixels, np.array(COLOURS, np.uint8)[PLANE].transpose(2, 0, 1))
    assert image.channel_names == ("red", "green", "blue")


def test_a_palette_of_greys_gives_one_channel(png):
    save_palette(png, [(9, 9, 9), (200, 200, 200), (5, 5, 5)])
    np.testing.assert_array_equal(read(png).pixels[0], np.array([9, 200, 5])[PLANE])


def test_a_palette_with_transparency_gives_an_alpha_channel(png):
    save_palette(png, COLOURS, transparency=bytes([0, 128]))
    image = read(png)
    np.testing.assert_array_equal(image.pixels[3], np.array([0, 128, 255])[PLANE])
    assert image.channel_names[3] == "alpha"


def test_a_label_image_with_a_palette_is_read_as_its_indices(png):
    save_palette(png, COLOURS)
    np.testing.assert_array_equal(read_labels(png), PLANE)


def test_a_bmp_with_a_palette_is_read_as_its_colours(tmp_path):
    save_palette(tmp_path / "cells.bmp", COLOURS)
    np.testing.assert_array_equal(read(tmp_path / "cells.bmp").pixels[:, 0, 1], COLOURS[1])


def test_grey_with_alpha_has_two_channels(png):
    PIL.Image.fromarray(np.stack([PLANE, PLANE + 9], -1)).save(png)
    image = read(png)
    np.testing.assert_array_equal(image.pixels, np.stack([PLANE, PLANE + 9]))
    assert image.channel_names == ("gray", "alpha")


@pytest.mark.parametrize(
    ("depth", "rows", "stored"),
    [
        (1, bytes([0b10100000, 0b01100000]), [[True, False, True], [False, True, True]]),
        (2, bytes([0b00011011, 0b11100100]), [[0, 1, 2, 3], [3, 2, 1, 0]]),
        (4, bytes([0x0F, 0x71]), [[0, 15], [7, 1]]),
    ],
    ids=["1 bit", "2 bits", "4 bits"],
)
def test_greys_of_few_bits_are_read_as_stored(png, depth, rows, stored):
    stored = np.array(stored, bool if depth == 1 else np.uint8)
    write_png(png, rows, stored.shape[1], 2, depth=depth, kind=0)
    pixels = read(png).pixels
    assert pixels.dtype == stored.dtype
    np.testing.assert_array_equal(pixels[0], stored)


def test_exif_orientation_is_not_applied(tmp_path):
    picture = PIL.Image.fromarray(np.zeros((8, 16, 3), np.uint8))
    exif = picture.getexif()
    exif[0x0112] = 6  # rotate by 90° for display
    picture.save(tmp_path / "cells.jpg", exif=exif)
    assert read(tmp_path / "cells.jpg").pixels.shape == (3, 8, 16)


def test_an_animated_png_is_refused(png):
    frames = [PIL.Image.fromarray(PLANE + n) for n in range(3)]
    frames[0].save(png, save_all=True, append_images=frames[1:])
    with pytest.raises(UnreadableImageError, match="series of 3 images"):
        read(png)


def test_a_png_of_impossible_size_is_refused_before_memory_is_allocated(png):
    write_png(png, bytes(8), 60_000, 1, depth=8, kind=2)
    content = bytearray(png.read_bytes())
    content[20:24] = (60_000).to_bytes(4, "big")
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    png.write_bytes(content)
    with pytest.raises(UnreadableImageError, match="GB of pixels"):
        read(png)


def test_a_png_beyond_the_limit_of_pillow_is_read(png):
    write_png(png, bytes(20_000 * 10_000 // 8), 20_000, 10_000, depth=1, kind=0)
    assert read(png).pixels.shape == (1, 10_000, 20_000)
