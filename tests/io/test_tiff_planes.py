"""Planes that a TIFF holds but its metadata do not describe are said, never dropped silently."""

import struct

import numpy as np
import pytest
import tifffile

from cellseg_monai.io import read, write_labels
from tests.io.files import lsm_info, write_micromanager

STACK = np.arange(4 * 20 * 30, dtype=np.uint16).reshape(4, 20, 30)
GREY = {"photometric": "minisblack", "metadata": None}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.tif"


def imagej(path, header, *, stack=STACK, **how):
    description = "ImageJ=1.53t\n" + header.replace(" ", "\n") + "\n"
    tifffile.imwrite(path, stack, description=description, **{**GREY, "contiguous": False, **how})


def planes_note(path):
    return [note.text for note in read(path).notes if note.kind == "planes"]


@pytest.mark.parametrize(
    ("header", "described"),
    [
        ("images=4 slices=2", 2),
        ("images=3 slices=3", 3),
        ("images=2 slices=2", 2),
        ("images=4 frames=3 hyperstack=true", 3),
        ("images=4 channels=2", 2),
    ],
)
@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}, {"contiguous": True}], ids=["pages", "zlib", "one after"])
def test_planes_beyond_the_header_of_imagej_are_noted(path, header, described, how):
    imagej(path, header, **how)
    image = read(path)
    np.testing.assert_array_equal(image.pixels.reshape(-1, 20, 30), STACK[:described])
    assert planes_note(path) == [f"the file holds 4 planes, but its metadata describe {described}; only these are read"]


def test_planes_without_pages_of_their_own_are_noted(path):
    imagej(path, "images=4 slices=2", stack=STACK[:1])
    with path.open("ab") as file:
        file.write(STACK[1:].tobytes())
    assert planes_note(path) == ["the file holds 4 planes, but its metadata describe 2; only these are read"]


def test_pages_beyond_the_metadata_of_an_lsm_are_noted(path):
    info = lsm_info(DimensionX=30, DimensionY=20, DimensionZ=2, DimensionChannels=1, DimensionTime=1)
    with tifffile.TiffWriter(path, byteorder="<") as writer:
        for number, plane in enumerate(STACK):
            extra = {"extratags": [(34412, "B", info.nbytes, info.tobytes())]} if number == 0 else {}
            writer.write(plane, **GREY, contiguous=False, **extra)
            writer.write(plane[::8, ::8].astype("uint8"), **GREY, contiguous=False, subfiletype=1)
    assert planes_note(path) == ["the file holds 4 planes, but its metadata describe 2; only these are read"]


def test_pages_beyond_the_index_of_a_micromanager_stack_are_noted(path):
    write_micromanager(path, STACK.reshape(4, 1, 20, 30), Frames=2)
    content = path.read_bytes()
    index = content.index(struct.pack("<2I", 3453623, 4))
    path.write_bytes(content[:index] + struct.pack("<2I", 3453623, 2) + content[index + 8 :])
    assert len(read(path).pixels) == 2
    assert planes_note(path) == ["the file holds 4 planes, but its metadata describe 2; only these are read"]


def test_pages_beyond_the_metadata_of_an_ome_tiff_are_noted(path):
    tifffile.imwrite(path, STACK[:2], ome=True, photometric="minisblack", metadata={"axes": "ZYX"})
    tifffile.imwrite(path, STACK[2:], append="force", **GREY, contiguous=False)
    np.testing.assert_array_equal(read(path).pixels[:, 0], STACK[:2])
    assert planes_note(path) == ["the file holds 4 planes, but its metadata describe 2; only these are read"]


class TestSoundFilesHaveNoNote:
    def test_imagej(self, path):
        for stack, axes in ((STACK, "ZYX"), (STACK, "CYX"), (STACK.reshape(2, 2, 20, 30), "TCYX"), (STACK[0], "YX")):
            for how in ({}, {"compression": "zlib"}):
                tifffile.imwrite(path, stack, imagej=True, metadata={"axes": axes}, **how)
                assert read(path).notes == ()

    def test_colours_that_the_header_counts_as_channels(self, path):
        colours = np.repeat(STACK[0].astype("uint8")[..., np.newaxis], 3, -1)
        for header in ("images=3 channels=3", "images=1", "images=3 slices=1 channels=3"):
            imagej(path, header, stack=colours, photometric="rgb")
            assert read(path).notes == ()

    def test_pyramids_and_thumbnails(self, path):
        with tifffile.TiffWriter(path, ome=True) as writer:
            writer.write(STACK, subifds=1, metadata={"axes": "ZYX"}, photometric="minisblack", tile=(16, 16))
            writer.write(STACK[:, ::2, ::2], subfiletype=1, photometric="minisblack", tile=(16, 16))
        tifffile.imwrite(path, STACK[0, ::4, ::4], append="force", subfiletype=1, **GREY)
        assert read(path).notes == ()

    def test_own_labels_and_stacks_of_microscopes(self, path):
        for axes, shape in (("ZYX", (4,)), ("TZYX", (1, 4)), ("PYX", (4,))):
            write_labels(path, STACK.reshape(*shape, 20, 30), axes=axes)
            assert read(path).notes == ()
        write_micromanager(path, STACK.reshape(2, 2, 20, 30))
        assert read(path).notes == ()
