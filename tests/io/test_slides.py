"""Slide scans: the image is read, not the thumbnail, label or overview."""

import numpy as np
import pytest
import tifffile

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import read

SLIDE = np.random.default_rng(0).integers(0, 255, (64, 96, 3)).astype(np.uint8)
SMALLER = SLIDE[::2, ::2].copy()
OVERVIEW = SLIDE[:16, :48].copy()
TILES = {"tile": (16, 16)}

_LEICA = """<?xml version="1.0"?><scn><collection>
<image name="macro"><pixels><dimension ifd="0" r="0" sizeX="48" sizeY="16"/></pixels></image>
<image name="tissue"><pixels><dimension ifd="1" r="0" sizeX="96" sizeY="64"/>
<dimension ifd="2" r="1" sizeX="48" sizeY="32"/></pixels></image>
</collection></scn>"""
_SPACING = """<DataObject ObjectType="PixelDataRepresentation">
<Attribute Name="DICOM_PIXEL_SPACING">"{0}" "{0}"</Attribute></DataObject>"""
_PHILIPS = f"""<?xml version="1.0"?><DataObject><Attribute><Array>
{_SPACING.format(0.0005)}{_SPACING.format(0.001)}</Array></Attribute></DataObject>"""


def hamamatsu(magnification):
    return {"extratags": [(65420, "I", 1, 1), (271, "s", 0, "Hamamatsu"), (65421, "f", 1, magnification)]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "slide.tif"


def write(path, *pages, software=False):
    with tifffile.TiffWriter(path) as writer:
        for array, how in pages:
            writer.write(array, photometric="rgb", metadata=None, software=software, **how)


@pytest.mark.parametrize(
    ("kind", "software", "pages"),
    [
        (
            "svs",
            False,
            [(SLIDE, {**TILES, "description": "Aperio Image"}), (SMALLER, {}), (SMALLER, TILES), (OVERVIEW, {})],
        ),
        ("ndpi", False, [(SLIDE, hamamatsu(20.0)), (SMALLER, hamamatsu(10.0)), (OVERVIEW, hamamatsu(-1.0))]),
        ("scn", False, [(OVERVIEW, {"description": _LEICA}), (SLIDE, TILES), (SMALLER, TILES)]),
        ("qpi", "PerkinElmer-QPI", [(SLIDE, TILES), (OVERVIEW, {}), (SMALLER, TILES), (OVERVIEW, {})]),
        (
            "philips",
            "Philips DP v1",
            [(SLIDE, {**TILES, "description": _PHILIPS}), (SMALLER, TILES), (OVERVIEW, {"description": "Macro"})],
        ),
    ],
    ids=["Aperio", "Hamamatsu", "Leica, overview first", "PerkinElmer", "Philips"],
)
def test_the_largest_image_is_read(path, kind, software, pages):
    write(path, *pages, software=software)
    with tifffile.TiffFile(path) as tif:
        assert {series.kind for series in tif.series} == {kind}
        assert len(tif.series) > 1
    image = read(path)
    np.testing.assert_array_equal(image.pixels, SLIDE.transpose(2, 0, 1))
    assert image.channel_names == ("red", "green", "blue")


def test_a_slide_with_overlapping_tiles_is_refused(path):
    xmp = {"extratags": [(700, "B", 8, b"<iScan/>")]}
    write(path, (OVERVIEW, {**xmp, "description": "Label Image"}), (SLIDE, {**TILES, "description": "level=0"}))
    with pytest.raises(UnreadableImageError, match="overlapping tiles cannot be stitched"):
        read(path)
