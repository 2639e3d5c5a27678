"""Orientation tags are not applied, and `read` says so."""

import zlib

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile

from cellseg_monai import look
from cellseg_monai.data import check_dataset
from cellseg_monai.io import open_image, read, read_labels
from cellseg_monai.transforms import LoadMicroscopyd

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


class TestWhoSaysSo:
    """Everything that reads images or labels for a result says that a tag is not applied."""

    def test_label_images(self, tmp_path, caplog):
        write(tmp_path / "a.png", 6)
        read_labels(tmp_path / "a.png")
        assert "a.png: an orientation tag asks viewers" in caplog.text

    def test_a_check_of_a_data_set(self, tmp_path):
        for name in ("images", "labels"):
            (tmp_path / name).mkdir()
        write(tmp_path / "images" / "a.tif", 3)
        write(tmp_path / "labels" / "a.tif", None)
        (fault,) = [fault for fault in check_dataset(tmp_path) if fault.kind == "note"]
        assert (fault.place, fault.severity) == ("images/a.tif", "warning")
        assert "180°" in fault.message

    def test_a_workflow_says_it_once(self, tmp_path, caplog):
        load = LoadMicroscopyd(label_key=None)
        for name in ("a.tif", "b.tif"):
            write(tmp_path / name, 3)
            load({"image": str(tmp_path / name)})
        assert "a.tif: an orientation tag" in caplog.text
        assert "b.tif" not in caplog.text

    def test_a_scout(self, tmp_path, caplog):
        write(tmp_path / "a.tif", 2)
        look(tmp_path / "a.tif")
        assert "a.tif: an orientation tag" in caplog.text
