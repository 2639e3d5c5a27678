"""Pixel sizes, steps between planes and times between images, in the dialects of TIFF."""

import struct

import numpy as np
import pytest
import tifffile

from cellseg_monai.io import open_image, read
from tests.io.files import lsm_info, write_micromanager

PLANE = np.arange(20, dtype=np.uint16).reshape(4, 5)
STACK = np.arange(120, dtype=np.uint16).reshape(2, 3, 4, 5)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cells.tif"


def steps(path):
    """Return what a file states about Z and T, read and opened alike."""
    image = read(path)
    with open_image(path) as opened:
        assert (opened.z_step_um, opened.time_step_s) == (image.z_step_um, image.time_step_s)
        assert (opened.pixel_size_um, opened.notes) == (image.pixel_size_um, image.notes)
        assert opened.read().z_step_um == image.z_step_um
    return image.z_step_um, image.time_step_s


class TestOme:
    def write(self, path, stored=PLANE, axes="YX", **metadata):
        tifffile.imwrite(path, stored, ome=True, photometric="minisblack", metadata={"axes": axes, **metadata})

    @pytest.mark.parametrize(("unit", "um"), [("Mm", 1e12), ("mm", 1e3), ("Pm", 1e21), ("pm", 1e-6), ("ft", 304_800)])
    def test_units_are_case_sensitive(self, path, unit, um):
        size = {f"PhysicalSize{axis}{what}": value for axis in "XY" for what, value in (("", 0.5), ("Unit", unit))}
        self.write(path, **size)
        assert read(path).pixel_size_um == pytest.approx((um / 2, um / 2))

    def test_a_size_in_pixels_is_no_length(self, path):
        self.write(path, PhysicalSizeX=2, PhysicalSizeXUnit="pixel", PhysicalSizeY=2, PhysicalSizeYUnit="pixel")
        image = read(path)
        assert (image.pixel_size_um, image.notes) == (None, ())

    def test_a_size_of_one_side_is_noted(self, path):
        self.write(path, PhysicalSizeX=0.5)
        image = read(path)
        assert image.pixel_size_um is None
        assert "a width of 0.5 'µm'" in image.notes[0].text

    def test_steps_are_converted(self, path):
        units = {"PhysicalSizeZ": 3000, "PhysicalSizeZUnit": "nm", "TimeIncrement": 2, "TimeIncrementUnit": "min"}
        self.write(path, STACK, "TZYX", **units)
        assert steps(path) == (3, 120)

    def test_steps_belong_to_their_axes(self, path):
        self.write(path, STACK[0], "ZYX", PhysicalSizeZ=3, TimeIncrement=2)
        assert steps(path) == (3, None)
        turned = read(path, axes="TYX")
        assert (turned.z_step_um, turned.time_step_s) == (None, None)

    def test_a_plane_has_no_step_and_no_note_on_one(self, path):
        self.write(path, PhysicalSizeZ=3, PhysicalSizeZUnit="furlong")
        assert steps(path) == (None, None)
        assert read(path).notes == ()


class TestImageJ:
    def write(self, path, stored=PLANE, resolution=(2, 2), **metadata):
        tifffile.imwrite(path, stored, imagej=True, resolution=resolution, metadata=metadata)

    @pytest.mark.parametrize("unit", ["millimetre", "millimeters", "mm"])
    def test_spellings_are_understood(self, path, unit):
        self.write(path, unit=unit)
        assert read(path).pixel_size_um == pytest.approx((500, 500))

    def test_units_can_differ_between_axes(self, path):
        self.write(path, STACK, axes="TZYX", unit="micron", yunit="nm", zunit="mm", spacing=0.003)
        assert read(path).pixel_size_um == pytest.approx((0.0005, 0.5))
        assert steps(path) == (pytest.approx(3), None)

    def test_steps_are_read(self, path):
        self.write(path, STACK, axes="TZYX", unit="micron", spacing=-3, finterval=1.5, tunit="min")
        assert steps(path) == (3, 90)

    @pytest.mark.parametrize("name", ["spacing", "finterval"])
    def test_numbers_that_only_python_reads_are_noted(self, path, name):
        axis = "Z" if name == "spacing" else "T"
        self.write(path, PLANE[np.newaxis].repeat(2, 0), axes=f"{axis}YX", unit="um", **{name: "1_0"})
        image = read(path)
        assert (image.z_step_um, image.time_step_s) == (None, None)
        assert "1_0" in image.notes[0].text

    def test_an_unknown_unit_is_noted(self, path):
        self.write(path, unit="furlong")
        image = read(path)
        assert image.pixel_size_um is None
        assert "0.5 'furlong'" in image.notes[0].text

    def test_inches_only_count_if_they_are_finer_than_prints(self, path):
        self.write(path, unit="inch", resolution=(300, 300))
        assert (read(path).pixel_size_um, read(path).notes) == (None, ())
        self.write(path, unit="inch", resolution=(50_800, 50_800))
        assert read(path).pixel_size_um == pytest.approx((0.5, 0.5))


class TestResolution:
    def write(self, path, resolution, unit):
        tifffile.imwrite(path, PLANE, resolution=resolution, resolutionunit=unit, metadata=None)

    @pytest.mark.parametrize("unit", ["CENTIMETER", "INCH", "MILLIMETER"])
    def test_a_resolution_of_a_microscope_is_read(self, path, unit):
        per_um = {"CENTIMETER": 10_000, "INCH": 25_400, "MILLIMETER": 1000}[unit]
        self.write(path, (4 * per_um, 2 * per_um), unit)
        assert read(path).pixel_size_um == pytest.approx((0.5, 0.25))

    def test_a_coarse_resolution_in_centimetres_is_read(self, path):
        self.write(path, (1000, 1000), "CENTIMETER")
        assert read(path).pixel_size_um == pytest.approx((10, 10))

    @pytest.mark.parametrize("dpi", [72, 96, 150, 300, 600])
    def test_a_resolution_for_printing_is_ignored(self, path, dpi):
        for resolution, unit in (((dpi, dpi), "INCH"), ((dpi / 2.54, dpi / 2.54), "CENTIMETER")):
            self.write(path, resolution, unit)
            assert (read(path).pixel_size_um, read(path).notes) == (None, ())
        self.write(path, (round(dpi / 2.54), round(dpi / 2.54)), "CENTIMETER")
        assert read(path).pixel_size_um is None

    @pytest.mark.parametrize(("resolution", "unit"), [((1, 1), "CENTIMETER"), ((20_000, 20_000), "NONE")])
    def test_a_default_and_a_resolution_without_unit_are_ignored(self, path, resolution, unit):
        self.write(path, resolution, unit)
        assert (read(path).pixel_size_um, read(path).notes) == (None, ())

    def test_a_missing_unit_does_not_stand_for_inches(self, path):
        self.write(path, (20_000, 20_000), "INCH")
        with tifffile.TiffFile(path) as tif:
            tag = tif.pages.first.tags["ResolutionUnit"]
        content = bytearray(path.read_bytes())
        content[tag.offset : tag.offset + 2] = struct.pack("<H", 60_000)  # now a tag that no program knows
        path.write_bytes(content)
        assert read(path).pixel_size_um is None

    def test_metadata_come_first(self, path):
        metadata = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
        how = {"resolution": (40_000, 40_000), "resolutionunit": "CENTIMETER"}
        tifffile.imwrite(path, PLANE, ome=True, photometric="minisblack", metadata=metadata, **how)
        assert read(path).pixel_size_um == (0.5, 0.5)
        tifffile.imwrite(path, PLANE, ome=True, photometric="minisblack", **how)
        assert read(path).pixel_size_um == pytest.approx((0.25, 0.25))


@pytest.mark.parametrize(
    ("description", "software", "size_um"),
    [
        ("Aperio Image Library v1\r\n96x64|AppMag = 20|MPP = 0.4990|Left = 1", None, (0.499, 0.499)),
        ("Aperio Image Library v1\r\n96x64|AppMag = 20", None, None),
        (
            '<?xml version="1.0"?><DataObject><Attribute Name="DICOM_PIXEL_SPACING" Group="0x0028">"0.0005" "0.00025"'
            "</Attribute></DataObject>",
            "Philips DP v1",
            (0.5, 0.25),
        ),
    ],
    ids=["Aperio", "Aperio without size", "Philips"],
)
def test_slide_scans_state_their_size_in_the_description(path, description, software, size_um):
    picture = np.zeros((64, 96, 3), np.uint8)
    how = {"photometric": "rgb", "tile": (16, 16), "metadata": None, "software": software or False}
    with tifffile.TiffWriter(path) as writer:
        writer.write(picture, description=description, **how)
    assert read(path).pixel_size_um == (None if size_um is None else pytest.approx(size_um))


@pytest.mark.parametrize(
    ("software", "extratags"),
    [("PerkinElmer-QPI", []), (False, [(65420, "I", 1, 1), (271, "s", 0, "Hamamatsu"), (65421, "f", 1, 20.0)])],
    ids=["PerkinElmer", "Hamamatsu"],
)
def test_slide_scans_state_their_size_as_resolution(path, software, extratags):
    how = {"photometric": "rgb", "tile": (16, 16), "metadata": None, "software": software, "extratags": extratags}
    tifffile.imwrite(
        path, np.zeros((64, 96, 3), np.uint8), resolution=(40_000, 20_000), resolutionunit="CENTIMETER", **how
    )
    assert read(path).pixel_size_um == pytest.approx((0.5, 0.25))


def test_an_unclear_size_of_a_slide_is_noted(path):
    how = {"photometric": "rgb", "tile": (16, 16), "metadata": None, "software": False}
    tifffile.imwrite(path, np.zeros((64, 96, 3), np.uint8), description="Aperio Image|MPP = wide", **how)
    assert "wide 'um'" in read(path).notes[0].text


def test_steps_of_a_zeiss_stack_are_read(path):
    info = lsm_info(
        DimensionX=5, DimensionY=4, DimensionZ=3, DimensionTime=1, DimensionChannels=1, VoxelSizeX=2e-7,
        VoxelSizeY=3e-7, VoxelSizeZ=1e-6, TimeIntervall=0,
    )  # fmt: skip
    with tifffile.TiffWriter(path, byteorder="<") as writer:
        for n, plane in enumerate(STACK[0]):
            extra = {"extratags": [(34412, "B", info.nbytes, info.tobytes())]} if n == 0 else {}
            how = {"photometric": "minisblack", "metadata": None, "contiguous": False}
            writer.write(plane, **how, **extra)
            writer.write(PLANE, subfiletype=1, **how)
    assert steps(path) == (pytest.approx(1), None)


def test_sizes_of_micromanager_are_read(path):
    summary = {"PixelSize_um": 0.25, "z-step_um": 2.0, "Interval_ms": 1500}
    write_micromanager(path, STACK, **summary)
    image = read(path)
    assert image.axes == "TPCYX"
    assert (image.pixel_size_um, image.z_step_um, image.time_step_s) == ((0.25, 0.25), None, 1.5)
