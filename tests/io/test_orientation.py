"""Orientation tags are not applied, and `read` says so."""

import zlib

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile

from cellseg_monai.io import open_image, read

PLANE = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30)
TAG = 274


COLOURS = np.stack([PLANE, PLANE, PLANE], axis=-1).astype(np.uint16) * 256


def write_16_bit_colours(path, orientation):
    """Write a PNG of 16-bit colours, which Pillow cannot write, with an eXIf chunk before its end."""
    exif = PIL.Image.Exif()
    exif[TAG] = orientation
    data = exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = len(data).to_bytes(4, "big") + b"eXIf" + data + zlib.crc32(b"eXIf" + data).to_bytes(4, "big")
    content = imagecodecs.png_encode(COLOURS)
    path.write_bytes(content[:-12] + chunk + content[-12:])


def test_colours_of_16_bit_have_a_note_too(tmp_path):
    write_16_bit_colours(tmp_path / "a.png", 6)
    image = read(tmp_path / "a.png")
    np.testing.assert_array_equal(image.pixels, COLOURS.transpose(2, 0, 1))
    (note,) = image.notes
    assert "90° clockwise" in note.text
    write_16_bit_colours(tmp_path / "b.png", 1)
    assert read(tmp_path / "b.png").notes == ()


def write(path, orientation):
    if path.suffix == ".tif":
        extra = [(TAG, "H", 1, orientation)] if orientation is not None else []
        tifffile.imwrite(path, PLANE, metadata=None, photometric="minisblack", extratags=extra)
        return
    exif = PIL.Image.Exif()
    if orientation is not None:
        exif[TAG] = orientation
    quality = {"quality": 100} if path.suffix == ".jpg" else {}
    PIL.Image.fromarray(PLANE).save(path, exif=exif, **quality)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
class TestEveryFormat:
    @pytest.mark.parametrize(("orientation", "shown"), [(3, "180°"), (6, "90° clockwise"), (2, "left to right")])
    def test_the_pixels_are_as_stored_and_a_note_says_so(self, tmp_path, name, orientation, shown):
        path = tmp_path / name
        write(path, orientation)
        image = read(path)
        assert image.pixels.shape == (1, 20, 30)
        assert np.abs(image.pixels[0].astype(int) - PLANE).max() <= 3
        (note,) = image.notes
        assert note.kind == "orientation"
        assert shown in note.text
        with open_image(path) as opened:
            assert opened.notes == image.notes

    @pytest.mark.parametrize("orientation", [None, 1, 0, 9])
    def test_without_a_turn_there_is_no_note(self, tmp_path, name, orientation):
        write(tmp_path / name, orientation)
        assert read(tmp_path / name).notes == ()
